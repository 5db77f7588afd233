/** What a start has to see to: what was recorded of files while nobody heard it, and folders that submit since then. Pure. */
import {
  isOver,
  type BatchMemory,
  type BatchRecord,
  type Mirrored,
  type PathRecorded,
  type SubmissionId,
} from '../contract/batch.ts';
import { folderOf } from '../contract/mirror-path.ts';
import type { MirrorPath } from '../contract/types.ts';
import { foldRecorded, newRecord } from './wanting.ts';
import type { WantingInput } from './wanting.ts';

type Files = ReadonlyMap<MirrorPath, Mirrored>;

export interface Reconciled {
  readonly records: Readonly<Record<SubmissionId, BatchRecord | null>>;
  readonly memory: BatchMemory;
}

/**
 * Where submitting was just switched on, what is there stays unsubmitted; elsewhere it is as if what is there had been
 * told just now. Done twice it changes nothing more.
 */
export function reconcile(files: Files, memory: BatchMemory, input: WantingInput): Reconciled {
  const { settings } = input;
  const isNew = (path: MirrorPath): boolean =>
    settings.submitFolders.has(folderOf(path)) && !memory.submitFolders.includes(folderOf(path));
  const told = missed(files, input);
  const folded = foldRecorded(
    // What is new there is left alone below.
    told.map((each) => (each.before === null && isNew(each.path) ? { ...each, why: 'adopted' } : each)),
    input,
  );
  const records = { ...folded };
  for (const [id, record] of input.index.active) {
    if (record.state !== 'wanted' || record.byHand || record.generation > 0 || !isNew(record.path)) continue;
    if (records[id] !== null) records[id] = { ...(records[id] ?? record), leftAlone: true };
  }
  const followed = new Set(Object.values(folded).map((record) => record && versionOf(record)));
  for (const [path, file] of files) {
    if (!isNew(path) || file.purpose !== 'batch' || input.index.headOf(path, file.sha256) !== null) continue;
    if (followed.has(versionOf({ path, sha256: file.sha256 }))) continue;
    records[input.newId()] = { ...newRecord(path, file, input.now), leftAlone: true };
  }
  return { records, memory: { ...memory, submitFolders: [...settings.submitFolders].sort() } };
}

const versionOf = ({ path, sha256 }: Pick<BatchRecord, 'path' | 'sha256'>): string => `${path}\n${sha256}`;

/** What would have been told, from what is there. */
function missed(files: Files, { index }: WantingInput): PathRecorded[] {
  const told = new Map<MirrorPath, PathRecorded>();
  for (const [path, after] of files) {
    if (after.purpose !== 'batch' || index.headOf(path, after.sha256) !== null) continue;
    told.set(path, { path, before: null, after, why: 'uploaded' });
    const from = leftFrom(path, after, files, index);
    if (from !== null) {
      told.set(from, {
        path: from,
        before: { ...after },
        after: files.get(from) ?? null,
        why: 'moved',
      });
    }
  }
  for (const record of index.active.values()) {
    const { path, sha256, inputFileId } = record;
    const after = files.get(path) ?? null;
    const isLeft = record.generation === 0 && !isOver(record.state) && !told.has(path);
    if (!isLeft || (after?.sha256 === sha256 && after.id === inputFileId)) continue;
    const before: Mirrored = { id: inputFileId, purpose: 'batch', sha256 };
    told.set(path, { path, before, after, why: after === null ? 'deleted' : 'replaced' });
  }
  return [...told.values()];
}

/** Where the same version has a record and lies no more: it was renamed. */
function leftFrom(
  path: MirrorPath,
  after: Mirrored,
  files: Files,
  index: WantingInput['index'],
): MirrorPath | null {
  const ids = [...index.withInput(after.id), ...index.withContent(after.sha256)];
  for (const id of ids) {
    const record = index.records.get(id) as BatchRecord;
    const isHere = files.get(record.path)?.sha256 === record.sha256;
    if (record.generation === 0 && record.sha256 === after.sha256 && !isHere && record.path !== path) {
      return record.path;
    }
  }
  return null;
}
