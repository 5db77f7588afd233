import type { BatchRecord, SubmissionId } from '../contract/batch.ts';
import type { FileId, MirrorPath } from '../contract/types.ts';
import { isAtRest } from './batch-status.ts';

/** Who has this key. */
class Groups {
  readonly #members = new Map<string, Set<SubmissionId>>();

  of(key: string): ReadonlySet<SubmissionId> {
    return this.#members.get(key) ?? new Set();
  }

  add(key: string, id: SubmissionId): void {
    const members = this.#members.get(key);
    if (members === undefined) this.#members.set(key, new Set([id]));
    else members.add(id);
  }

  delete(key: string, id: SubmissionId): void {
    const members = this.#members.get(key);
    members?.delete(id);
    if (members?.size === 0) this.#members.delete(key);
  }
}

export type Records = ReadonlyMap<SubmissionId, BatchRecord>;

/** Of which submission of generation 0 this one is. */
export const originOf = (id: SubmissionId, record: BatchRecord): SubmissionId => record.of ?? id;

/** Finds records by what is asked of them, without going through all that ever were. */
export class BatchIndex {
  readonly #records = new Map<SubmissionId, BatchRecord>();
  readonly #active = new Map<SubmissionId, BatchRecord>();
  readonly #paths = new Groups();
  readonly #inputs = new Groups();
  readonly #contents = new Groups();
  readonly #families = new Groups();

  constructor(records: Records) {
    for (const [id, record] of records) this.set(id, record);
  }

  set(id: SubmissionId, record: BatchRecord | null): void {
    const before = this.#records.get(id);
    if (before !== undefined) this.#unfile(id, before);
    if (record === null) return;
    this.#records.set(id, record);
    if (!isAtRest(record) && !isLeftAlone(record)) this.#active.set(id, record);
    this.#paths.add(record.path, id);
    for (const input of inputsOf(record)) this.#inputs.add(input, id);
    this.#contents.add(record.sha256, id);
    this.#families.add(originOf(id, record), id);
  }

  #unfile(id: SubmissionId, record: BatchRecord): void {
    this.#records.delete(id);
    this.#active.delete(id);
    this.#paths.delete(record.path, id);
    for (const input of inputsOf(record)) this.#inputs.delete(input, id);
    this.#contents.delete(record.sha256, id);
    this.#families.delete(originOf(id, record), id);
  }

  get records(): Records {
    return this.#records;
  }

  /** Those for which something is left to be done. */
  get active(): Records {
    return this.#active;
  }

  at(path: MirrorPath): ReadonlySet<SubmissionId> {
    return this.#paths.of(path);
  }

  withInput(id: FileId): ReadonlySet<SubmissionId> {
    return this.#inputs.of(id);
  }

  withContent(sha256: string): ReadonlySet<SubmissionId> {
    return this.#contents.of(sha256);
  }

  /** The submission of generation 0 and those of its lines that were tried again, oldest generation first. */
  family(origin: SubmissionId): readonly SubmissionId[] {
    const generation = (id: SubmissionId): number => this.#records.get(id)?.generation ?? 0;
    return [...this.#families.of(origin)].sort((a, b) => generation(a) - generation(b));
  }

  /** The latest submission of generation 0 of this version. */
  headOf(path: MirrorPath, sha256: string): SubmissionId | null {
    let head: SubmissionId | null = null;
    for (const id of this.#paths.of(path)) {
      const record = this.#records.get(id) as BatchRecord;
      if (record.generation > 0 || record.sha256 !== sha256) continue;
      if (head === null || record.wantedAt >= (this.#records.get(head) as BatchRecord).wantedAt) head = id;
    }
    return head;
  }

  /** The latest generation of this submission. */
  lastOf(origin: SubmissionId): SubmissionId {
    return this.family(origin).at(-1) ?? origin;
  }
}

const isLeftAlone = ({ state, leftAlone, twinsUntil }: BatchRecord): boolean =>
  state === 'wanted' && leftAlone && twinsUntil === null;

function inputsOf({ inputFileId, batch }: BatchRecord): ReadonlySet<FileId> {
  const ofBatch = batch?.inputFileId ?? inputFileId;
  return new Set([inputFileId, ofBatch]);
}
