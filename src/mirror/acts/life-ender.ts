import { isExpired } from '../judge/expiry.ts';
import type { Clock, FilesApi, SendQueue } from '../../contract/ports.ts';
import type { Entry, FileId, ManifestView, MirrorPath } from '../../contract/types.ts';
import type { Ledger } from '../memory/ledger.ts';
import { serverNowSeconds } from '../../contract/times.ts';
import { REST, type Worklist } from '../waiting/worklist.ts';

const CLAIM_RETRY_MS = 100;

/** What it works with. */
interface Parts {
  readonly api: FilesApi;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly queue: SendQueue;
  readonly view: ManifestView;
  readonly worklist: Worklist;
}

/** Deletes remote files whose local ones stay: to the mirror, their time is over. */
export class LifeEnder {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Does nothing when the path has another id by now. Throws `Fault`, or the signal's reason. */
  async end(path: MirrorPath, id: FileId, signal: AbortSignal): Promise<void> {
    const { clock, worklist } = this.#parts;
    while (!worklist.claim(path)) await clock.sleep(CLAIM_RETRY_MS, signal);
    try {
      const entry = this.#parts.view.files.get(path);
      if (entry?.id === id) await this.#end(path, entry, signal);
    } finally {
      worklist.mark(path);
      worklist.done(path, REST);
    }
  }

  async #end(path: MirrorPath, entry: Entry, signal: AbortSignal): Promise<void> {
    const { api, ledger, queue } = this.#parts;
    await queue.delete(() => api.delete(entry.id, signal), signal);
    const now = serverNowSeconds(this.#parts);
    if (isExpired(entry, now)) return;
    await ledger.record({ files: { [path]: { ...entry, expiresAt: now } } }, signal);
  }
}
