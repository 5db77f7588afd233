import type { Clock } from '../../../src/contract/ports.ts';
import type { Mortal, SimClock } from './sim-clock.ts';

export interface IncarnationOptions {
  /** 1 for the first start of the program. */
  readonly number: number;
  readonly clock: SimClock;
  /** The process dies at this port call (each call counts at its start and at its end); null: never by itself. */
  readonly killAtCall: number | null;
  readonly onKill: (point: string) => void;
}

/**
 * One run of the program, from start to death. Every port call passes through it. Once dead, no call ever
 * resolves or rejects again: what the engine still has in memory can reach nothing.
 */
export class Incarnation implements Mortal {
  readonly number: number;
  /** The clock as this incarnation sees it. */
  readonly clock: Clock;
  readonly #clock: SimClock;
  readonly #onKill: (point: string) => void;
  readonly #deathWatch: (() => void)[] = [];
  #killAtCall: number | null;
  #calls = 0;
  #callsAfterStop = 0;
  #lastCall = '';
  #stopped = false;
  #diedAtMs: number | null = null;

  constructor(options: IncarnationOptions) {
    this.number = options.number;
    this.#clock = options.clock;
    this.#killAtCall = options.killAtCall;
    this.#onKill = options.onKill;
    this.clock = {
      wallMs: () => this.#clock.wallMs(),
      monotonicMs: () => this.#clock.monotonicMs(),
      sleep: (ms, signal) => this.call('clock.sleep', () => this.sleep(ms, signal)),
    };
  }

  get dead(): boolean {
    return this.#diedAtMs !== null;
  }

  get calls(): number {
    return this.#calls;
  }

  /** Port calls made after `stop()` had resolved, and the latest of them. */
  get callsAfterStop(): { readonly count: number; readonly last: string } {
    return { count: this.#callsAfterStop, last: this.#lastCall };
  }

  /** Milliseconds since death; 0 while alive. */
  deadForMs(): number {
    return this.#diedAtMs === null ? 0 : this.#clock.monotonicMs() - this.#diedAtMs;
  }

  /** Runs one port call. The process may die before its effect, or after it and before the caller learns of it. */
  async call<T>(point: string, run: () => Promise<T>): Promise<T> {
    if (this.#stopped && !this.dead) {
      this.#callsAfterStop += 1;
      this.#lastCall = point;
    }
    if (this.#diesAt(point)) return never();
    try {
      const result = await run();
      return this.#diesAt(point) ? await never() : result;
    } catch (error) {
      if (this.#diesAt(point)) return never();
      throw error;
    }
  }

  /** A wait inside a port. Not a port call of its own. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal, this);
  }

  onDeath(action: () => void): void {
    this.#deathWatch.push(action);
  }

  /** It may live: no crash is planned any more. */
  spare(): void {
    this.#killAtCall = null;
  }

  /** `stop()` has resolved: from here on the program may not touch anything. */
  markStopped(): void {
    this.#stopped = true;
  }

  /** SIGKILL, a power cut, or the exit after `stop()`. */
  kill(point: string): void {
    if (this.dead) return;
    this.#diedAtMs = this.#clock.monotonicMs();
    for (const action of this.#deathWatch) action();
    this.#onKill(point);
  }

  #diesAt(point: string): boolean {
    if (this.dead) return true;
    this.#calls += 1;
    if (this.#killAtCall === null || this.#calls < this.#killAtCall) return false;
    this.kill(point);
    return true;
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}
