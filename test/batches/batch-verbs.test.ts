import { expect, test } from 'vitest';
import { BatchIndex } from '../../src/batches/batch-index.ts';
import { retryByHand } from '../../src/batches/batch-verbs.ts';
import { batchOf, recordOf } from './record-sample.ts';

test('what was dropped, turned up late and was cancelled is submitted again by retry', () => {
  const dropped = recordOf({
    state: 'failed',
    leftAlone: true,
    cleaned: true,
    batch: batchOf({ status: 'cancelled' }),
  });
  const index = new BatchIndex(new Map([['s1', dropped]]));
  const { path, sha256, inputFileId } = dropped;
  const files = new Map([[path, { id: inputFileId, purpose: 'batch', sha256 }]]);
  const { records, reply } = retryByHand(path, { index, files, now: 1, newId: () => 'new' });
  expect(reply.done).toBe(true);
  for (const [id, record] of Object.entries(records)) index.set(id, record);
  expect([...index.active.keys()]).toEqual(['s1']);
});
