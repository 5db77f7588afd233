import { isWithinAny } from '../../contract/mirror-path.ts';
import { sameVersionByStat } from '../../contract/stat-token.ts';
import type { MirrorPath, StatToken } from '../../contract/types.ts';

interface Failure {
  readonly stat: StatToken;
  readonly count: number;
  readonly notBeforeMs: number;
}

/** How often each version failed in a row, and when it may be tried again. A new version starts afresh. */
export class Failures {
  readonly #failures = new Map<MirrorPath, Failure>();
  /** Monotonic times, of whatever version. */
  readonly #askNotBeforeMs = new Map<MirrorPath, number>();

  /** Notes one more failure and returns how many there are now. */
  add(path: MirrorPath, stat: StatToken): number {
    const count = this.countOf(path, stat) + 1;
    this.#failures.set(path, { stat, count, notBeforeMs: 0 });
    return count;
  }

  holdUntil(path: MirrorPath, notBeforeMs: number): void {
    const failure = this.#failures.get(path);
    if (failure !== undefined) this.#failures.set(path, { ...failure, notBeforeMs });
  }

  countOf(path: MirrorPath, stat: StatToken): number {
    const failure = this.#failures.get(path);
    return failure !== undefined && sameVersionByStat(failure.stat, stat) ? failure.count : 0;
  }

  /** Failures in a row of whatever version failed last. */
  total(path: MirrorPath): number {
    return this.#failures.get(path)?.count ?? 0;
  }

  /** Milliseconds until this version may be tried again; 0: now. */
  waitMs(path: MirrorPath, stat: StatToken, nowMs: number): number {
    const failure = this.#failures.get(path);
    if (failure === undefined || !sameVersionByStat(failure.stat, stat)) return 0;
    return Math.max(0, failure.notBeforeMs - nowMs);
  }

  /** The API is not asked about the path before this monotonic time, whatever becomes of its file. */
  askNotBefore(path: MirrorPath, atMs: number): void {
    this.#askNotBeforeMs.set(path, atMs);
  }

  /** The API has answered. */
  answered(path: MirrorPath): void {
    this.#askNotBeforeMs.delete(path);
  }

  /** Milliseconds until the API may be asked about the path again; 0: now. */
  askAgainInMs(path: MirrorPath, nowMs: number): number {
    return Math.max(0, (this.#askNotBeforeMs.get(path) ?? 0) - nowMs);
  }

  clear(path: MirrorPath): void {
    this.#failures.delete(path);
    this.#askNotBeforeMs.delete(path);
  }

  /** Lets the paths at or below `wanted` (null: all) be tried at once: what they waited for may have changed. Returns which. */
  forgive(wanted: readonly MirrorPath[] | null): readonly MirrorPath[] {
    const trees = wanted === null ? null : new Set(wanted);
    const paths = [...this.#failures.keys()].filter((path) => trees === null || isWithinAny(path, trees));
    for (const path of paths) this.clear(path);
    return paths;
  }
}
