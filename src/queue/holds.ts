import type { Clock } from '../contract/ports.ts';

interface Hold {
  readonly why: string;
  readonly untilMs: number | null;
  readonly timer: AbortController | null;
}

/** The named reasons for which a lane stands still. It moves when there is none left. */
export class Holds {
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #holds = new Map<string, Hold>();

  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** `forMs` null: until released. Holding again under the same name replaces the hold. */
  hold(name: string, why: string, forMs: number | null): void {
    this.#holds.get(name)?.timer?.abort();
    const timer = forMs === null ? null : new AbortController();
    const hold: Hold = { why, untilMs: forMs === null ? null : this.#clock.monotonicMs() + forMs, timer };
    this.#holds.set(name, hold);
    this.#changed();
    if (forMs === null || timer === null) return;
    this.#clock.sleep(forMs, timer.signal).then(
      () => {
        if (this.#holds.get(name) === hold) this.release(name);
      },
      () => {},
    );
  }

  release(name: string): void {
    const hold = this.#holds.get(name);
    if (hold === undefined) return;
    hold.timer?.abort();
    this.#holds.delete(name);
    this.#changed();
  }

  any(): boolean {
    return this.#holds.size > 0;
  }

  all(): readonly { readonly name: string; readonly why: string; readonly remainingMs: number | null }[] {
    const now = this.#clock.monotonicMs();
    return [...this.#holds].map(([name, { why, untilMs }]) => ({
      name,
      why,
      remainingMs: untilMs === null ? null : Math.max(0, untilMs - now),
    }));
  }

  close(): void {
    for (const hold of this.#holds.values()) hold.timer?.abort();
  }
}
