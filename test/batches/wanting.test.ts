import { describe, expect, test } from 'vitest';
import { BatchIndex } from '../../src/batches/batch-index.ts';
import { userOf } from '../../src/batches/in-use.ts';
import { reconcile } from '../../src/batches/reconcile.ts';
import { foldRecorded } from '../../src/batches/wanting.ts';
import type { WantingInput } from '../../src/batches/wanting.ts';
import { NO_BATCH_MEMORY } from '../../src/contract/batch.ts';
import type { BatchRecord, Mirrored, PathRecorded } from '../../src/contract/batch.ts';
import { DEFAULT_BATCH_SETTINGS } from '../../src/contract/batch-settings.ts';
import type { BatchSettings } from '../../src/contract/batch-settings.ts';
import { NOW, batchOf, recordOf } from './record-sample.ts';

const A = 'batch/a.jsonl';
const B = 'batch/b.jsonl';
const file = (id: string, sha256: string): Mirrored => ({ id, purpose: 'batch', sha256 });
const ON = { ...DEFAULT_BATCH_SETTINGS, submitFolders: new Set(['batch']) };

function inputOf(
  records: Readonly<Record<string, BatchRecord>>,
  settings: Partial<BatchSettings> = {},
): WantingInput {
  const index = new BatchIndex(new Map(Object.entries(records)));
  let next = 1;
  return { index, settings: { ...ON, ...settings }, now: NOW, newId: () => `new${next++}` };
}

const told = (
  path: string,
  before: Mirrored | null,
  after: Mirrored | null,
  why: PathRecorded['why'] = 'uploaded',
): PathRecorded => ({ path, before, after, why });

const fold = (
  records: Readonly<Record<string, BatchRecord>>,
  events: readonly PathRecorded[],
  settings: Partial<BatchSettings> = {},
) => foldRecorded(events, inputOf(records, settings));

const open = (changes: Partial<BatchRecord> = {}): BatchRecord =>
  recordOf({ state: 'open', batch: batchOf(), foundBy: 'reply', ...changes });
const done = (changes: Partial<BatchRecord> = {}): BatchRecord =>
  open({
    state: 'done',
    cleaned: true,
    results: { output: 'o', errors: null, summary: 's', lines: { answered: 10, failed: 0, missing: 0 } },
    ...changes,
  });

describe('what is wanted', () => {
  test('a new file of a folder that submits', () => {
    const patch = fold({}, [told(A, null, file('file-a', 'sha-a'))]);
    expect(patch).toMatchObject({
      new1: { path: A, sha256: 'sha-a', inputFileId: 'file-a', state: 'wanted', byHand: false },
    });
  });

  test('changed bytes, and the old version is no longer wanted', () => {
    const patch = fold({ s1: recordOf() }, [
      told(A, file('file-a', 'sha-a'), file('file-b', 'sha-b'), 'replaced'),
    ]);
    expect(patch).toMatchObject({ s1: null, new1: { sha256: 'sha-b' } });
  });

  test.each([
    [
      'a renewed upload of the same bytes',
      { s1: done() },
      told(A, file('file-a', 'sha-a'), file('file-2', 'sha-a')),
    ],
    ['a restored upload', { s1: open() }, told(A, null, file('file-2', 'sha-a'))],
    [
      'a file that is dropped again, whose answers are here',
      { s1: done() },
      told(A, null, file('file-9', 'sha-a')),
    ],
    [
      'a version that failed validation',
      { s1: done({ state: 'failed' }) },
      told(A, null, file('file-9', 'sha-a')),
    ],
    ['an adopted id', {}, told(A, null, file('file-a', 'sha-a'), 'adopted')],
    [
      'a renewed file that was there before submitting was switched on',
      {},
      told(A, file('file-a', 'sha-a'), file('file-b', 'sha-a')),
    ],
    ['a file of another folder', {}, told('quiet/a.jsonl', null, file('file-a', 'sha-a'))],
    ['a file of another purpose', {}, told(A, null, { id: 'file-a', purpose: 'user_data', sha256: 'sha-a' })],
  ] as const)('nothing new: %s', (_title, records, event) => {
    const patch = fold(records, [event]);
    expect(Object.keys(patch).filter((id) => id.startsWith('new'))).toEqual([]);
  });

  test('a renewed upload hands its id to what was not sent yet, and to what the API never began', () => {
    const event = told(A, file('file-a', 'sha-a'), file('file-2', 'sha-a'));
    expect(fold({ s1: recordOf() }, [event])).toMatchObject({ s1: { inputFileId: 'file-2' } });
    const failed = recordOf({ state: 'failed', problem: 'the API cannot find its input', cleaned: true });
    expect(fold({ s1: failed }, [event])).toMatchObject({
      s1: { state: 'wanted', inputFileId: 'file-2', problem: null },
    });
    expect(fold({ s1: recordOf({ state: 'submitting' }) }, [event])).toEqual({});
  });

  test('a rename takes all its submissions along', () => {
    const events = [
      told(A, file('file-a', 'sha-a'), null, 'moved'),
      told(B, null, file('file-a', 'sha-a'), 'moved'),
    ];
    const retry = open({ generation: 1, of: 's1', sha256: 'sha-retry', inputFileId: 'file-retry' });
    const patch = fold({ s1: done({ state: 'superseded' }), s2: retry }, events);
    expect(patch).toMatchObject({ s1: { path: B }, s2: { path: B } });
    expect(Object.keys(patch)).toEqual(['s1', 's2']);
  });

  test('two files that change places take theirs along', () => {
    const events = [
      told(A, file('file-a', 'sha-a'), file('file-b', 'sha-b'), 'moved'),
      told(B, file('file-b', 'sha-b'), file('file-a', 'sha-a'), 'moved'),
    ];
    const other = open({
      path: B,
      sha256: 'sha-b',
      inputFileId: 'file-b',
      batch: batchOf({ id: 'batch_2', inputFileId: 'file-b' }),
    });
    expect(fold({ s1: open(), s2: other }, events, { onChange: 'cancel', onRemove: 'cancel' })).toMatchObject(
      {
        s1: { path: B, wish: null },
        s2: { path: A, wish: null },
      },
    );
  });

  test('a removed file is no longer wanted; what runs goes on, or is cancelled when that is configured', () => {
    const event = told(A, file('file-a', 'sha-a'), null, 'deleted');
    expect(fold({ s1: recordOf() }, [event])).toEqual({ s1: null });
    expect(fold({ s1: open() }, [event])).toEqual({});
    expect(fold({ s1: open() }, [event], { onRemove: 'cancel' })).toMatchObject({ s1: { wish: 'cancel' } });
    expect(fold({ s1: recordOf({ state: 'submitting' }) }, [event], { onRemove: 'cancel' })).toMatchObject({
      s1: { wish: 'cancel' },
    });
  });

  test('a file that changes while its batch runs: it goes on, or is cancelled; the new version is wanted either way', () => {
    const event = told(A, file('file-a', 'sha-a'), file('file-b', 'sha-b'), 'replaced');
    expect(fold({ s1: open() }, [event])).toMatchObject({ new1: { sha256: 'sha-b' } });
    expect(fold({ s1: open() }, [event], { onChange: 'cancel' })).toMatchObject({
      s1: { wish: 'cancel' },
      new1: {},
    });
  });
});

