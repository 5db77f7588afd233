import { describe, expect, test } from 'vitest';
import { couldBe, doubtLines, holdsUp } from '../../src/mirror/judge/list-doubts.ts';
import type { ListDoubt } from '../../src/contract/ports.ts';
import type { RemoteFile } from '../../src/contract/types.ts';

const sent = { purpose: 'batch', remoteName: 'a.jsonl', bytes: 7 };

function said(fields: Partial<RemoteFile>): Omit<RemoteFile, 'id'> {
  return { bytes: null, createdAt: null, expiresAt: null, filename: null, purpose: null, ...fields };
}

function unreadable(fields: Partial<RemoteFile>, problem = '"id" is null'): ListDoubt {
  return { kind: 'unreadable', problem, file: said(fields) };
}

describe('a listed file could be the one that was sent', () => {
  test.each<[fields: Partial<RemoteFile>, could: boolean]>([
    [{ filename: 'a.jsonl', bytes: 7, purpose: 'batch' }, true],
    [{ filename: 'a.jsonl' }, true],
    [{ bytes: 7 }, true],
    [{ filename: 'a.jsonl', bytes: 8 }, false],
    [{ filename: 'b.jsonl', bytes: 7 }, false],
    [{ filename: 'a.jsonl', bytes: 7, purpose: 'evals' }, false],
    [{ purpose: 'batch' }, false],
    [{}, false],
  ])('%j: %s', (fields, could) => {
    expect(couldBe(said(fields), sent)).toBe(could);
  });
});

test('only what could be ours holds anything up, or a list that was cut short', () => {
  expect(holdsUp([], sent)).toBeNull();
  expect(holdsUp([unreadable({}), unreadable({ filename: 'other', bytes: 1 })], sent)).toBeNull();
  expect(holdsUp([unreadable({}), unreadable({ filename: 'a.jsonl' })], sent)).toContain('"id" is null');
  expect(holdsUp([{ kind: 'cut', why: 'more follows' }], sent)).toContain('more follows');
});

test('what cannot be read is counted, and named once with its field', () => {
  const odd = unreadable({}, 'an entry is null');
  expect(doubtLines([odd, unreadable({}), odd, { kind: 'cut', why: 'more follows' }])).toEqual([
    "the API's listing cannot be read to its end: more follows",
    "2 entries of the API's listing cannot be read and are left out: an entry is null",
    '1 entry of the API\'s listing cannot be read and is left out: "id" is null',
  ]);
});
