import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { UploadWindow } from '../../src/queue/upload-window.ts';

test('no window of 60 s at the server ever holds more than the limit, wherever between start and end it sees an attempt', () => {
  const attempt = fc.record({
    gapMs: fc.integer({ min: 0, max: 9_000 }),
    tookMs: fc.integer({ min: 0, max: 90_000 }),
    seenAt: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(attempt, { minLength: 1, maxLength: 80 }),
      (limit, attempts) => {
        const window = new UploadWindow(limit, []);
        const ends: number[] = [];
        const seen: number[] = [];
        let now = 0;
        const endUpTo = (time: number): void => {
          ends.sort((a, b) => a - b);
          while (ends[0] !== undefined && ends[0] <= time) window.giveBack(ends.shift() ?? 0, true);
        };
        for (const { gapMs, tookMs, seenAt } of attempts) {
          now += gapMs;
          endUpTo(now);
          while (!window.allowsOne(now)) {
            const next = Math.min(
              window.nextFreeMs() ?? Number.POSITIVE_INFINITY,
              ends[0] ?? Number.POSITIVE_INFINITY,
            );
            now = Math.max(now + 1, next);
            endUpTo(now);
          }
          window.take();
          ends.push(now + tookMs);
          seen.push(now + seenAt * tookMs);
        }
        for (const from of seen) {
          expect(seen.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(limit);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('attempts of an earlier run count until their minute is over', () => {
  const window = new UploadWindow(2, [-30_000, -10_000]);
  expect(window.allowsOne(0)).toBe(false);
  expect(window.allowsOne(30_100)).toBe(true);
  window.take();
  expect(window.allowsOne(30_100)).toBe(false);
});

test('an attempt that never reached the network gives its unit back at once', () => {
  const window = new UploadWindow(1, []);
  window.take();
  window.giveBack(5, false);
  expect(window.allowsOne(5)).toBe(true);
});

test('attempts are forgotten when they no longer count, also without a limit', () => {
  const window = new UploadWindow(null, []);
  for (const endMs of [0, 100_000]) {
    window.take();
    window.giveBack(endMs, true);
  }
  expect(window.nextFreeMs()).toBeGreaterThan(160_000);
});
