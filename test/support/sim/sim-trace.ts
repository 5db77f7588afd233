import type { SimClock } from './sim-clock.ts';

type Part = string | number | boolean | null;

/** The last things that happened, for the report of a failing seed. Formatted only when asked for. */
export class SimTrace {
  readonly #clock: SimClock;
  readonly #capacity: number;
  readonly #ring: (readonly Part[])[] = [];
  #next = 0;

  constructor(clock: SimClock, capacity: number) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  add(...parts: readonly Part[]): void {
    this.#ring[this.#next % this.#capacity] = [this.#clock.monotonicMs(), ...parts];
    this.#next += 1;
  }

  /** Oldest first, one line each: seconds of virtual time, then what happened. */
  lines(): string[] {
    const start = Math.max(0, this.#next - this.#capacity);
    const lines: string[] = [];
    for (let index = start; index < this.#next; index += 1) {
      const [atMs, ...parts] = this.#ring[index % this.#capacity] as readonly Part[];
      lines.push(`${(Number(atMs) / 1000).toFixed(3).padStart(10)}  ${parts.join(' ')}`);
    }
    return lines;
  }
}
