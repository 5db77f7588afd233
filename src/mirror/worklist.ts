import type { MirrorPath } from './types.ts';
import { WaitingLine } from './waiting-line.ts';

/** For each so many delayed paths, finding those that are due may come a millisecond late. */
const DELAYED_PER_MS = 1_000;

/**
 * The paths that want a look, keyed and coalescing: a path is in it once, is worked on by one worker at a time,
 * and is looked at again if it was marked while a worker had it (the work-queue pattern of Kubernetes
 * controllers). Memory is bounded by the number of dirty paths, not by events.
 *
 * A path is in one of five states: ready (waits for a worker), parked (was looked at and waits for room to be
 * sent), delayed (waits for a time), busy (a worker has it), busy and marked again.
 */
export class Worklist {
  /** Ready paths by folder priority: each priority is first in, first out. */
  readonly #ready = new Map<number, WaitingLine>();
  readonly #parked = new Map<number, WaitingLine>();
  readonly #priorityOf: (path: MirrorPath) => number;
  readonly #delayedUntilMs = new Map<MirrorPath, number>();
  readonly #busy = new Map<MirrorPath, 'clean' | 'again'>();
  /** No delayed path is due before this monotonic time. */
  #nothingDueBeforeMs = Number.POSITIVE_INFINITY;

  /** `priorityOf`: the priority of a path's folder; higher goes first. */
  constructor(priorityOf: (path: MirrorPath) => number) {
    this.#priorityOf = priorityOf;
  }

  /** Wants a look at this path as soon as a worker is free, whatever wait it was in. */
  mark(path: MirrorPath): void {
    if (this.#busy.has(path)) {
      this.#busy.set(path, 'again');
      return;
    }
    this.#delayedUntilMs.delete(path);
    this.#parked.get(this.#priorityOf(path))?.delete(path);
    this.#add(this.#ready, path);
  }

  /**
   * Takes the next ready path, or, with `withParked` (there is room to send), the next parked one; null when there
   * is none. The caller owes a `done` or a `park`.
   */
  take(withParked: boolean): MirrorPath | null {
    const path = takeFirst(this.#ready) ?? (withParked ? takeFirst(this.#parked) : null);
    if (path !== null) this.#busy.set(path, 'clean');
    return path;
  }

  /** Gives a taken path back that wants to be sent when there is no room. */
  park(path: MirrorPath): void {
    const state = this.#busy.get(path);
    this.#busy.delete(path);
    this.#add(state === 'again' ? this.#ready : this.#parked, path);
  }

  /**
   * Gives a taken path back. `againAtMs`: monotonic time of the next look; null: none is needed. A path that was
   * marked meanwhile is ready at once.
   */
  done(path: MirrorPath, againAtMs: number | null): void {
    const state = this.#busy.get(path);
    this.#busy.delete(path);
    if (state === 'again') this.#add(this.#ready, path);
    else if (againAtMs !== null) {
      this.#delayedUntilMs.set(path, againAtMs);
      this.#nothingDueBeforeMs = Math.min(this.#nothingDueBeforeMs, againAtMs);
    }
  }

  /** Makes every delayed path ready whose time has come. Returns the monotonic time of the next one, or null. */
  wake(nowMs: number): number | null {
    if (nowMs >= this.#nothingDueBeforeMs) {
      let next = Number.POSITIVE_INFINITY;
      for (const [path, untilMs] of this.#delayedUntilMs) {
        if (untilMs <= nowMs) {
          this.#delayedUntilMs.delete(path);
          this.#add(this.#ready, path);
        } else if (untilMs < next) {
          next = untilMs;
        }
      }
      // A look at all of many takes its time: a hundred thousand are looked at ten times a second, not all the time.
      this.#nothingDueBeforeMs = Math.max(next, nowMs + this.#delayedUntilMs.size / DELAYED_PER_MS);
    }
    return this.#nothingDueBeforeMs === Number.POSITIVE_INFINITY ? null : this.#nothingDueBeforeMs;
  }

  /**
   * Takes this very path out of turn, so that no worker has it meanwhile. False when a worker has it already.
   * The caller owes a `done`; whatever the path waited for is made up for then.
   */
  claim(path: MirrorPath): boolean {
    if (this.#busy.has(path)) return false;
    const priority = this.#priorityOf(path);
    const waited = [
      this.#delayedUntilMs.delete(path),
      this.#ready.get(priority)?.delete(path),
      this.#parked.get(priority)?.delete(path),
    ].includes(true);
    this.#busy.set(path, waited ? 'again' : 'clean');
    return true;
  }

  /** To be called when priorities have changed: a path is looked for in the line of its present one. */
  sortAnew(): void {
    for (const lines of [this.#ready, this.#parked]) {
      const paths = [...lines.values()].flatMap((line) => [...line.values()]);
      lines.clear();
      for (const path of paths) this.#add(lines, path);
    }
  }

  has(path: MirrorPath): boolean {
    const priority = this.#priorityOf(path);
    return (
      this.#busy.has(path) ||
      this.#delayedUntilMs.has(path) ||
      this.#ready.get(priority)?.has(path) === true ||
      this.#parked.get(priority)?.has(path) === true
    );
  }

  /** Everything in it, in no particular order. */
  *paths(): IterableIterator<MirrorPath> {
    for (const line of this.#ready.values()) yield* line.values();
    for (const line of this.#parked.values()) yield* line.values();
    yield* this.#delayedUntilMs.keys();
    yield* this.#busy.keys();
  }

  /** How many of this priority wait for a worker. */
  readyAt(priority: number): number {
    return this.#ready.get(priority)?.size ?? 0;
  }

  get busyCount(): number {
    return this.#busy.size;
  }

  get size(): number {
    return countOf(this.#ready) + countOf(this.#parked) + this.#delayedUntilMs.size + this.#busy.size;
  }

  #add(lines: Map<number, WaitingLine>, path: MirrorPath): void {
    const priority = this.#priorityOf(path);
    let line = lines.get(priority);
    if (line === undefined) {
      line = new WaitingLine();
      lines.set(priority, line);
    }
    line.add(path);
  }
}

/** Takes out the oldest path of the highest priority. */
function takeFirst(lines: ReadonlyMap<number, WaitingLine>): MirrorPath | null {
  let best: number | null = null;
  for (const [priority, line] of lines) {
    if (line.size > 0 && (best === null || priority > best)) best = priority;
  }
  return best === null ? null : (lines.get(best)?.takeFirst() ?? null);
}

function countOf(lines: ReadonlyMap<number, WaitingLine>): number {
  let count = 0;
  for (const line of lines.values()) count += line.size;
  return count;
}
