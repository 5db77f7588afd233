import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/contract/ports.ts';
import { LaneQueue } from '../../src/queue/send-queue.ts';
import { turnMs } from '../../src/contract/turn.ts';

/** A clock whose time passes only when told. */
class ManualClock implements Clock {
  #now = 0;
  #sleepers: { at: number; wake: () => void }[] = [];
  wallMs(): number {
    return 1_700_000_000_000 + this.#now;
  }
  monotonicMs(): number {
    return this.#now;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#sleepers.push({ at: this.#now + ms, wake: resolve });
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }
  async pass(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#sleepers.filter((each) => each.at <= this.#now);
    this.#sleepers = this.#sleepers.filter((each) => each.at > this.#now);
    for (const each of due) each.wake();
    await drained();
  }
}

const drained = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const NEVER = new AbortController().signal;
const SMALL = { path: 'a/1', sizeBytes: 10, priority: 0 };

function queueOf(clock: Clock, part: Partial<ConstructorParameters<typeof LaneQueue>[0]> = {}): LaneQueue {
  return new LaneQueue({
    clock,
    random: () => 0.5,
    uploadsPerMinute: null,
    concurrentUploads: 2,
    concurrentDeletes: 1,
    concurrentQuestions: 1,
    recentAttemptsMs: [],
    ...part,
  });
}

describe('the upload lane', () => {
  test('goes on although a timer fires a moment early and time passes between two looks at the clock', async () => {
    // Node's timers may fire up to a millisecond early by the monotonic clock.
    class HastyClock extends ManualClock {
      #drift = 0;
      override monotonicMs(): number {
        this.#drift += 0.05;
        return super.monotonicMs() + this.#drift;
      }
      override sleep(ms: number, signal?: AbortSignal): Promise<void> {
        return super.sleep(Math.max(0, ms - 0.9), signal);
      }
    }
    for (let offsetMs = 0; offsetMs < 3; offsetMs += 0.07) {
      const clock = new HastyClock();
      const queue = queueOf(clock, { uploadsPerMinute: 1 });
      let started = 0;
      const send = async (sending: () => void): Promise<void> => {
        sending();
        started += 1;
      };
      const all = Promise.all([1, 2].map(() => queue.upload(SMALL, send, NEVER)));
      await drained();
      await clock.pass(60_047 + offsetMs);
      for (let round = 0; round < 10; round += 1) await clock.pass(1);
      expect(started).toBe(2);
      await all;
    }
  });
});

test('no upload starves: the oldest is at last before every newcomer, whatever its size and priority', () => {
  const hour = 3_600_000;
  const oldAndUnwanted = turnMs(0, 0, 512_000_000);
  expect(turnMs(2 * hour, 10, 1)).toBeGreaterThan(oldAndUnwanted);
  expect(turnMs(1_000, 0, 1)).toBeLessThan(oldAndUnwanted);
});
