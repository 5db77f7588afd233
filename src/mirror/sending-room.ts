import type { MirrorPath } from './types.ts';

/** How many paths may be read, queued or sent at a time. The rest waits, as a name in the worklist, not as a job. */
const PLACES = 256;

/**
 * Which paths are being read or sent. A path of higher priority finds a place although lower ones have taken them
 * all: only those of at least its own priority count against it.
 */
export class SendingRoom {
  readonly #priorities = new Map<MirrorPath, number>();
  /** How many paths have each priority. */
  readonly #counts = new Map<number, number>();

  /** Takes a place. False: there is none for this priority. */
  enter(path: MirrorPath, priority: number): boolean {
    // Whoever was read has a place already, and must not count itself as a rival when it is to be sent.
    if (this.#priorities.has(path)) return true;
    if (this.#priorities.size >= PLACES) {
      let rivals = 0;
      for (const [each, count] of this.#counts) if (each >= priority) rivals += count;
      if (rivals >= PLACES) return false;
    }
    this.#priorities.set(path, priority);
    this.#counts.set(priority, (this.#counts.get(priority) ?? 0) + 1);
    return true;
  }

  leave(path: MirrorPath): void {
    const priority = this.#priorities.get(path);
    if (priority === undefined) return;
    this.#priorities.delete(path);
    this.#counts.set(priority, (this.#counts.get(priority) ?? 0) - 1);
  }

  /** How many more find a place whatever their priority. */
  get freePlaces(): number {
    return Math.max(0, PLACES - this.#priorities.size);
  }

  get size(): number {
    return this.#priorities.size;
  }
}
