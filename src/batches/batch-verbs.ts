/** What a person asks for, as changes of the records. Pure: each verb says what it made of one path. */
import { isOver, type BatchRecord, type Mirrored, type SubmissionId } from '../contract/batch.ts';
import type { VerbReply } from '../contract/batch-report.ts';
import type { MirrorPath } from '../contract/types.ts';
import type { BatchIndex } from './batch-index.ts';
import { newRecord } from './wanting.ts';

export interface VerbChange {
  readonly records: Readonly<Record<SubmissionId, BatchRecord>>;
  readonly reply: VerbReply;
}

export interface VerbInput {
  readonly index: BatchIndex;
  readonly files: ReadonlyMap<MirrorPath, Mirrored>;
  /** Unix seconds by the local clock. */
  readonly now: number;
  readonly newId: () => SubmissionId;
}

const no = (path: MirrorPath, text: string): VerbChange => ({
  records: {},
  reply: { path, done: false, text },
});

const yes = (path: MirrorPath, id: SubmissionId, record: BatchRecord, text: string): VerbChange => ({
  records: { [id]: record },
  reply: { path, done: true, text },
});

/** By hand: neither `off` nor the flood holds it. */
export function submitByHand(path: MirrorPath, again: boolean, input: VerbInput): VerbChange {
  const mirrored = input.files.get(path);
  if (mirrored === undefined) return no(path, 'it is not mirrored (yet)');
  if (mirrored.purpose !== 'batch') return no(path, `its purpose is ${mirrored.purpose}, not batch`);
  const head = input.index.headOf(path, mirrored.sha256);
  const fresh = (): VerbChange =>
    yes(
      path,
      input.newId(),
      { ...newRecord(path, mirrored, input.now), byHand: true },
      'it will be submitted',
    );
  if (head === null) return fresh();
  const record = input.index.records.get(head) as BatchRecord;
  if (record.state === 'wanted') {
    const wanted = { ...record, byHand: true, leftAlone: false, wish: null, hold: null };
    return yes(path, head, wanted, 'it will be submitted');
  }
  const last = input.index.records.get(input.index.lastOf(head)) as BatchRecord;
  if (!isOver(last.state)) return no(path, `it runs already (${last.state})`);
  if (again) return fresh();
  if (last.batch === null && last.generation === 0) return tryAgain(path, head, record, input);
  return no(path, `this version was submitted before (${last.state}); --again submits it once more`);
}

/** Its end: of what runs at the API, and of what waits here. */
export function cancelByHand(path: MirrorPath, input: VerbInput): VerbChange {
  const found = latestAt(path, input, (record) => !isOver(record.state)) ?? latestAt(path, input);
  if (found === null) return no(path, 'it has no batch');
  const [id, record] = found;
  if (isOver(record.state)) return no(path, `its batch is over (${record.state})`);
  const foundBy = record.foundBy === 'input' ? 'person' : record.foundBy;
  const text = record.state === 'wanted' ? 'it will not be submitted' : 'its batch will be cancelled';
  return yes(path, id, { ...record, wish: 'cancel', foundBy }, text);
}

/** The lines that failed, or the whole file where no line ran. */
export function retryByHand(path: MirrorPath, input: VerbInput): VerbChange {
  const found = latestAt(path, input);
  if (found === null) return no(path, 'it has no batch');
  const [id, record] = found;
  if (record.state === 'done') return no(path, 'all its lines are answered');
  if (record.state === 'failed' || record.state === 'unavailable') return tryAgain(path, id, record, input);
  if (record.state !== 'partial') return no(path, `it is not over (${record.state})`);
  if (record.generation >= 2) {
    return no(path, 'its lines were tried again twice; submit --again begins anew');
  }
  return yes(
    path,
    id,
    { ...record, state: 'settled', wish: 'retry' },
    'its failed lines will be submitted again',
  );
}

function tryAgain(path: MirrorPath, id: SubmissionId, record: BatchRecord, { files }: VerbInput): VerbChange {
  const mirrored = files.get(path);
  if (record.generation === 0 && mirrored?.sha256 !== record.sha256) {
    return no(path, 'the file is gone, or is another version by now');
  }
  const again: BatchRecord = {
    ...record,
    inputFileId: record.generation === 0 ? (mirrored?.id ?? record.inputFileId) : record.inputFileId,
    state: 'wanted',
    byHand: true,
    leftAlone: false,
    // What never began has no batch that could be taken for the next one's.
    attempt: record.batch === null ? record.attempt : record.attempt + 1,
    former: record.batch === null ? record.former : [...record.former, record.batch.id],
    batch: null,
    foundBy: null,
    results: null,
    problem: null,
    hold: null,
    wish: null,
    cleaned: false,
  };
  return yes(path, id, again, 'it will be submitted again');
}

/**
 * The latest generation of a submission at a path, of those of which `is` holds: of what is there now, if that has one;
 * else of the latest.
 */
export function latestAt(
  path: MirrorPath,
  { index, files }: VerbInput,
  is: (record: BatchRecord) => boolean = () => true,
): [SubmissionId, BatchRecord] | null {
  const sha256 = files.get(path)?.sha256;
  const found: { readonly id: SubmissionId; readonly record: BatchRecord; readonly first: BatchRecord }[] =
    [];
  for (const origin of index.at(path)) {
    const first = index.records.get(origin) as BatchRecord;
    const id = index.lastOf(origin);
    const record = index.records.get(id) as BatchRecord;
    if (first.generation === 0 && is(record)) found.push({ id, record, first });
  }
  const isHere = ({ first }: (typeof found)[number]): number => (first.sha256 === sha256 ? 1 : 0);
  found.sort((a, b) => isHere(a) - isHere(b) || a.first.wantedAt - b.first.wantedAt);
  const latest = found.at(-1);
  return latest === undefined ? null : [latest.id, latest.record];
}
