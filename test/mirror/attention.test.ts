import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  groupProblems,
  leavesWork,
  needOf,
  needOfSkip,
  type Need,
  type Standing,
} from '../../src/contract/attention.ts';
import type { PathState, SkipReason } from '../../src/contract/types.ts';

test.each<[PathState, Need, 'done' | 'not done']>([
  ['synced', 'nothing', 'done'],
  ['ignored', 'nothing', 'done'],
  ['kept', 'nothing', 'done'],
  ['expired', 'nothing', 'done'],
  ['settling', 'time', 'done'],
  ['pending', 'time', 'done'],
  ['uploading', 'time', 'done'],
  ['deleting', 'time', 'done'],
  ['failed', 'time', 'not done'],
  ['skipped', 'person', 'not done'],
  ['held', 'person', 'not done'],
  ['rejected', 'person', 'not done'],
])('a pass that leaves a file %s needs: %s; it is %s', (state, needs, done) => {
  expect(needOf(state)).toBe(needs);
  expect(leavesWork({ state, needs })).toBe(done === 'not done');
});

test.each<[SkipReason, Need]>([
  ['unreadable', 'person'],
  ['not-utf8', 'person'],
  ['name', 'person'],
  ['symlink', 'nothing'],
  ['special', 'nothing'],
])('what is skipped as %s needs: %s', (reason, needs) => {
  expect(needOfSkip(reason)).toBe(needs);
});

describe('problems are shown', () => {
  const problems = (state: PathState, count: number, needs: Need = needOf(state)): Standing[] =>
    Array.from({ length: count }, () => ({ state, needs }));
  const shownOf = (items: readonly Standing[], limit: number): string[] => {
    const { groups, shown } = groupProblems(items, (item) => item, limit);
    return groups.map(
      ({ state, needs, count }) =>
        `${shown.filter((item) => item.state === state && item.needs === needs).length} of ${count} ${state} (${needs})`,
    );
  };

  test.each<[string, readonly Standing[], number, readonly string[]]>([
    ['none', [], 10, []],
    [
      'a person’s first, whatever came first',
      [
        ...problems('ignored', 1),
        ...problems('pending', 1),
        ...problems('held', 1),
        ...problems('rejected', 1),
      ],
      10,
      [
        '1 of 1 rejected (person)',
        '1 of 1 held (person)',
        '1 of 1 pending (time)',
        '1 of 1 ignored (nothing)',
      ],
    ],
    [
      'some of every group, however large another one is',
      [...problems('pending', 1_000), ...problems('rejected', 300)],
      100,
      ['50 of 300 rejected (person)', '50 of 1000 pending (time)'],
    ],
    [
      'more of a large group, where small ones leave room',
      [...problems('pending', 1_000), ...problems('rejected', 30)],
      100,
      ['30 of 30 rejected (person)', '70 of 1000 pending (time)'],
    ],
    [
      'apart, when one state has two needs',
      [...problems('skipped', 5, 'nothing'), ...problems('skipped', 2)],
      4,
      ['2 of 2 skipped (person)', '2 of 5 skipped (nothing)'],
    ],
  ])('%s', (_, items, limit, expected) => {
    expect(shownOf(items, limit)).toEqual(expected);
  });

  test('never more than there is room for, all if they fit, and every one is counted', () => {
    const anyStanding = fc.record({
      state: fc.constantFrom<PathState>('pending', 'held', 'skipped', 'rejected', 'ignored', 'failed'),
      needs: fc.constantFrom<Need>('person', 'time', 'nothing'),
    });
    fc.assert(
      fc.property(fc.array(anyStanding), fc.integer({ min: 0, max: 40 }), (items, limit) => {
        const { groups, shown } = groupProblems(items, (item) => item, limit);
        expect(shown.length).toBe(Math.min(items.length, limit));
        expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(items.length);
        const needs = shown.map((item) => ['person', 'time', 'nothing'].indexOf(item.needs));
        expect(needs).toEqual(needs.toSorted((a, b) => a - b));
      }),
    );
  });
});
