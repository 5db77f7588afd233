import { expect, test } from 'vitest';
import { searchTimesMs, searchedMs } from '../../src/mirror/judge/lost-upload.ts';

test.each([
  { lookMs: 0, times: [0] },
  { lookMs: 1_500, times: [0, 1_500] },
  { lookMs: 10_000, times: [0, 2_000, 8_000, 10_000] },
  { lookMs: 300_000, times: [0, 2_000, 8_000, 32_000, 128_000, 300_000] },
])('over $lookMs ms: looks at $times', ({ lookMs, times }) => {
  expect(searchTimesMs(lookMs)).toEqual(times);
});

test.each([
  { what: 'not looked for yet', sinceMs: null, nowMs: 500_000, over: 0 },
  { what: 'the server does not tell its time', sinceMs: 100_000, nowMs: null, over: 0 },
  { what: 'what an earlier run has spent, less a minute', sinceMs: 100_000, nowMs: 400_000, over: 240_000 },
  { what: 'a clock behind', sinceMs: 100_000, nowMs: 90_000, over: 0 },
])('of a search that a restart broke off: $what', ({ sinceMs, nowMs, over }) => {
  expect(searchedMs(sinceMs, nowMs)).toBe(over);
});
