import { describe, expect, test } from 'vitest';
import { mayRetry, planBatch } from '../../src/batches/batch-plan.ts';
import type { Action, Collected } from '../../src/batches/batch-plan.ts';
import { LOST, afterSaid, hasEnded, promisesFiles, saidOf } from '../../src/batches/batch-status.ts';
import { BATCH_STATES, type BatchRecord, type RemoteBatch } from '../../src/contract/batch.ts';
import { batchOf, recordOf } from './record-sample.ts';

const QUEUE_FULL = batchOf({
  status: 'failed',
  problems: [{ code: 'token_limit_exceeded', message: 'Enqueued token limit', line: null, param: null }],
});
const SAID: readonly (RemoteBatch | null)[] = [
  null,
  ...[
    'validating',
    'in_progress',
    'finalizing',
    'cancelling',
    'completed',
    'failed',
    'expired',
    'cancelled',
  ].map((status) => batchOf({ status })),
  batchOf({ status: LOST }),
  batchOf({ status: 'dreaming' }),
  batchOf({ status: 'constructor' }),
  QUEUE_FULL,
];
const COLLECTED: readonly Collected[] = ['nothing', 'promised', 'retryable', 'whole', 'gone'];
const WISHES: readonly BatchRecord['wish'][] = [null, 'cancel', 'retry'];
const BOOLEANS = [false, true];

interface Row {
  readonly record: BatchRecord;
  readonly collected: Collected;
  readonly held: boolean;
  readonly mayRetry: boolean;
  readonly action: Action;
}

/** Every combination there is. */
function* rows(): Generator<Row> {
  for (const state of BATCH_STATES)
    for (const batch of SAID)
      for (const wish of WISHES)
        for (const cleaned of BOOLEANS)
          for (const results of [null, { output: null, errors: null, summary: 's', lines: LINES }])
            for (const collected of COLLECTED)
              for (const held of BOOLEANS)
                for (const mayRetry of BOOLEANS) {
                  const record = recordOf({ state, batch, wish, cleaned, results });
                  const situation = { record, collected, held, mayRetry };
                  yield { ...situation, action: planBatch(situation) };
                }
}
const LINES = { answered: 1, failed: 0, missing: 0 };
const all = [...rows()];
const where = (is: (row: Row) => boolean): Row[] => all.filter(is);
const actions = (some: readonly Row[]): Action[] => [...new Set(some.map(({ action }) => action))].sort();

describe('what is done next', () => {
  test('the table has an action for every combination', () => {
    expect(all).toHaveLength(9 * 13 * 3 * 2 * 2 * 5 * 2 * 2);
    expect(all.filter(({ action }) => action === undefined)).toEqual([]);
  });

  test('only what is wanted, held by nothing and not to be cancelled is submitted', () => {
    const submitted = where(({ action }) => action === 'submit');
    expect(submitted.length).toBeGreaterThan(0);
    for (const { record, held } of submitted) {
      expect([record.state, held, record.wish === 'cancel']).toEqual(['wanted', false, false]);
    }
  });

  test('a POST of unknown outcome is found out about, whatever else is known', () => {
    expect(actions(where(({ record }) => record.state === 'submitting'))).toEqual(['resolve']);
  });

  test('a status that nobody knows is watched and never acted upon, even when its end is wished', () => {
    for (const status of ['dreaming', 'constructor']) {
      const rowsOf = where(({ record }) => record.state === 'open' && record.batch?.status === status);
      expect(actions(rowsOf)).toEqual(['poll']);
    }
  });

  test('what runs is polled, or cancelled when that is wished, and nothing else', () => {
    const runs = where(
      ({ record }) =>
        record.state === 'open' &&
        ['validating', 'in_progress', 'finalizing'].includes(record.batch?.status ?? ''),
    );
    expect(actions(runs.filter(({ record }) => record.wish === 'cancel'))).toEqual(['cancel']);
    expect(actions(runs.filter(({ record }) => record.wish !== 'cancel'))).toEqual(['poll']);
  });

  test('a full queue is no failure: the same input is wanted again, unless its end is wished', () => {
    const full = where(({ record }) => record.state === 'open' && record.batch === QUEUE_FULL);
    expect(actions(full.filter(({ record }) => record.wish !== 'cancel'))).toEqual(['requeue']);
    expect(actions(full.filter(({ record }) => record.wish === 'cancel'))).toEqual(['settle']);
  });

  test('every end is settled, also that of a batch which the API does not know any more', () => {
    for (const status of ['completed', 'failed', 'expired', 'cancelled', LOST]) {
      const ended = where(
        ({ record }) =>
          record.state === 'open' && record.batch?.status === status && record.batch !== QUEUE_FULL,
      );
      expect(actions(ended)).toEqual(['settle']);
    }
  });

  test('lines are tried again only where that may be, and results are written from all that there is', () => {
    const settled = (collected: Collected): Row[] =>
      where((row) => row.record.state === 'settled' && row.collected === collected);
    expect(actions(settled('nothing'))).toEqual(['collect']);
    expect(actions(settled('promised'))).toEqual(['poll']);
    expect(actions(settled('whole'))).toEqual(['write']);
    expect(actions(settled('gone'))).toEqual(['give-up']);
    expect(actions(settled('retryable').filter((row) => row.mayRetry))).toEqual(['retry']);
    expect(actions(settled('retryable').filter((row) => !row.mayRetry))).toEqual(['write']);
  });

  test('what is over rests, once what there was is written and cleaned up', () => {
    const over = where(({ record }) => ['done', 'partial', 'failed', 'unavailable'].includes(record.state));
    expect(actions(over)).toEqual(['clean-up', 'rest', 'write']);
    for (const { record, action } of over) {
      if (record.results !== null) expect(action).toBe(record.cleaned ? 'rest' : 'clean-up');
      else if (record.batch !== null) expect(action).toBe('write');
    }
    expect(actions(where(({ record }) => record.state === 'superseded'))).toEqual(['rest']);
  });

  test('a retry that never ran still has the results of what ran before it written', () => {
    const record = recordOf({ state: 'failed', generation: 1, of: 'origin', cleaned: true });
    expect(planBatch({ record, collected: 'nothing', held: false, mayRetry: false })).toBe('write');
  });
});

