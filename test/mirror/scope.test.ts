import { describe, expect, test } from 'vitest';
import { foreignScope } from '../../src/mirror/acts/ask-scope.ts';
import { judgeScope, witnessesOf } from '../../src/mirror/judge/scope.ts';
import type { Entry, Garbage } from '../../src/contract/types.ts';

const NOW = 10_000;

describe('are the recorded ids of this project?', () => {
  test.each([
    { what: 'one is known', hasChanged: true, known: 1, unknown: 4, undecided: 0, verdict: 'trusted' },
    { what: 'nothing is recorded', hasChanged: true, known: 0, unknown: 0, undecided: 0, verdict: 'trusted' },
    {
      what: 'another key, and the only one is unknown',
      hasChanged: true,
      known: 0,
      unknown: 1,
      undecided: 0,
      verdict: 'foreign',
    },
    {
      what: 'another key, and it is too new to be shown',
      hasChanged: true,
      known: 0,
      unknown: 0,
      undecided: 1,
      verdict: 'unsure',
    },
    {
      what: 'another key, an old one unknown, a new one not shown',
      hasChanged: true,
      known: 0,
      unknown: 1,
      undecided: 1,
      verdict: 'foreign',
    },
    {
      what: 'the same key, two unknown: others may delete',
      hasChanged: false,
      known: 0,
      unknown: 2,
      undecided: 0,
      verdict: 'trusted',
    },
    {
      what: 'the same key, three of three unknown',
      hasChanged: false,
      known: 0,
      unknown: 3,
      undecided: 0,
      verdict: 'foreign',
    },
    {
      what: 'the same key, most unknown, one known',
      hasChanged: false,
      known: 1,
      unknown: 4,
      undecided: 0,
      verdict: 'trusted',
    },
    {
      what: 'the same key, and they are too new',
      hasChanged: false,
      known: 0,
      unknown: 0,
      undecided: 3,
      verdict: 'trusted',
    },
  ] as const)('$what: $verdict', ({ verdict, what: _what, ...evidence }) => {
    expect(judgeScope(evidence)).toBe(verdict);
  });
});

describe('the ids to look up', () => {
  const entry = (id: string, createdAt: number, expiresAt: number | null = null): Entry => ({
    id,
    purpose: 'batch',
    remoteName: 'a',
    bytes: 1,
    sha256: 'aa',
    stat: '1 1 1 1 1',
    uploadedAt: createdAt,
    createdAt,
    expiresAt,
  });
  const condemned = (hold: boolean): Garbage => ({
    path: 'batch/a',
    purpose: 'batch',
    bytes: 1,
    since: 1,
    reason: 'deleted',
    hold,
  });
  const view = (entries: readonly Entry[], garbage: readonly (readonly [string, Garbage])[] = []) => ({
    files: new Map(entries.map((each) => [each.id, each])),
    garbage: new Map(garbage),
  });

  test('are few, and spread over all that is recorded', () => {
    const many = Array.from({ length: 101 }, (_, index) => entry(`file-${index}`, 1));
    expect(witnessesOf(view(many), NOW).map(({ id }) => id)).toEqual([
      'file-0',
      'file-25',
      'file-50',
      'file-75',
      'file-100',
    ]);
  });

  test('are none that has expired, or is about to', () => {
    const found = witnessesOf(
      view([entry('over', 1, NOW - 1), entry('soon', 1, NOW + 30), entry('fine', 1)]),
      NOW,
    );
    expect(found).toEqual([{ id: 'fine', mustExist: true }]);
  });

  test('that are too new to be shown prove nothing by being unknown', () => {
    expect(witnessesOf(view([entry('new', NOW - 5), entry('old', NOW - 3600)]), NOW)).toEqual([
      { id: 'old', mustExist: true },
      { id: 'new', mustExist: false },
    ]);
  });

  test('are those still to be deleted when there is nothing else, but none kept aside', () => {
    const garbage = [
      ['condemned', condemned(false)],
      ['aside', condemned(true)],
    ] as const;
    expect(witnessesOf(view([], garbage), NOW)).toEqual([{ id: 'condemned', mustExist: true }]);
    expect(witnessesOf(view([entry('old', 1)], garbage), NOW)).toEqual([{ id: 'old', mustExist: true }]);
  });
});

test('the cause names what changed', () => {
  expect(foreignScope(5, ['the key', 'the project']).message).toBe(
    'the API knows none of the 5 recorded ids that were looked up, and since they were recorded the key and the project changed: they are of another project',
  );
  expect(foreignScope(3, []).message).toContain('nothing changed here');
});
