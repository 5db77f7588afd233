import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/contract/ports.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/**
 * A clock whose time passes only when told, from one sleeper to the next, and that is otherwise as bad as the real one:
 * time passes between two looks at it, and its timers fire up to a millisecond early.
 */
export class StepClock implements Clock {
  #nowMs = 1_000;
  #sleepers: Sleeper[] = [];

  wallMs(): number {
    return 1_763_766_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    this.#nowMs += 0.01;
    return this.#nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { dueMs: this.#nowMs + Math.max(0.1, ms - 0.9), wake: resolve };
    this.#sleepers.push(sleeper);
    const onAbort = (): void => {
      this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    await promise;
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await setImmediate();
      const [next] = this.#sleepers.toSorted((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#sleepers = this.#sleepers.filter((each) => each !== next);
      next.wake();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }
}
