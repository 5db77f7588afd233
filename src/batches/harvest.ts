import {
  isOver,
  type BatchRecord,
  type BatchState,
  type LineCounts,
  type SubmissionId,
} from '../contract/batch.ts';
import type { BatchListener } from '../contract/batch-report.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';
import { counted } from '../contract/quantities.ts';
import { survivable } from '../contract/faults.ts';
import type { Fault } from '../contract/faults.ts';
import type { Clock } from '../contract/ports.ts';
import { nowSeconds } from '../contract/times.ts';
import { originOf } from './batch-index.ts';
import { mayRetry, planBatch, planOf } from './batch-plan.ts';
import type { Action } from './batch-plan.ts';
import { needsWriting, saidOf } from './batch-status.ts';
import { submitsByItself } from './cost-guards.ts';
import { madeBy } from './in-use.ts';
import { growingPauseMs } from './poll-times.ts';
import type { Collection, FileRemover, ResultsDesk } from './ports.ts';
import type { Shelf } from './shelf.ts';
import { newRecord } from './wanting.ts';
import type { Watching } from './watching.ts';

interface Parts {
  readonly clock: Clock;
  readonly desk: ResultsDesk;
  readonly listener: BatchListener;
  readonly newId: () => SubmissionId;
  /** Nothing may be sent now: a retry waits. */
  readonly mayUpload: () => boolean;
  readonly remover: FileRemover;
  readonly settings: () => BatchSettings;
  readonly shelf: Shelf;
  readonly watching: Watching;
}

const AGAIN_MS = { first: 2_000, last: 600_000 };
const HELD_MS = 30_000;
const HARVEST_ACTIONS: ReadonlySet<Action> = new Set<Action>(['collect', 'write', 'clean-up', 'drop']);

interface Failing {
  readonly times: number;
  readonly nextMs: number;
  readonly message: string | null;
  /** Since when a result file is not there, monotonic; null: it is. */
  readonly goneSinceMs: number | null;
  /** Since when a disk takes nothing, unix seconds by the local clock; null: that is not why. */
  readonly diskSince: number | null;
}

