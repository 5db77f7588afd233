/** Who still uses a remote file. Pure, from the records, so that the answer survives a restart. */
import { isOver, type BatchRecord, type SubmissionId } from '../contract/batch.ts';
import type { FileId, MirrorPath } from '../contract/types.ts';
import type { FileUses } from '../contract/file-uses.ts';
import { BatchIndex, originOf, type Records } from './batch-index.ts';
import { needsWriting } from './batch-status.ts';

/** In words, who uses it as an input; null: nobody. What waits for a person's word uses nothing. */
export function userOf(fileId: FileId, index: BatchIndex): string | null {
  for (const id of index.withInput(fileId)) {
    const record = index.records.get(id) as BatchRecord;
    if (!usesInput(id, record, index)) continue;
    const last = index.records.get(index.lastOf(originOf(id, record))) as BatchRecord;
    const { batch } = last;
    return batch === null
      ? `the batch of ${last.path}, which is ${last.state}`
      : `batch ${batch.id} of ${last.path}, which is ${batch.status}`;
  }
  return null;
}

/** The input of generation 0 is needed until the lines of all generations are at rest: results come in its order. */
function usesInput(id: SubmissionId, record: BatchRecord, index: BatchIndex): boolean {
  if (record.state === 'wanted' && record.leftAlone) return false;
  const family = index.family(originOf(id, record)).map((each) => index.records.get(each) as BatchRecord);
  return family.some((each) => !isOver(each.state) || needsWriting(each));
}

/** A remote file that a batch of ours made, or that was made for one; the mirror's manifest does not have it. */
export interface MadeFile {
  readonly id: FileId;
  readonly path: MirrorPath;
  readonly kind: 'output' | 'errors' | 'retried-lines';
}

/** Of this record, as far as it is known and not deleted. */
export function madeBy(record: BatchRecord): readonly MadeFile[] {
  const { path, batch, inputFileId, generation } = record;
  const made: MadeFile[] = [];
  const { outputFileId = null, errorFileId = null } = batch ?? {};
  if (outputFileId !== null) made.push({ id: outputFileId, path, kind: 'output' });
  if (errorFileId !== null) made.push({ id: errorFileId, path, kind: 'errors' });
  if (generation > 0) made.push({ id: inputFileId, path, kind: 'retried-lines' });
  return made;
}

/** As the records say at the moment. */
export function usesOf(records: Records): FileUses {
  const index = new BatchIndex(records);
  return { userOf: (id) => userOf(id, index), made: () => madeIds(records) };
}

export function madeIds(records: Records): ReadonlySet<FileId> {
  return new Set([...records.values()].flatMap(madeBy).map(({ id }) => id));
}
