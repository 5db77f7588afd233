import type { MirrorPath } from '../../contract/types.ts';
import { ANSWER } from './topics.ts';
import type { Worklist } from './worklist.ts';

/** How many paths may wait for an answer at a time. The rest waits, as a name in the worklist, not as a job. */
const PLACES = 64;

/** Which paths wait for an answer of the API. They hold no look: what does not answer keeps no change from being seen. */
export class AskingRoom {
  readonly #guests = new Set<MirrorPath>();

  /** Takes a place. False: there is none. */
  enter(path: MirrorPath): boolean {
    if (this.#guests.size >= PLACES && !this.#guests.has(path)) return false;
    this.#guests.add(path);
    return true;
  }

  leave(path: MirrorPath): void {
    this.#guests.delete(path);
  }

  has(path: MirrorPath): boolean {
    return this.#guests.has(path);
  }

  /** Takes the path whose turn it is among those that wait for a place; null: there is none. */
  next(worklist: Pick<Worklist, 'takeFrom'>): MirrorPath | null {
    return this.#guests.size < PLACES ? worklist.takeFrom(ANSWER) : null;
  }

  get size(): number {
    return this.#guests.size;
  }
}
