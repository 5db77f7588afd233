import { expect, test } from 'vitest';
import { createThrottle } from '../../src/remote/throttle.ts';
import { leapingClock, never, realClock } from './wire.ts';

test('over any stretch no more than the rate passes, save one slice', async () => {
  const clock = leapingClock();
  const throttle = createThrottle(10_000, clock);
  const startMs = clock.monotonicMs();
  for (let sent = 0; sent < 100_000; sent += throttle.sliceBytes) {
    await throttle.take(throttle.sliceBytes, never);
    const elapsedSeconds = (clock.monotonicMs() - startMs) / 1000;
    expect(sent).toBeLessThanOrEqual(elapsedSeconds * 10_000 + 1);
  }
  expect(clock.monotonicMs() - startMs).toBeLessThanOrEqual(10_000);
});

test('time in which nothing was sent is not saved up', async () => {
  const clock = leapingClock();
  const throttle = createThrottle(1_000, clock);
  await throttle.take(1_000, never);
  await clock.sleep(60_000);
  clock.slept.length = 0;
  await throttle.take(500, never);
  await throttle.take(500, never);
  await throttle.take(500, never);
  expect(clock.slept).toEqual([500, 500]);
});

test('whoever gives up waiting gets the reason', async () => {
  const throttle = createThrottle(1, realClock);
  const stop = new AbortController();
  await throttle.take(1_000, never);
  const waiting = throttle.take(1, stop.signal);
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(throttle.take(1, stop.signal)).rejects.toThrow('enough');
});
