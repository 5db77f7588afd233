import { rulesOf, type Reloadable } from '../memory/reloadable.ts';
import type { Clock, FilesApi } from '../../contract/ports.ts';
import type { Change, ManifestView, MirrorPath } from '../../contract/types.ts';
import { expiryWantsLook } from '../judge/expiry.ts';
import type { Pause } from '../memory/following.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import { Renewals } from '../memory/renewals.ts';
import { serverNowSeconds } from '../../contract/times.ts';
import type { Totals } from '../memory/totals.ts';
import type { Worklist } from '../waiting/worklist.ts';

const PERIOD_MS = 30_000;
/** The server's clock is known to the second, and may go back a little: what was just due is looked at once more. */
const OVERLAP_SECONDS = 60;
/** Paths that are marked in one turn of the loop. */
const PATHS_PER_TURN = 2_000;

/** What it works with. */
interface Parts {
  readonly api: FilesApi;
  readonly broke: (error: unknown) => void;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly ledger: Ledger;
  readonly notes: PathNotes;
  readonly pause: Pause;
  readonly totals: Totals;
  readonly view: ManifestView;
  readonly worklist: Worklist;
  /** Breaks off what is under way. */
  readonly signal: AbortSignal;
}

/** Marks what expires, or is due to be renewed, when its time comes: no event on disk tells of that. */
export class ExpiryWatch {
  readonly #parts: Parts;
  #renewals: Renewals;
  #folders: Reloadable['settings']['folders'];
  /** What was due until then was marked. */
  #doneUntil = Number.NEGATIVE_INFINITY;
  /** What was recorded since, and was due before. */
  readonly #late = new Set<MirrorPath>();
  #nextMs: number;
  #isMarking = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#folders = parts.config.settings.folders;
    this.#renewals = new Renewals(parts.view, this.#folders, parts.pause);
    // What is due by now is marked by the scan at the start: a pass over what is unchanged need not sort all entries.
    this.#nextMs = parts.clock.monotonicMs() + PERIOD_MS;
    parts.ledger.subscribe((change, replaced) => {
      this.#renewals.apply(change, replaced);
      this.#noteLate(change);
    });
  }

  /** Starts what is due. */
  tick(): void {
    const { clock, broke, signal } = this.#parts;
    const now = clock.monotonicMs();
    if (now < this.#nextMs || this.#isMarking) return;
    this.#nextMs = now + PERIOD_MS;
    this.#isMarking = true;
    this.#markDue()
      .catch((error: unknown) => {
        if (!signal.aborted) broke(error);
      })
      .finally(() => (this.#isMarking = false));
  }

  async #markDue(): Promise<void> {
    const { config, view, pause, totals } = this.#parts;
    if (config.settings.folders !== this.#folders) {
      this.#folders = config.settings.folders;
      this.#renewals = new Renewals(view, this.#folders, pause);
      this.#doneUntil = Number.NEGATIVE_INFINITY;
    }
    await totals.ready();
    await this.#renewals.ready();
    const until = serverNowSeconds(this.#parts);
    // A clock that went back: what was marked too soon is marked again in its time.
    const after = Math.min(this.#doneUntil, until) - OVERLAP_SECONDS;
    const late = [...this.#late];
    this.#late.clear();
    this.#doneUntil = until;
    let count = 0;
    for (const paths of [late, totals.expiring(after, until), this.#renewals.due(after, until)]) {
      for (const path of paths) {
        count += 1;
        if (count % PATHS_PER_TURN === 0) await pause();
        this.#markIfDue(path, until);
      }
    }
  }

  #markIfDue(path: MirrorPath, now: number): void {
    const { config, notes, view, worklist } = this.#parts;
    const entry = view.files.get(path);
    const rules = rulesOf(config, path);
    if (entry === undefined || rules === null || notes.stateOf(path) === 'expired') return;
    if (expiryWantsLook(path, entry, rules, now)) worklist.mark(path);
  }

  #noteLate({ files = {} }: Change): void {
    for (const [path, entry] of Object.entries(files)) {
      const rules = entry === null || entry.expiresAt === null ? null : rulesOf(this.#parts.config, path);
      if (entry !== null && rules !== null && expiryWantsLook(path, entry, rules, this.#doneUntil))
        this.#late.add(path);
    }
  }
}