describe('whether lines are tried again', () => {
  const completed = batchOf({ status: 'completed' });
  test.each([
    ['after a batch that completed', { batch: completed }, 1, true, true],
    ['after one that expired', { batch: batchOf({ status: 'expired' }) }, 1, true, true],
    ['not after one that was cancelled', { batch: batchOf({ status: 'cancelled' }) }, 1, true, false],
    ['not after one that failed validation', { batch: batchOf({ status: 'failed' }) }, 1, true, false],
    ['not after one that is lost', { batch: batchOf({ status: LOST }) }, 1, true, false],
    ['not when none are configured', { batch: completed }, 0, true, false],
    ['once, when one is configured', { batch: completed, generation: 1 }, 1, true, false],
    ['twice, when two are', { batch: completed, generation: 1 }, 2, true, true],
    ['never a third time', { batch: completed, generation: 2 }, 9, true, false],
    ['not in a folder that submits no more', { batch: completed }, 1, false, false],
    ['there by hand', { batch: completed, byHand: true }, 1, false, true],
    [
      'by a person’s wish, after a cancelled one too',
      { batch: batchOf({ status: 'cancelled' }), wish: 'retry' },
      0,
      false,
      true,
    ],
    ['not when the end is wished', { batch: completed, wish: 'cancel' }, 2, true, false],
  ] as const)('%s', (_title, changes, retries, submits, expected) => {
    expect(mayRetry(recordOf({ state: 'settled', ...changes }), retries, submits)).toBe(expected);
  });
});

describe('what the server said', () => {
  test('a word that comes late takes no end back, and no file id', () => {
    const record = recordOf({
      state: 'settled',
      batch: batchOf({ status: 'completed', outputFileId: 'file-out' }),
    });
    expect(afterSaid(record, batchOf({ status: 'in_progress' }), 1)).toBe(record);
    const again = afterSaid(record, batchOf({ status: 'completed', errorFileId: 'file-err' }), 1);
    expect(again.batch).toMatchObject({ outputFileId: 'file-out', errorFileId: 'file-err' });
  });

  test('what is over, or was not begun, is not changed by it', () => {
    for (const state of BATCH_STATES.filter((each) => each !== 'open' && each !== 'settled')) {
      const record = recordOf({ state });
      expect(afterSaid(record, batchOf({ status: 'completed' }), 1)).toBe(record);
    }
  });

  test('a queue counts as full only when no line ran', () => {
    expect(saidOf(QUEUE_FULL)).toBe('queue-full');
    expect(saidOf({ ...QUEUE_FULL, outputFileId: 'file-out' })).toBe('failed');
    expect(hasEnded(saidOf(batchOf({ status: 'Completed' })))).toBe(false);
  });

  test.each([
    ['completed without any file', { status: 'completed' }, true],
    [
      'completed, the counts name failed lines and there is no error file',
      { status: 'completed', outputFileId: 'o', counts: { total: 3, completed: 2, failed: 1 } },
      true,
    ],
    [
      'completed with all that it counts',
      { status: 'completed', outputFileId: 'o', counts: { total: 2, completed: 2, failed: 0 } },
      false,
    ],
    [
      'cancelled before a line ran',
      { status: 'cancelled', counts: { total: 2, completed: 0, failed: 0 } },
      false,
    ],
    [
      'expired, with answers counted and no file',
      { status: 'expired', counts: { total: 2, completed: 1, failed: 0 } },
      true,
    ],
    ['failed validation', { status: 'failed' }, false],
    ['lost', { status: LOST }, false],
  ])('%s: are files still to come? %s', (_title, changes, expected) => {
    expect(promisesFiles(batchOf(changes as Partial<RemoteBatch>))).toBe(expected);
  });
});
