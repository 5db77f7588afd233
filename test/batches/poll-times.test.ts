import { describe, expect, test } from 'vitest';
import {
  growingPauseMs,
  pagesFor,
  pollAfterMs,
  singlesOf,
  slownessAfter,
  sweepAfterMs,
} from '../../src/batches/poll-times.ts';

const PACE = { pollSeconds: null, slowness: 1 };
const MINUTE = 60_000;

describe('when a batch is asked for again', () => {
  test.each([
    ['while it validates', 'validating', 0, 15_000],
    ['when it validates for long', 'validating', 11 * MINUTE, 66_000],
    ['while it runs', 'running', 0, 60_000],
    ['when it is half an hour old', 'running', 30 * MINUTE, 180_000],
    ['when it is old', 'running', 600 * MINUTE, 600_000],
    ['when nobody knows what it does', 'unknown', 0, 60_000],
  ] as const)('%s', (_title, said, ageMs, expected) => {
    expect(pollAfterMs({ said, ageMs }, PACE)).toBe(expected);
  });

  test('a fixed pace is kept, but for 429', () => {
    const fixed = { pollSeconds: 5, slowness: 1 };
    expect(pollAfterMs({ said: 'running', ageMs: 600 * MINUTE }, fixed)).toBe(5_000);
    expect(pollAfterMs({ said: 'running', ageMs: 0 }, { ...fixed, slowness: 4 })).toBe(20_000);
  });

  test('each 429 makes it slower, each answer faster again', () => {
    expect([1, 2, 4, 8].map((slowness) => slownessAfter(slowness, true))).toEqual([2, 4, 8, 8]);
    expect([8, 2, 1].map((slowness) => slownessAfter(slowness, false))).toEqual([4, 1, 1]);
  });

  test('many requests are spread', () => {
    expect(sweepAfterMs(1, false, PACE)).toBe(0);
    expect(sweepAfterMs(3, false, PACE)).toBe(180_000);
    expect(sweepAfterMs(300, false, PACE)).toBe(600_000);
  });

  test('one batch is asked for by itself, a page serves a hundred', () => {
    expect([0, 1, 2, 100, 101, 300].map(pagesFor)).toEqual([0, 0, 1, 1, 2, 3]);
  });

  test('of those that no page reached, who waited longest goes first', () => {
    expect(singlesOf([1, 3, 2], (one) => one)).toEqual([3, 2, 1]);
    expect(
      singlesOf(
        Array.from({ length: 80 }, (_, index) => index),
        (one) => one,
      ),
    ).toHaveLength(50);
  });

  test('pauses grow to their longest and stay there', () => {
    expect([1, 2, 3, 9, 99].map((n) => growingPauseMs(n, 60_000, 3_600_000))).toEqual([
      60_000, 120_000, 240_000, 3_600_000, 3_600_000,
    ]);
  });
});
