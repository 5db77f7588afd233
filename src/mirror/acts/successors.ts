import { rulesOf, type Reloadable } from '../memory/reloadable.ts';
import { identityKey } from '../../contract/stat-token.ts';
import type { Clock } from '../../contract/ports.ts';
import type { ManifestView, MirrorPath } from '../../contract/types.ts';
import type { PathNotes } from '../memory/path-notes.ts';

/** Looking whether renamed files are still there may take a twentieth of the time. */
const PERIOD_PER_COST = 20;

/** What it works with. */
interface Parts {
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly notes: PathNotes;
  readonly view: ManifestView;
}

/** Gone paths whose file appeared under another path that is not mirrored yet: their remote files stay until it is. */
export class Successors {
  readonly #parts: Parts;
  readonly #to = new Map<MirrorPath, MirrorPath>();
  #lookAgainMs = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  note(from: MirrorPath, to: MirrorPath): void {
    this.#to.set(from, to);
    this.#lookAgainMs = 0;
  }

  forget(from: MirrorPath): void {
    this.#to.delete(from);
  }

  has(from: MirrorPath): boolean {
    return this.#to.has(from);
  }

  /** Looks at those of the gone paths, now and then, and tells of each that lives on no more. */
  async look(isGone: (from: MirrorPath) => boolean, ended: (from: MirrorPath) => void): Promise<void> {
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    if (startedMs < this.#lookAgainMs) return;
    for (const [from, to] of this.#to) {
      if (!isGone(from)) continue;
      if (await this.#livesOn(from, to)) {
        const reason = `renamed to ${to}; the remote file stays until that is mirrored`;
        // Whatever keeps the new name back is said of that one.
        if (isGone(from)) this.#parts.notes.set(from, 'held', reason, 'time');
      } else if (this.#to.get(from) === to) {
        this.#to.delete(from);
        ended(from);
      }
    }
    const doneMs = clock.monotonicMs();
    this.#lookAgainMs = doneMs + PERIOD_PER_COST * (doneMs - startedMs);
  }

  async #livesOn(from: MirrorPath, to: MirrorPath): Promise<boolean> {
    const { config, notes, view } = this.#parts;
    const entry = view.files.get(from);
    if (entry === undefined) return false;
    // A refused successor will never take over: then the old path is simply gone.
    const state = notes.stateOf(to);
    const isHopeless = state === 'rejected' || state === 'ignored' || state === 'skipped';
    if (isHopeless || view.files.has(to) || rulesOf(config, to) === null) return false;
    const stat = await config.local.statOf(to);
    return stat !== null && identityKey(stat) === identityKey(entry.stat);
  }
}
