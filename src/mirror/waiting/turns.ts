import { turnMs } from '../../contract/turn.ts';
import type { MirrorPath } from '../../contract/types.ts';
import { WaitingLine } from './waiting-line.ts';

/** Paths that wait, to be taken out by their turn (`turnMs`): one line, first in, first out, for each priority. */
export class Turns {
  readonly #lines = new Map<number, WaitingLine>();
  readonly #priorityOf: (path: MirrorPath) => number;

  /** `priorityOf`: the priority of a path's folder; higher goes first. */
  constructor(priorityOf: (path: MirrorPath) => number) {
    this.#priorityOf = priorityOf;
  }

  get size(): number {
    let size = 0;
    for (const line of this.#lines.values()) size += line.size;
    return size;
  }

  /** `sinceMs`: the monotonic time from which it counts as waiting, whole milliseconds. */
  add(path: MirrorPath, sinceMs: number): void {
    const priority = this.#priorityOf(path);
    let line = this.#lines.get(priority);
    if (line === undefined) {
      line = new WaitingLine();
      this.#lines.set(priority, line);
    }
    line.add(path, sinceMs);
  }

  has(path: MirrorPath): boolean {
    return this.#lines.get(this.#priorityOf(path))?.has(path) === true;
  }

  /** Returns since when it counts as waiting; null: it was not in it. */
  delete(path: MirrorPath): number | null {
    return this.#lines.get(this.#priorityOf(path))?.delete(path) ?? null;
  }

  /** The turn of the one that is next; null when none waits. */
  nextTurnMs(): number | null {
    return this.#next()?.turnMs ?? null;
  }

  /** Takes out the one whose turn it is, and says since when it waits. */
  take(): readonly [MirrorPath, number] | null {
    return this.#next()?.line.takeFirst() ?? null;
  }

  /** How many of this priority wait. */
  countAt(priority: number): number {
    return this.#lines.get(priority)?.size ?? 0;
  }

  /** To be called when priorities have changed: a path is looked for in the line of its present one. */
  sortAnew(): void {
    const waiting = [...this.#lines.values()].flatMap((line) => [...line.entries()]);
    this.#lines.clear();
    for (const [path, sinceMs] of waiting.sort(([, a], [, b]) => a - b)) this.add(path, sinceMs);
  }

  *paths(): IterableIterator<MirrorPath> {
    for (const line of this.#lines.values()) yield* line.paths();
  }

  /** All of them, in their turn. Who is told may take out the path that he was told of. */
  *inTurn(): IterableIterator<readonly [MirrorPath, number]> {
    const lines = [...this.#lines].map(([priority, line]) => ({ priority, steps: line.entries() }));
    const heads = lines.flatMap(({ priority, steps }) => nextOf(priority, steps));
    while (heads.length > 0) {
      const first = heads.reduce((best, each) => (each.turnMs < best.turnMs ? each : best));
      yield [first.path, first.sinceMs];
      heads.splice(heads.indexOf(first), 1, ...nextOf(first.priority, first.steps));
    }
  }

  #next(): { readonly line: WaitingLine; readonly turnMs: number } | null {
    let next: { readonly line: WaitingLine; readonly turnMs: number } | null = null;
    for (const [priority, line] of this.#lines) {
      const first = line.first();
      if (first === null) continue;
      const turn = turnMs(first[1], priority, 0);
      if (next === null || turn < next.turnMs) next = { line, turnMs: turn };
    }
    return next;
  }
}

function nextOf(priority: number, steps: IterableIterator<[MirrorPath, number]>) {
  const step = steps.next();
  if (step.done === true) return [];
  const [path, sinceMs] = step.value;
  return [{ priority, steps, path, sinceMs, turnMs: turnMs(sinceMs, priority, 0) }];
}