describe('at a start', () => {
  const files = new Map([[A, file('file-a', 'sha-a')]]);
  const wasOn = { ...NO_BATCH_MEMORY, submitFolders: ['batch'] };

  test('what was there when submitting was switched on is left alone', () => {
    const { records, memory } = reconcile(files, NO_BATCH_MEMORY, inputOf({}));
    expect(records).toMatchObject({ new1: { path: A, leftAlone: true, state: 'wanted' } });
    expect(memory.submitFolders).toEqual(['batch']);
  });

  test('so is what waited when it was switched off and on again', () => {
    expect(reconcile(files, NO_BATCH_MEMORY, inputOf({ s1: recordOf() })).records).toMatchObject({
      s1: { leftAlone: true },
    });
  });

  test('what was recorded while nobody heard it is wanted', () => {
    expect(reconcile(files, wasOn, inputOf({})).records).toMatchObject({
      new1: { path: A, leftAlone: false },
    });
  });

  test('a rename that nobody heard is a rename, also when the upload was renewed before', () => {
    const moved = new Map([[B, file('file-9', 'sha-a')]]);
    expect(reconcile(moved, wasOn, inputOf({ s1: done() })).records).toMatchObject({ s1: { path: B } });
  });

  test('a removal that nobody heard is one', () => {
    expect(reconcile(new Map(), wasOn, inputOf({ s1: recordOf() })).records).toEqual({ s1: null });
  });

  test('done twice it changes nothing more', () => {
    const { records } = reconcile(files, wasOn, inputOf({}));
    expect(reconcile(files, wasOn, inputOf(records as Record<string, BatchRecord>)).records).toEqual({});
  });
});

describe('who uses an id', () => {
  const userIn = (records: Readonly<Record<string, BatchRecord>>, id = 'file-a') =>
    userOf(id, inputOf(records).index);

  test.each([
    ['wanted', recordOf(), true],
    ['submitting', recordOf({ state: 'submitting' }), true],
    ['open', open(), true],
    ['settled', open({ state: 'settled' }), true],
    ['done', done(), false],
    ['over, with its results still to be written', open({ state: 'unavailable' }), true],
    ['left alone', recordOf({ leftAlone: true }), false],
  ])('the input of what is %s', (_title, record, expected) => {
    expect(userIn({ s1: record }) !== null).toBe(expected);
  });

  test('the input and the retried lines, until the last generation is at rest', () => {
    const first = done({ state: 'superseded', results: null });
    const retry = open({
      generation: 1,
      of: 's1',
      sha256: 'r',
      inputFileId: 'file-r',
      batch: batchOf({ inputFileId: 'file-r' }),
    });
    for (const id of ['file-a', 'file-r']) expect(userIn({ s1: first, s2: retry }, id)).toContain('batch_1');
    expect(userIn({ s1: first, s2: { ...retry, ...done(), generation: 1, of: 's1' } })).toBeNull();
  });

  test('the id that the batch has, when the file was uploaded anew since', () => {
    expect(userIn({ s1: open({ inputFileId: 'file-new' }) }, 'file-a')).not.toBeNull();
    expect(userIn({ s1: open() }, 'file-x')).toBeNull();
  });
});
