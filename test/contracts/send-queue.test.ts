import { describe, expect, test } from 'vitest';
import { LANES } from '../../src/contract/ports.ts';
import { SimClock } from '../support/sim/sim-clock.ts';
import { Incarnation } from '../support/sim/sim-process.ts';
import { StepClock } from './step-clock.ts';
import { Traffic, type Bench, type Limits } from './traffic.ts';

function steppedBench(): Bench {
  const clock = new StepClock();
  return { clock, pass: (ms) => clock.pass(ms) };
}

function simulatedBench(): Bench {
  const clock = new SimClock({ wallStartMs: 1_760_000_000_000, maxSteps: 100_000 });
  const process = new Incarnation({ number: 1, clock, killAtCall: null, onKill: () => {} });
  return { clock: process.clock, pass: (ms) => clock.runFor(ms) };
}

const LARGE_BYTES = 1_000_000_000;

function sendQueueContract(bench: () => Bench): void {
  const traffic = (limits?: Limits): Traffic => new Traffic(bench(), limits);

  describe.each(LANES)('the %s lane', (lane) => {
    test('gives what the attempt gives, and throws what it throws', async () => {
      const on = traffic();
      const granted = on.send('a', { lane });
      const failed = on.send('b', { lane }).catch((error: unknown) => error);
      await on.pass(0);
      await on.end('a');
      await on.fail('b', new Error('no route'));
      expect(await granted).toBe('a is done');
      expect(await failed).toEqual(new Error('no route'));
    });

    test('runs as many at a time as it has places, the next when one ended, however it ended', async () => {
      const on = traffic();
      void on.send('a', { lane }).catch(() => {});
      await on.sendAll(['b', 'c', 'd'], { lane });
      expect(on.started).toEqual(['a', 'b']);
      await on.fail('a', new Error('refused'));
      expect(on.started).toEqual(['a', 'b', 'c']);
      await on.end('c');
      expect(on.started).toEqual(['a', 'b', 'c', 'd']);
    });

    test('starts nothing while it is held, lets what runs end, and leaves the other lanes alone', async () => {
      const on = traffic();
      const others = LANES.filter((each) => each !== lane);
      const running = on.send('running', { lane });
      await on.pass(0);
      on.queue.hold(lane, 'auth', 'the key is refused', null);
      await on.sendAll(['held'], { lane });
      for (const other of others) await on.sendAll([other], { lane: other });
      await on.end('running');
      expect(await running).toBe('running is done');
      await on.pass(3_600_000);
      expect(on.started).toEqual(['running', ...others]);
      on.queue.release(lane, 'auth');
      await on.pass(0);
      expect(on.started).toEqual(['running', ...others, 'held']);
    });

    test('is not started by the end of the attempt that held it', async () => {
      const on = traffic({ uploads: 1, deletes: 1, questions: 1 });
      void on.send('limited', { lane }).catch(() => {});
      await on.sendAll(['next'], { lane });
      on.queue.hold(lane, 'retry-after', '429', 5_000);
      await on.fail('limited', new Error('429'));
      await on.pass(4_900);
      expect(on.started).toEqual(['limited']);
      await on.pass(200);
      expect(on.started).toEqual(['limited', 'next']);
    });

    test('waits until the last of its holds is over', async () => {
      const on = traffic();
      on.queue.hold(lane, 'retry-after', '429', 10_000);
      on.queue.hold(lane, 'backoff', '500', 20_000);
      on.queue.hold(lane, 'paused', 'by a person', null);
      await on.sendAll(['a'], { lane });
      on.queue.release(lane, 'paused');
      on.queue.release(lane, 'nobody knows this one');
      await on.pass(19_900);
      expect(on.started).toEqual([]);
      await on.pass(200);
      expect(on.started).toEqual(['a']);
    });

    test.each([{ againMs: 20_000 }, { againMs: 1_000 }, { againMs: null }])(
      'forgets a hold of 10 s when the same is held again for $againMs ms',
      async ({ againMs }) => {
        const on = traffic();
        on.queue.hold(lane, 'backoff', 'first', 10_000);
        on.queue.hold(lane, 'backoff', 'second', againMs);
        await on.sendAll(['a'], { lane });
        await on.pass((againMs ?? 86_400_000) - 100);
        expect(on.started).toEqual([]);
        expect(on.queue.holds(lane)).toMatchObject([{ name: 'backoff', why: 'second' }]);
        if (againMs === null) on.queue.release(lane, 'backoff');
        await on.pass(200);
        expect(on.started).toEqual(['a']);
        expect(on.queue.holds(lane)).toEqual([]);
      },
    );

    test('says what holds it, and for how long yet', async () => {
      const on = traffic();
      on.queue.hold(lane, 'quota', 'the quota is exceeded', null);
      on.queue.hold(lane, 'retry-after', '429', 10_000);
      await on.pass(4_000);
      const [quota, retryAfter] = on.queue.holds(lane);
      expect(quota).toEqual({ name: 'quota', why: 'the quota is exceeded', remainingMs: null });
      expect(retryAfter).toMatchObject({ name: 'retry-after', why: '429' });
      expect(Math.round((retryAfter?.remainingMs ?? 0) / 10)).toBe(600);
    });

    test('probes with one at a time, when what ran before has ended, also after a hold', async () => {
      const on = traffic({ uploads: 3, deletes: 3, questions: 3 });
      await on.sendAll(['a', 'b'], { lane });
      on.queue.setProbing(lane, true);
      on.queue.hold(lane, 'backoff', '500', 1_000);
      await on.sendAll(['c', 'd', 'e'], { lane });
      await on.pass(2_000);
      await on.end('a');
      expect(on.started).toEqual(['a', 'b']);
      await on.end('b');
      expect(on.started).toEqual(['a', 'b', 'c']);
      on.queue.setProbing(lane, false);
      await on.pass(0);
      expect(on.started).toEqual(['a', 'b', 'c', 'd', 'e']);
    });

    test('lets go at once of who gives up waiting, never starts that one, and does not give up for others', async () => {
      const on = traffic({ uploads: 1, deletes: 1, questions: 1 });
      const stop = new AbortController();
      const reason = new Error('the file changed');
      await on.sendAll(['running'], { lane });
      const given = ['x', 'y'].map((name) => on.send(name, { lane, signal: stop.signal }));
      const answers = Promise.allSettled(given);
      await on.sendAll(['next'], { lane });
      stop.abort(reason);
      expect(await answers).toEqual(given.map(() => ({ status: 'rejected', reason })));
      await expect(on.send('late', { lane, signal: stop.signal })).rejects.toBe(reason);
      await on.end('running');
      expect(on.started).toEqual(['running', 'next']);
    });

    test('leaves an attempt that runs to its own signal', async () => {
      const on = traffic();
      const stop = new AbortController();
      const running = on.send('a', { lane, signal: stop.signal });
      await on.pass(0);
      stop.abort(new Error('stopping'));
      await on.end('a');
      expect(await running).toBe('a is done');
    });
  });

  describe('the window of 60 s', () => {
    test('has a unit for each attempt, until 60 s after that ended, and starts the next by itself', async () => {
      const on = traffic({ uploadsPerMinute: 2, uploads: 8 });
      await on.sendAll(['a', 'b', 'c', 'd']);
      await on.pass(180_000);
      expect(on.started).toEqual(['a', 'b']);
      await on.end('b');
      await on.pass(59_900);
      expect(on.started).toEqual(['a', 'b']);
      await on.pass(200);
      expect(on.started).toEqual(['a', 'b', 'c']);
      await on.end('a', 'c');
      await on.pass(60_100);
      expect(on.started).toEqual(['a', 'b', 'c', 'd']);
    });

    test('goes to the higher priority when a unit comes back', async () => {
      const on = traffic({ uploadsPerMinute: 1, uploads: 8 });
      await on.sendAll(['first', 'waiting']);
      await on.sendAll(['urgent'], { priority: 10 });
      await on.end('first');
      await on.pass(60_100);
      expect(on.started).toEqual(['first', 'urgent']);
    });

    test('counts an attempt that failed after it had begun to send', async () => {
      const on = traffic({ uploadsPerMinute: 1 });
      void on.send('a').catch(() => {});
      await on.sendAll(['b']);
      await on.fail('a', new Error('500'));
      await on.pass(59_900);
      expect(on.started).toEqual(['a']);
      await on.pass(200);
      expect(on.started).toEqual(['a', 'b']);
    });

    test('loses nothing to who sent nothing, or gave up waiting', async () => {
      const on = traffic({ uploadsPerMinute: 1, uploads: 1 });
      const stop = new AbortController();
      void on.send('unsent', { sends: false }).catch(() => {});
      void on.send('given up', { signal: stop.signal }).catch(() => {});
      await on.sendAll(['b']);
      stop.abort();
      await on.fail('unsent', new Error('the file has moved'));
      expect(on.started).toEqual(['unsent', 'b']);
    });

    test('counts the attempts of earlier runs, also those that a clock set back puts in the future', async () => {
      const world = bench();
      const nowMs = world.clock.wallMs();
      const recentAttemptsMs = [nowMs - 20_000, nowMs + 3_600_000, nowMs - 61_000];
      const on = new Traffic(world, { uploadsPerMinute: 2, uploads: 8, recentAttemptsMs });
      await on.sendAll(['a', 'b']);
      await on.pass(39_900);
      expect(on.started).toEqual([]);
      await on.pass(200);
      expect(on.started).toEqual(['a']);
      await on.pass(19_800);
      expect(on.started).toEqual(['a']);
      await on.pass(200);
      expect(on.started).toEqual(['a', 'b']);
    });

    test('does not run out for deletes and questions, nor where there is none', async () => {
      const on = traffic({ uploadsPerMinute: 1, uploads: 8, deletes: 8, questions: 8 });
      await on.sendAll(['a', 'b', 'c'], { lane: 'delete' });
      await on.sendAll(['d', 'e', 'f'], { lane: 'ask' });
      expect(on.started).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
      const free = traffic({ uploadsPerMinute: null, uploads: 8 });
      for (let turn = 0; turn < 50; turn += 1) {
        await free.sendAll([`${turn}`]);
        await free.end(`${turn}`);
      }
      expect(free.started).toHaveLength(50);
      expect(free.queue.uploadWindow().limit).toBeNull();
    });

    test('says how it stands', async () => {
      const on = traffic({ uploadsPerMinute: 3, uploads: 2 });
      const stop = new AbortController();
      void on.send('given up', { signal: stop.signal, priority: -1 }).catch(() => {});
      await on.sendAll(['a', 'b', 'c', 'd']);
      await on.end('given up');
      expect(on.queue.uploadWindow()).toEqual({ inWindow: 3, limit: 3, waiting: 2, running: 2 });
    });

    test('counts nobody as waiting who gave up', async () => {
      const on = traffic();
      const stop = new AbortController();
      on.queue.hold('upload', 'paused', 'by a person', null);
      void on.send('given up', { signal: stop.signal }).catch(() => {});
      await on.sendAll(['a']);
      expect(on.queue.uploadWindow()).toMatchObject({ waiting: 2, running: 0, inWindow: 0 });
      stop.abort();
      await on.pass(0);
      expect(on.queue.uploadWindow()).toMatchObject({ waiting: 1, running: 0, inWindow: 0 });
    });
  });

  describe('whose turn it is', () => {
    /** The order in which a lane of one place starts these. */
    async function orderOf(on: Traffic): Promise<readonly string[]> {
      on.queue.release('upload', 'gathering');
      await on.pass(0);
      for (let ended = 0; ended < on.started.length; ended += 1) await on.end(on.started[ended] ?? '');
      return on.started;
    }

    function gathering(): Traffic {
      const on = traffic({ uploads: 1 });
      on.queue.hold('upload', 'gathering', 'the test is not ready', null);
      return on;
    }

    test('is that of the higher priority, then of who came first', async () => {
      const on = gathering();
      for (const [name, priority] of Object.entries({ a: 0, b: 10, c: -10, d: 10, e: 0 })) {
        await on.sendAll([name], { priority });
        await on.pass(1_000);
      }
      expect(await orderOf(on)).toEqual(['b', 'd', 'a', 'e', 'c']);
    });

    test('comes for everybody: who has waited long enough goes before newcomers, whatever their priority and size', async () => {
      const on = gathering();
      await on.sendAll(['old and low'], { priority: -10 });
      await on.sendAll(['old and large'], { sizeBytes: LARGE_BYTES });
      await on.pass(7 * 86_400_000);
      await on.sendAll(['new and high'], { priority: 100 });
      await on.sendAll(['new and small']);
      expect((await orderOf(on)).slice(0, 2).toSorted()).toEqual(['old and large', 'old and low']);
    });

    test.each([2, 3, 8])(
      'never gives all of %i places to large files, and leaves none empty',
      async (uploads) => {
        const on = traffic({ uploads });
        const large = Array.from({ length: 20 }, (_, index) => `large ${index}`);
        const small = Array.from({ length: 20 }, (_, index) => `small ${index}`);
        await on.sendAll(large, { sizeBytes: LARGE_BYTES, priority: 100 });
        expect(on.started.length).toBeGreaterThan(0);
        expect(on.started.length).toBeLessThan(uploads);
        await on.sendAll(small, { priority: -100 });
        expect(on.started).toHaveLength(uploads);
        expect(on.started).toContain('small 0');
        await on.end('small 0');
        expect(on.started.at(-1)).toMatch('small');
        // A large one comes as soon as the other has left, before all small ones but one.
        await on.end('large 0');
        await on.end('small 1');
        expect(on.started.slice(-2).join()).toMatch('large');
      },
    );

    test('comes for a large file also where there is one place, or one probe', async () => {
      const one = traffic({ uploads: 1 });
      await one.sendAll(['large'], { sizeBytes: LARGE_BYTES });
      expect(one.started).toEqual(['large']);
      const probing = traffic({ uploads: 4 });
      probing.queue.setProbing('upload', true);
      await probing.sendAll(['large'], { sizeBytes: LARGE_BYTES });
      expect(probing.started).toEqual(['large']);
    });
  });

  test('a failure waits for a random time between 100 ms and 0.5 s, doubled by each before it, up to 5 min', () => {
    for (const failures of [1, 2, 3, 5, 10, 11, 50, 1e9]) {
      const boundMs = Math.min(300_000, 500 * 2 ** (failures - 1));
      const backoffMs = [0, 0.25, 0.5, 0.75, 0.999].map((drawn) =>
        traffic({ random: () => drawn }).queue.backoffMs(failures),
      );
      expect(backoffMs[0]).toBe(100);
      expect(backoffMs.toSorted((a, b) => a - b)).toEqual(backoffMs);
      expect(backoffMs.at(-1)).toBeGreaterThan(boundMs * 0.9);
      expect(backoffMs.at(-1)).toBeLessThanOrEqual(boundMs);
    }
  });
}

describe('a send queue by a clock like the real one', () => {
  sendQueueContract(steppedBench);
});

describe('a send queue by the clock of the simulation', () => {
  sendQueueContract(simulatedBench);
});