/** From a batch that ended to results that are durable: fetch, try again, write, clean up. */
export class Harvest {
  readonly #parts: Parts;
  readonly #failing = new Map<SubmissionId, Failing>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What is due now, and when the next is, monotonic. */
  due(): { readonly ids: readonly SubmissionId[]; readonly nextMs: number } {
    const nowMs = this.#parts.clock.monotonicMs();
    const ids: SubmissionId[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, record] of this.#parts.shelf.index.active) {
      if (!HARVEST_ACTIONS.has(this.#plan(id, record))) continue;
      const dueMs = this.#failing.get(id)?.nextMs ?? 0;
      if (dueMs <= nowMs) ids.push(id);
      else nextMs = Math.min(nextMs, dueMs);
    }
    return { ids, nextMs };
  }

  /** Why this one is stuck; null: it is not. */
  stuck(id: SubmissionId): string | null {
    return this.#failing.get(id)?.message ?? null;
  }

  /** The disk did not take the results of this one. */
  waitsForDisk(id: SubmissionId): boolean {
    return (this.#failing.get(id)?.diskSince ?? null) !== null;
  }

  /** The disk takes no results; null: it does, as far as is known. */
  get diskTrouble(): { readonly since: number; readonly cause: string } | null {
    for (const { diskSince: since, message } of this.#failing.values())
      if (since !== null) return { since, cause: message ?? '' };
    return null;
  }

  tryNow(): void {
    this.#failing.clear();
  }

  #plan(id: SubmissionId, record: BatchRecord): Action {
    const isPromised = record.state === 'settled' && this.#parts.watching.isPromised(id, record);
    return planOf(record, isPromised ? 'promised' : 'nothing');
  }

  /** One step of one submission. Throws only what ends the program, or the signal's reason. */
  async step(id: SubmissionId, signal: AbortSignal): Promise<void> {
    const record = this.#parts.shelf.records.get(id);
    if (record === undefined) return;
    try {
      const action = this.#plan(id, record);
      if (action === 'collect') await this.#collect(id, record, signal);
      else if (action === 'write') await this.#write(id, record, signal);
      else if (action === 'clean-up') await this.#cleanUp(id, record, signal);
      else if (action === 'drop') await this.#drop(id, record);
    } catch (error) {
      signal.throwIfAborted();
      await this.#failed(id, survivable(error), signal);
    }
  }

  async #collect(id: SubmissionId, record: BatchRecord, signal: AbortSignal): Promise<void> {
    const { desk, settings, shelf, listener } = this.#parts;
    const collection = await desk.collect(id, shelf.records, signal);
    this.#failing.delete(id);
    for (const oddity of collection.oddities)
      listener({ kind: 'warning', message: `${record.path}: ${oddity}` });
    const origin = shelf.records.get(originOf(id, record)) ?? record;
    const may = mayRetry(record, settings().retries, submitsByItself(origin, settings()));
    const collected = collection.retryable.length > 0 ? 'retryable' : 'whole';
    const action = planBatch({ record, collected, held: true, mayRetry: may });
    if (action === 'retry') await this.#retry(id, record, collection, signal);
    else await this.#write(id, record, signal);
  }

  async #retry(
    id: SubmissionId,
    record: BatchRecord,
    collection: Collection,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, desk, mayUpload, newId, shelf } = this.#parts;
    if (!mayUpload()) {
      this.#failing.set(id, { ...NOT_FAILING, nextMs: clock.monotonicMs() + HELD_MS });
      return;
    }
    const origin = originOf(id, record);
    const generation = record.generation + 1;
    const made = await desk.uploadRetry(origin, shelf.records, generation, collection.retryable, signal);
    await shelf.record(() => {
      const now = shelf.records.get(id);
      if (now?.state !== 'settled') return null;
      const mirrored = { id: made.inputFileId, purpose: 'batch', sha256: made.sha256 };
      const child: BatchRecord = {
        ...newRecord(now.path, mirrored, nowSeconds(this.#parts)),
        file: made.file,
        generation,
        of: origin,
        byHand: now.wish === 'retry' || now.byHand,
        wish: now.wish === 'cancel' ? 'cancel' : null,
      };
      return { records: { [id]: { ...now, state: 'superseded', wish: null }, [newId()]: child } };
    }, signal);
  }

  async #write(id: SubmissionId, record: BatchRecord, signal: AbortSignal): Promise<void> {
    const { desk, listener, shelf } = this.#parts;
    const written = await desk.write(originOf(id, record), shelf.records, signal);
    await shelf.record(() => {
      const now = shelf.records.get(id);
      if (now === undefined || now.state === 'superseded') return null;
      const isGone = (this.#failing.get(id)?.goneSinceMs ?? null) !== null;
      const state = endOf(now, written.lines, isGone);
      const problem = record.problem ?? problemOf(written.lines) ?? written.note ?? null;
      return { records: { [id]: { ...now, state, results: written, wish: null, cleaned: false, problem } } };
    }, signal);
    this.#failing.delete(id);
    const { path, state } = shelf.records.get(id) ?? record;
    const { output, errors, summary, lines } = written;
    listener({ kind: 'results-written', path, state, output, errors, summary, lines });
    if (written.note !== undefined) listener({ kind: 'warning', message: `${path}: ${written.note}` });
  }

  async #cleanUp(id: SubmissionId, record: BatchRecord, signal: AbortSignal): Promise<void> {
    const { desk, shelf } = this.#parts;
    const family = shelf.index.family(originOf(id, record));
    const isAnswered = record.state === 'done' || record.state === 'partial';
    if (isAnswered) for (const each of family) await this.#deleteRemotely(each, signal);
    // What is staged of the others is needed when a person wants their failed lines tried again.
    if (record.state === 'done') for (const each of family) await desk.forget(each);
    this.#failing.delete(id);
    await shelf.update(id, (now) => (now.state === record.state ? { ...now, cleaned: true } : now));
  }

  /** INVARIANT: only files of batches that are surely ours, and only after their results are durable here. */
  async #deleteRemotely(id: SubmissionId, signal: AbortSignal): Promise<void> {
    const { remover, settings, shelf } = this.#parts;
    const record = shelf.records.get(id);
    const { cleanUp } = settings();
    if (record === undefined || cleanUp === 'none') return;
    const made = madeBy(record).filter(({ kind }) => kind === 'retried-lines' || record.foundBy !== 'input');
    for (const file of made) await this.#unlessRefused(() => remover.deleteMade(file.id, signal));
    if (cleanUp !== 'all' || record.generation > 0 || this.#isUsedElsewhere(id, record)) return;
    await this.#unlessRefused(() => remover.deleteInput(record.path, record.inputFileId, signal));
  }

