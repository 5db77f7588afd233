import { LARGE_BYTES } from '../../contract/turn.ts';
import type { MirrorPath } from '../../contract/types.ts';
import type { Topic, Worklist } from './worklist.ts';

/** How many paths may be read, queued or sent at a time. The rest waits, as a name in the worklist, not as a job. */
const PLACES = 256;
/** Large files never take every place: small ones would wait for hours. */
const PLACES_FOR_LARGE = PLACES / 2;

const SMALL_TOPIC: Topic = 'a place';
const LARGE_TOPIC: Topic = 'a place for a large file';

/** What a path waits on that finds no place. */
export function placeTopic(sizeBytes: number): Topic {
  return sizeBytes < LARGE_BYTES ? SMALL_TOPIC : LARGE_TOPIC;
}

export function isPlace(topic: Topic | null): boolean {
  return topic === SMALL_TOPIC || topic === LARGE_TOPIC;
}

interface Guest {
  readonly priority: number;
  readonly isLarge: boolean;
}

/**
 * Which paths are being read or sent. A path of higher priority finds a place although lower ones have taken them
 * all: only those of at least its own priority count against it.
 */
export class SendingRoom {
  readonly #guests = new Map<MirrorPath, Guest>();
  /** How many paths have each priority. */
  readonly #counts = new Map<number, number>();
  #large = 0;

  /** Takes a place. False: there is none for this priority and size. */
  enter(path: MirrorPath, priority: number, sizeBytes: number): boolean {
    // Whoever was read has a place already, and must not count itself as a rival when it is to be sent.
    if (this.#guests.has(path)) return true;
    const isLarge = placeTopic(sizeBytes) === LARGE_TOPIC;
    if (isLarge && this.#large >= PLACES_FOR_LARGE) return false;
    if (this.#guests.size >= PLACES) {
      let rivals = 0;
      for (const [each, count] of this.#counts) if (each >= priority) rivals += count;
      if (rivals >= PLACES) return false;
    }
    this.#guests.set(path, { priority, isLarge });
    this.#counts.set(priority, (this.#counts.get(priority) ?? 0) + 1);
    if (isLarge) this.#large += 1;
    return true;
  }

  leave(path: MirrorPath): void {
    const guest = this.#guests.get(path);
    if (guest === undefined) return;
    this.#guests.delete(path);
    this.#counts.set(guest.priority, (this.#counts.get(guest.priority) ?? 0) - 1);
    if (guest.isLarge) this.#large -= 1;
  }

  /**
   * Takes the path whose turn it is among those that wait for a place and find one, whatever their priority; null:
   * none does. `promised`: places that others are about to take.
   */
  next(worklist: Pick<Worklist, 'nextTurnMs' | 'takeFrom'>, promised: number): MirrorPath | null {
    const free = PLACES - this.#guests.size - promised;
    if (free <= 0) return null;
    const small = worklist.nextTurnMs(SMALL_TOPIC);
    const large = PLACES_FOR_LARGE - this.#large - promised > 0 ? worklist.nextTurnMs(LARGE_TOPIC) : null;
    if (large !== null && (small === null || large < small)) return worklist.takeFrom(LARGE_TOPIC);
    return worklist.takeFrom(SMALL_TOPIC);
  }

  get size(): number {
    return this.#guests.size;
  }
}
