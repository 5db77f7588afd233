import { expect, test } from 'vitest';
import { lookTimesMs } from '../../src/mirror/look-times.ts';

test.each([
  { lookMs: 0, times: [0] },
  { lookMs: 1_500, times: [0, 1_500] },
  { lookMs: 10_000, times: [0, 2_000, 8_000, 10_000] },
  { lookMs: 300_000, times: [0, 2_000, 8_000, 32_000, 128_000, 300_000] },
])('over $lookMs ms: looks at $times', ({ lookMs, times }) => {
  expect(lookTimesMs(lookMs)).toEqual(times);
});
