import type { Inspection, Listener } from '../../contract/ports.ts';
import type { FolderRules, MirrorPath, StatToken } from '../../contract/types.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import { Semaphore } from '../waiting/semaphore.ts';

/** Files read at a time for hashing and checking; more only makes a disk seek. */
const CONCURRENT_READS = 4;

/** What it works with. */
interface Parts {
  readonly config: Reloadable;
  readonly listener: Listener;
  readonly notes: PathNotes;
}

/** Reads versions that are to be sent: however often one is looked at or tried, it is read once. */
export class Reader {
  readonly #parts: Parts;
  readonly #reads = new Semaphore(CONCURRENT_READS);
  readonly #read = new Map<MirrorPath, { stat: StatToken; rules: FolderRules; inspection: Inspection }>();
  /** Which version of a path was warned about. */
  readonly #warned = new Map<MirrorPath, StatToken>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What was read of this version; null: it was not read yet. */
  known(path: MirrorPath, stat: StatToken, rules: FolderRules): Inspection | null {
    const read = this.#read.get(path);
    return read?.stat === stat && read.rules === rules ? read.inspection : null;
  }

  /** Throws `Fault`, or the signal's reason. */
  async read(path: MirrorPath, stat: StatToken, rules: FolderRules, signal: AbortSignal): Promise<void> {
    this.#parts.notes.set(path, 'pending', 'its content is being read');
    const inspection = await this.#reads.run(
      () => this.#parts.config.local.inspect(path, stat, rules, signal),
      signal,
    );
    this.#warn(path, stat, inspection);
    this.#read.set(path, { stat, rules, inspection });
  }

  /** What was read of the path is not needed any more. */
  forget(path: MirrorPath): void {
    this.#read.delete(path);
  }

  /** The path is at rest: what is warned about from now on is news. */
  isAtRest(path: MirrorPath): void {
    this.#warned.delete(path);
  }

  /** Once a version, however often it is read. */
  #warn(path: MirrorPath, stat: StatToken, { warnings }: Inspection): void {
    if (warnings.length === 0 || this.#warned.get(path) === stat) return;
    this.#warned.set(path, stat);
    for (const message of warnings) this.#parts.listener({ kind: 'warning', message: `${path}: ${message}` });
  }
}
