/**
 * From what the mirror recorded of its paths to what is to be submitted. Pure. INVARIANT: a version (path, SHA-256) that
 * has a record gets no second one here, whatever became of it.
 */
import {
  isOver,
  type BatchRecord,
  type Mirrored,
  type PathRecorded,
  type SubmissionId,
} from '../contract/batch.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';
import { folderOf } from '../contract/mirror-path.ts';
import type { MirrorPath } from '../contract/types.ts';
import type { BatchIndex } from './batch-index.ts';
import { originOf } from './batch-index.ts';

export type Patch = Readonly<Record<SubmissionId, BatchRecord | null>>;

export interface WantingInput {
  readonly index: BatchIndex;
  readonly settings: BatchSettings;
  /** Unix seconds by the local clock. */
  readonly now: number;
  readonly newId: () => SubmissionId;
}

/** What was recorded in one change of the manifest, as a change of the records. */
export function foldRecorded(told: readonly PathRecorded[], input: WantingInput): Patch {
  const draft = new Draft(input.index);
  for (const each of told) follow(each, told, draft);
  for (const { path, before, after, why } of told) {
    const known = after === null ? null : draft.headOf(path, after.sha256);
    for (const [id, record] of draft.at(path)) {
      if (record.generation === 0 && record.sha256 === after?.sha256) draft.set(id, withInput(record, after));
      else if (!isOver(record.state)) leave(id, record, after === null ? 'removed' : 'changed', draft, input);
    }
    if (after === null || known !== null || !wants(path, before, after, why, input.settings)) continue;
    draft.set(input.newId(), newRecord(path, after, input.now));
  }
  return draft.patch;
}

function wants(
  path: MirrorPath,
  before: Mirrored | null,
  after: Mirrored,
  why: PathRecorded['why'],
  settings: BatchSettings,
): boolean {
  if (after.purpose !== 'batch' || why === 'adopted') return false;
  return settings.submitFolders.has(folderOf(path)) && before?.sha256 !== after.sha256;
}

export function newRecord(path: MirrorPath, { id, sha256 }: Mirrored, now: number): BatchRecord {
  return {
    path,
    sha256,
    inputFileId: id,
    file: null,
    generation: 0,
    of: null,
    attempt: 1,
    wantedAt: now,
    byHand: false,
    leftAlone: false,
    approved: false,
    countedOn: null,
    state: 'wanted',
    hold: null,
    submission: null,
    former: [],
    twins: [],
    wish: null,
    foundBy: null,
    cleaned: false,
    twinsUntil: null,
    batch: null,
    polledAt: null,
    results: null,
    problem: null,
  };
}

/** A rename: every submission of that version goes with it. */
function follow(each: PathRecorded, told: readonly PathRecorded[], draft: Draft): void {
  const { after, path } = each;
  if (after === null) return;
  const from = told.find((other) => other.path !== path && isSame(other, each));
  if (from === undefined || each.before?.id === after.id) return;
  for (const [id, record] of draft.before(from.path)) {
    const origin = draft.get(originOf(id, record));
    if (origin?.sha256 === after.sha256) draft.set(id, { ...record, path });
  }
}

/** What left the one path lies at the other. A new name is a new upload, so the id may be another one. */
function isSame(left: PathRecorded, { after, why }: PathRecorded): boolean {
  if (left.before?.id === after?.id) return true;
  return why === 'moved' && left.after === null && left.before?.sha256 === after?.sha256;
}

/** The same bytes under another id: what was not sent takes it, and what the API never began may begin with it. */
function withInput(record: BatchRecord, { id }: Mirrored): BatchRecord {
  if (record.inputFileId === id) return record;
  if (record.state === 'failed' && record.batch === null) {
    return { ...record, inputFileId: id, state: 'wanted', hold: null, problem: null, cleaned: false };
  }
  if (record.state === 'wanted') return { ...record, inputFileId: id, hold: withoutInput(record.hold) };
  // The id that a batch has is needed until its end.
  const isNeeded = !isOver(record.state) && (record.batch?.inputFileId ?? null) === null;
  return isNeeded ? record : { ...record, inputFileId: id };
}

const withoutInput = (hold: BatchRecord['hold']): BatchRecord['hold'] =>
  hold?.why === 'input' ? null : hold;

/** Its file was removed, or is another version by now. */
function leave(
  id: SubmissionId,
  record: BatchRecord,
  why: 'removed' | 'changed',
  draft: Draft,
  { settings }: WantingInput,
): void {
  if (record.generation === 0 && record.state === 'wanted') {
    draft.set(id, withoutFile(record, why));
    return;
  }
  const wish = why === 'removed' ? settings.onRemove : settings.onChange;
  // A later generation bears the SHA-256 of its own file: it is its origin that is of this version, or is not.
  const isPresent = draft.presentOrigins.has(originOf(id, record));
  if (wish === 'cancel' && record.wish === null && !isPresent) draft.set(id, { ...record, wish: 'cancel' });
}

/** What the API never had is forgotten; of what it had before, or may still show, the record stays. */
function withoutFile(record: BatchRecord, why: 'removed' | 'changed'): BatchRecord | null {
  if (record.former.length === 0 && record.twinsUntil === null) return null;
  const problem = `its file was ${why} before it was submitted again`;
  return { ...record, state: 'failed', hold: null, wish: null, problem, cleaned: true };
}

/** The records with what was changed so far. */
class Draft {
  readonly #index: BatchIndex;
  readonly #changed = new Map<SubmissionId, BatchRecord | null>();
  /** Submissions of generation 0 whose version lies at its path. */
  readonly presentOrigins = new Set<SubmissionId>();

  constructor(index: BatchIndex) {
    this.#index = index;
  }

  get(id: SubmissionId): BatchRecord | null {
    const changed = this.#changed.get(id);
    return changed === undefined ? (this.#index.records.get(id) ?? null) : changed;
  }

  set(id: SubmissionId, record: BatchRecord | null): void {
    if (record !== this.get(id)) this.#changed.set(id, record);
  }

  /** As it was before all of this. */
  before(path: MirrorPath): [SubmissionId, BatchRecord][] {
    return [...this.#index.at(path)].map((id) => [id, this.#index.records.get(id) as BatchRecord]);
  }

  at(path: MirrorPath): [SubmissionId, BatchRecord][] {
    const ids = new Set([...this.#index.at(path), ...this.#changed.keys()]);
    const found: [SubmissionId, BatchRecord][] = [];
    for (const id of ids) {
      const record = this.get(id);
      if (record !== null && record.path === path) found.push([id, record]);
    }
    return found;
  }

  headOf(path: MirrorPath, sha256: string): SubmissionId | null {
    for (const [id, record] of this.at(path)) {
      if (record.generation > 0 || record.sha256 !== sha256) continue;
      this.presentOrigins.add(id);
    }
    return this.at(path).find(([id]) => this.presentOrigins.has(id))?.[0] ?? null;
  }

  get patch(): Patch {
    return Object.fromEntries(this.#changed);
  }
}
