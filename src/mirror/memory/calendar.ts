import type { MirrorPath } from '../../contract/types.ts';

const SECONDS_PER_HOUR = 3_600;

/** Paths by a time, whole seconds: whatever is asked takes as long as there are hours, and not as there are paths. */
export class Calendar {
  /** By hour, then by second. One alone needs no set, which is dear. */
  readonly #hours = new Map<number, Map<number, MirrorPath | Set<MirrorPath>>>();

  add(path: MirrorPath, at: number): void {
    const hour = hourOf(at);
    let seconds = this.#hours.get(hour);
    if (seconds === undefined) this.#hours.set(hour, (seconds = new Map()));
    const there = seconds.get(at);
    if (there === undefined || there === path) seconds.set(at, path);
    else if (typeof there === 'string') seconds.set(at, new Set([there, path]));
    else there.add(path);
  }

  delete(path: MirrorPath, at: number): void {
    const seconds = this.#hours.get(hourOf(at));
    const there = seconds?.get(at);
    if (seconds === undefined || there === undefined) return;
    if (typeof there === 'string') {
      if (there === path) seconds.delete(at);
    } else {
      there.delete(path);
      if (there.size === 0) seconds.delete(at);
    }
    if (seconds.size === 0) this.#hours.delete(hourOf(at));
  }

  /** The first after this time; null: none is. */
  firstAfter(time: number): { readonly path: MirrorPath; readonly at: number } | null {
    let first: { readonly hour: number; readonly at: number; readonly path: MirrorPath } | null = null;
    for (const [hour, seconds] of this.#hours) {
      if (hour < hourOf(time) || (first !== null && hour > first.hour)) continue;
      for (const [at, there] of seconds) {
        if (at <= time || (first !== null && at >= first.at)) continue;
        const [path = ''] = typeof there === 'string' ? [there] : there;
        first = { hour, at, path };
      }
    }
    return first === null ? null : { path: first.path, at: first.at };
  }

  /** Those of after `after` and up to `until`, in no particular order. */
  *between(after: number, until: number): IterableIterator<MirrorPath> {
    for (const [hour, seconds] of this.#hours) {
      if (hour < hourOf(after) || hour > hourOf(until)) continue;
      for (const [at, there] of seconds) {
        if (at <= after || at > until) continue;
        if (typeof there === 'string') yield there;
        else yield* there;
      }
    }
  }
}

function hourOf(at: number): number {
  return Math.floor(at / SECONDS_PER_HOUR);
}