  /** Another submission has the same input: its deletion is for that one's end. */
  #isUsedElsewhere(id: SubmissionId, { inputFileId }: BatchRecord): boolean {
    const { index } = this.#parts.shelf;
    return [...index.withInput(inputFileId)].some((other) => {
      const record = index.records.get(other);
      return other !== id && record !== undefined && (!isOver(record.state) || needsWriting(record));
    });
  }

  async #unlessRefused(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      const fault = survivable(error);
      if (fault.disposition !== 'skip') throw fault;
      this.#parts.listener({ kind: 'warning', message: fault.message });
    }
  }

  /** It is not begun. Of lines that were to be tried again, what there is without them is written. */
  async #drop(id: SubmissionId, record: BatchRecord): Promise<void> {
    const { shelf } = this.#parts;
    await shelf.change(() => {
      const now = shelf.records.get(id);
      if (now?.state !== 'wanted') return null;
      if (now.generation === 0)
        return { records: { [id]: { ...now, wish: null, leftAlone: true, byHand: false } } };
      const before = shelf.index
        .family(originOf(id, record))
        .filter((each) => each !== id)
        .at(-1);
      const last = before === undefined ? undefined : shelf.records.get(before);
      if (before === undefined || last === undefined) return { records: { [id]: null } };
      return { records: { [id]: null, [before]: { ...last, state: 'settled', wish: 'cancel' } } };
    });
  }

  /** What there is, is written. */
  async #giveUp(id: SubmissionId, record: BatchRecord, signal: AbortSignal): Promise<void> {
    try {
      await this.#write(id, record, signal);
    } catch (error) {
      signal.throwIfAborted();
      const { message } = survivable(error);
      const nextMs = this.#parts.clock.monotonicMs() + AGAIN_MS.last;
      this.#failing.set(id, { ...(this.#failing.get(id) ?? NOT_FAILING), nextMs, message });
    }
  }

  async #failed(id: SubmissionId, fault: Fault, signal: AbortSignal): Promise<void> {
    const { clock, listener, settings, shelf } = this.#parts;
    const nowMs = clock.monotonicMs();
    const known = this.#failing.get(id) ?? NOT_FAILING;
    const times = known.times + 1;
    const isGone = fault.rule === 'gone';
    const goneSinceMs = isGone ? (known.goneSinceMs ?? nowMs) : null;
    const record = shelf.records.get(id);
    const hasWaited = goneSinceMs !== null && nowMs - goneSinceMs >= settings().lookSeconds * 1_000;
    if (hasWaited && record !== undefined && planOf(record, 'gone') === 'give-up') {
      await this.#giveUp(
        id,
        { ...record, problem: `its results are gone at the API: ${fault.message}` },
        signal,
      );
      return;
    }
    const pauseMs = Math.max(growingPauseMs(times, AGAIN_MS.first, AGAIN_MS.last), fault.retryAfterMs ?? 0);
    const isDisk = fault.halt === 'state';
    const diskSince = isDisk ? (known.diskSince ?? nowSeconds(this.#parts)) : null;
    const { message } = fault;
    this.#failing.set(id, { times, nextMs: nowMs + pauseMs, message, goneSinceMs, diskSince });
    if (times !== 1) return;
    listener({ kind: 'warning', message: `${record?.path ?? ''}: its results wait: ${fault.message}` });
  }
}

const NOT_FAILING: Failing = { times: 0, nextMs: 0, message: null, goneSinceMs: null, diskSince: null };

function endOf(record: BatchRecord, { answered, failed, missing }: LineCounts, isGone: boolean): BatchState {
  if (failed + missing === 0) return 'done';
  if (answered + failed > 0) return 'partial';
  return isGone || record.state === 'unavailable' || saidOf(record.batch) === 'lost'
    ? 'unavailable'
    : 'failed';
}

function problemOf({ failed, missing }: LineCounts): string | null {
  if (failed + missing === 0) return null;
  const parts = [
    failed > 0 ? `${counted(failed, 'line')} failed` : '',
    missing > 0 ? `${counted(missing, 'line')} without an answer` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}
