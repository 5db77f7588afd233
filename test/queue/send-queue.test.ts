import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/mirror/ports.ts';
import { LaneQueue } from '../../src/queue/send-queue.ts';
import { virtualArrivalMs } from '../../src/queue/send-order.ts';

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
    recentAttemptsMs: [],
    ...part,
  });
}

describe('the upload lane', () => {
  test('starts no more than the window allows, and goes on when a unit comes back', async () => {
    const clock = new ManualClock();
    const queue = queueOf(clock, { uploadsPerMinute: 3, concurrentUploads: 8 });
    let started = 0;
    const all = Promise.all(
      Array.from({ length: 5 }, () =>
        queue.upload(
          SMALL,
          async (sending) => {
            sending();
            started += 1;
          },
          NEVER,
        ),
      ),
    );
    await drained();
    expect(started).toBe(3);
    await clock.pass(59_000);
    expect(started).toBe(3);
    await clock.pass(1_100);
    expect(started).toBe(5);
    await all;
  });

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

  test('counts the attempts of an earlier run', async () => {
    const clock = new ManualClock();
    const queue = queueOf(clock, { uploadsPerMinute: 1, recentAttemptsMs: [clock.wallMs() - 20_000] });
    let started = 0;
    const upload = queue.upload(
      SMALL,
      async (sending) => {
        sending();
        started += 1;
      },
      NEVER,
    );
    await drained();
    expect(started).toBe(0);
    await clock.pass(40_100);
    expect(started).toBe(1);
    await upload;
  });

  test('runs at most the configured number at a time, and large ones never take every place', async () => {
    const clock = new ManualClock();
    const queue = queueOf(clock, { concurrentUploads: 2 });
    const order: string[] = [];
    const release = Promise.withResolvers<void>();
    const run = (name: string, sizeBytes: number): Promise<void> =>
      queue.upload(
        { path: name, sizeBytes, priority: 0 },
        async () => {
          order.push(name);
          await release.promise;
        },
        NEVER,
      );
    const all = [run('big-1', 500_000_000), run('big-2', 500_000_000), run('small', 10)];
    await drained();
    expect(order).toEqual(['big-1', 'small']);
    release.resolve();
    await Promise.all(all);
    expect(order).toEqual(['big-1', 'small', 'big-2']);
  });

  test('a folder of higher priority goes first once a unit is free', async () => {
    const clock = new ManualClock();
    const queue = queueOf(clock, { uploadsPerMinute: 1 });
    const order: string[] = [];
    const run = (name: string, priority: number): Promise<unknown> =>
      queue.upload(
        { path: name, sizeBytes: 10, priority },
        async (sending) => {
          sending();
          order.push(name);
        },
        NEVER,
      );
    const all = [
      run('first', 0),
      ...Array.from({ length: 20 }, (_, index) => run(`backlog-${index}`, 0)),
      run('urgent', 10),
    ];
    await drained();
    await clock.pass(60_100);
    expect(order).toEqual(['first', 'urgent']);
    for (let round = 0; round < 20; round += 1) await clock.pass(60_100);
    await Promise.all(all);
  });

  test('a hold stops the lane until it is over, and the others go on', async () => {
    const clock = new ManualClock();
    const queue = queueOf(clock);
    let started = 0;
    queue.hold('upload', 'backoff', 'rate limited', 7_000);
    const upload = queue.upload(
      SMALL,
      async (sending) => {
        sending();
        started += 1;
      },
      NEVER,
    );
    await queue.delete(async () => {}, NEVER);
    await clock.pass(6_900);
    expect(started).toBe(0);
    expect(queue.holds('upload')).toMatchObject([{ name: 'backoff', why: 'rate limited', remainingMs: 100 }]);
    await clock.pass(200);
    expect(started).toBe(1);
    await upload;
  });

  test('an abort rejects who waits, never starts it, and loses no unit of the window', async () => {
    const clock = new ManualClock();
    const queue = queueOf(clock, { uploadsPerMinute: 1, concurrentUploads: 1 });
    const abort = new AbortController();
    queue.hold('upload', 'test', 'test', null);
    let started = 0;
    const upload = queue.upload(
      SMALL,
      async (sending) => {
        sending();
        started += 1;
      },
      abort.signal,
    );
    abort.abort(new Error('stop'));
    await expect(upload).rejects.toThrow('stop');
    queue.release('upload', 'test');
    await drained();
    expect(started).toBe(0);
    await queue.upload(
      SMALL,
      async (sending) => {
        sending();
        started += 1;
      },
      NEVER,
    );
    expect(started).toBe(1);
  });

  test('an attempt that sends nothing after all costs no unit of the window', async () => {
    const clock = new ManualClock();
    const queue = queueOf(clock, { uploadsPerMinute: 1, concurrentUploads: 1 });
    for (let round = 0; round < 5; round += 1) await queue.upload(SMALL, async () => {}, NEVER);
    expect(queue.uploadWindow().inWindow).toBe(0);
  });
});

for (const lane of ['upload', 'delete'] as const) {
  test(`probing lets one ${lane} through at a time, also when the lane was held meanwhile`, async () => {
    const clock = new ManualClock();
    const queue = queueOf(clock, { concurrentUploads: 4, concurrentDeletes: 4 });
    const release = Promise.withResolvers<void>();
    let started = 0;
    const attempt = async (): Promise<void> => {
      started += 1;
      await release.promise;
    };
    queue.hold(lane, 'backoff', 'rate limited', null);
    queue.setProbing(lane, true);
    const all = Array.from({ length: 3 }, () =>
      lane === 'upload' ? queue.upload(SMALL, attempt, NEVER) : queue.delete(attempt, NEVER),
    );
    queue.release(lane, 'backoff');
    await drained();
    expect(started).toBe(1);
    queue.setProbing(lane, false);
    await drained();
    expect(started).toBe(3);
    release.resolve();
    await Promise.all(all);
  });
}

test('no upload starves: the oldest is at last before every newcomer, whatever its size and priority', () => {
  const hour = 3_600_000;
  const oldAndUnwanted = virtualArrivalMs(0, 0, 512_000_000);
  expect(virtualArrivalMs(2 * hour, 10, 1)).toBeGreaterThan(oldAndUnwanted);
  expect(virtualArrivalMs(1_000, 0, 1)).toBeLessThan(oldAndUnwanted);
});
