import { describe, expect, test } from 'vitest';
import { momentOf, turnOf, type DeleteMoment, type DeleteTurn } from '../../src/mirror/judge/due-delete.ts';

/** Every situation there is. */
const MOMENTS: readonly DeleteMoment[] = Array.from({ length: 64 }, (_, bits) => ({
  graceOver: (bits & 1) !== 0,
  quiet: (bits & 2) !== 0,
  postponed: (bits & 4) !== 0,
  scanSoon: (bits & 8) !== 0,
  inDoubt: (bits & 16) !== 0,
  livesOn: (bits & 32) !== 0,
}));

/** The first row that fits decides; null fits anything. */
const TABLE: readonly (readonly [...(boolean | null)[], DeleteTurn])[] = [
  // grace over, quiet, postponed, scan soon, in doubt, lives on
  [null, null, null, null, null, true, 'lives-on'],
  [null, null, null, null, true, false, 'waits'],
  [null, null, null, true, false, false, 'waits'],
  [false, null, null, false, false, false, 'waits'],
  [true, false, false, false, false, false, 'waits'],
  [true, true, null, false, false, false, 'due'],
  [true, null, true, false, false, false, 'due'],
];

test.each(MOMENTS)('%o is as its row says', (moment) => {
  const facts = Object.values(moment);
  const row = TABLE.find((cells) => facts.every((fact, at) => cells[at] === null || cells[at] === fact));
  expect(turnOf(moment)).toBe(row?.at(-1));
});

describe('the moment of a delete', () => {
  const missing = { sinceMs: 1_000, inDoubt: false, livesOn: false };
  const at = (nowMs: number, graceMs: number, lastGrowthMs = 1_000) =>
    momentOf(missing, { nowMs, graceMs, lastGrowthMs, scanSoon: false });

  test('is quiet a second after the last file disappeared, or after a shorter grace period', () => {
    expect([at(1_999, 10_000).quiet, at(2_000, 10_000).quiet]).toEqual([false, true]);
    expect([at(1_499, 500).quiet, at(1_500, 500).quiet]).toEqual([false, true]);
    expect(at(1_000, 0).quiet).toBe(true);
  });

  test('has its grace period behind it, and is postponed for no longer than a minute after that', () => {
    expect([at(10_999, 10_000).graceOver, at(11_000, 10_000).graceOver]).toEqual([false, true]);
    expect([at(70_999, 10_000).postponed, at(71_000, 10_000).postponed]).toEqual([false, true]);
  });
});
