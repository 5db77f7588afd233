import { describe, expect, test } from 'vitest';
import { forgetRejections, isServersWord, rejectedAt } from '../../src/mirror/judge/retry.ts';
import type { Change, Rejection } from '../../src/contract/types.ts';

const rejection = (rule: string): Rejection => ({
  stat: '1 1 1 1 1',
  purpose: 'batch',
  rulesKey: 'k',
  rule,
  message: 'm',
  at: 1,
});

test.each([
  ['server-400', true],
  ['server-422', true],
  ['auth', true],
  ['expiry-ignored', true],
  ['batch-line', false],
  ['empty', false],
  ['too-large', false],
])('a rejection by the rule %s is the server’s word: %s', (rule, is) => {
  expect(isServersWord({ rule })).toBe(is);
});

describe('what is tried again', () => {
  const rejected = new Map([
    ['batch/a.jsonl', rejection('server-400')],
    ['batch/b/c.jsonl', rejection('batch-line')],
    ['batch/bc.jsonl', rejection('auth')],
    ['evals/d.jsonl', rejection('empty')],
  ]);

  test.each([
    {
      what: 'nothing named: what the server refused',
      wanted: null,
      found: ['batch/a.jsonl', 'batch/bc.jsonl'],
    },
    { what: 'a file: whoever refused it', wanted: ['evals/d.jsonl'], found: ['evals/d.jsonl'] },
    { what: 'a folder: what is below it, not beside it', wanted: ['batch/b'], found: ['batch/b/c.jsonl'] },
    { what: 'what is not rejected: nothing', wanted: ['batch/none', 'vision'], found: [] },
  ])('$what', ({ wanted, found }) => {
    expect(rejectedAt({ rejected }, wanted)).toEqual(found);
  });

  test('very many are forgotten in records that are not too long', async () => {
    const many = new Map(Array.from({ length: 25_001 }, (_, index) => [`batch/${index}`, rejection('auth')]));
    const sizes: number[] = [];
    const commit = async ({ rejected: gone = {} }: Change): Promise<void> =>
      void sizes.push(Object.keys(gone).length);
    expect(await forgetRejections({ rejected: many, garbage: new Map() }, commit, null)).toHaveLength(25_001);
    expect(sizes).toEqual([10_000, 10_000, 5_001]);
  });

  test('nothing to forget is no record', async () => {
    const commit = (): Promise<void> => Promise.reject(new Error('a record'));
    expect(await forgetRejections({ rejected, garbage: new Map() }, commit, ['vision'])).toEqual([]);
  });
});
