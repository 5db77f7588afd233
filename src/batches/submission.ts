import {
  isOver,
  type BatchesApi,
  type BatchRecord,
  type RemoteBatch,
  type SubmissionId,
} from '../contract/batch.ts';
import type { BatchListener } from '../contract/batch-report.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';
import { survivable } from '../contract/faults.ts';
import type { Fault } from '../contract/faults.ts';
import type { Clock } from '../contract/ports.ts';
import { nowSeconds, serverNowSeconds } from '../contract/times.ts';
import { countCreate } from './cost-guards.ts';
import type { Hold } from './cost-guards.ts';
import type { Gate } from './gate.ts';
import { growingPauseMs } from './poll-times.ts';
import { refusalOf } from './refusal.ts';
import type { Shelf } from './shelf.ts';
import { requestOf } from './submission-request.ts';

export interface SubmissionParts {
  readonly api: BatchesApi;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly listener: BatchListener;
  readonly mirrorId: string;
  readonly settings: () => BatchSettings;
  readonly shelf: Shelf;
}

/** How long a batch that turns up late is looked for. */
const TWINS_SECONDS = 3_600;
const INPUT_PAUSE_MS = { first: 5_000, last: 60_000 };
const QUEUE_PAUSE_MS = { first: 60_000, last: 3_600_000 };

/**
 * The one POST of a submission. INVARIANT: the record that says that it may be stored, and that counts it, is durable
 * before it goes out; only a sure refusal, or what a list shows, takes that back.
 */
export class Submission {
  readonly #parts: SubmissionParts;
  /** Since when the API cannot find an input, monotonic, and how often it was asked. */
  readonly #unfound = new Map<SubmissionId, { readonly sinceMs: number; readonly times: number }>();

  constructor(parts: SubmissionParts) {
    this.#parts = parts;
  }

  /** Begins what is wanted, if it still `may`. */
  async begin(id: SubmissionId, may: (id: SubmissionId) => boolean, signal: AbortSignal): Promise<void> {
    const { shelf } = this.#parts;
    let isBegun = false;
    await shelf.change(() => {
      const record = shelf.records.get(id);
      if (record?.state !== 'wanted' || record.wish === 'cancel' || !may(id)) return null;
      isBegun = true;
      return this.#counted(id, { ...record, hold: null, problem: null }, 1);
    });
    if (isBegun) await this.#post(id, signal);
  }

  /** After it was looked for long enough and is not there: one POST more under the same UUID. */
  async beginAgain(id: SubmissionId, may: () => boolean, signal: AbortSignal): Promise<void> {
    const { shelf } = this.#parts;
    let isBegun = false;
    await shelf.change(() => {
      const record = shelf.records.get(id);
      if (record?.state !== 'submitting' || record.submission?.posts !== 1 || !may()) return null;
      isBegun = true;
      return this.#counted(id, { ...record, twinsUntil: this.twinsUntil() }, 2);
    });
    if (isBegun) await this.#post(id, signal);
  }

  #counted(id: SubmissionId, record: BatchRecord, posts: number) {
    const { clock, api, shelf } = this.#parts;
    const memory = countCreate(shelf.memory, record, nowSeconds(this.#parts));
    const submission = {
      startedAtMs: record.submission?.startedAtMs ?? clock.wallMs(),
      serverStartedAtMs: record.submission === null ? api.serverNowMs() : record.submission.serverStartedAtMs,
      lookedSinceMs: null,
      looks: 0,
      posts,
    };
    const countedOn = memory.today?.date ?? null;
    return {
      records: { [id]: { ...record, state: 'submitting' as const, submission, countedOn } },
      memory,
    };
  }

  async #post(id: SubmissionId, signal: AbortSignal): Promise<void> {
    const { api, gate, mirrorId, settings, shelf } = this.#parts;
    const record = shelf.records.get(id) as BatchRecord;
    const request = requestOf(id, record, mirrorId, settings());
    if (request === null) {
      await this.#end(id, 'its lines name no endpoint, or more than one', signal);
      return;
    }
    try {
      const batch = await api.create(request, signal);
      gate.open();
      this.#unfound.delete(id);
      await this.opened(id, batch, 'reply', signal);
    } catch (error) {
      signal.throwIfAborted();
      await this.#failed(id, record, survivable(error), signal);
    }
  }

  /** The API has it. */
  async opened(
    id: SubmissionId,
    batch: RemoteBatch,
    foundBy: NonNullable<BatchRecord['foundBy']>,
    signal: AbortSignal,
  ): Promise<void> {
    const { listener, shelf } = this.#parts;
    const known = { ...batch, inputFileId: batch.inputFileId ?? shelf.records.get(id)?.inputFileId ?? null };
    await shelf.record(() => {
      const record = shelf.records.get(id);
      if (record === undefined || record.batch !== null || isOver(record.state)) return null;
      // It was begun after all, when nobody wanted it any more.
      const wish = record.leftAlone ? 'cancel' : record.wish;
      const opened = { ...record, batch: known, foundBy, submission: null, hold: null, problem: null };
      return { records: { [id]: { ...opened, wish, state: 'open' } } };
    }, signal);
    const { path, generation, file } = shelf.records.get(id) as BatchRecord;
    const found = foundBy !== 'reply';
    const requests = file?.requests ?? null;
    listener({ kind: 'batch-submitted', path, batch: batch.id, requests, generation, found });
  }

  async #failed(id: SubmissionId, record: BatchRecord, fault: Fault, signal: AbortSignal): Promise<void> {
    const { gate } = this.#parts;
    // A refusal of the second POST says nothing of the first, which is looked for anew.
    const isUnknown = fault.outcome === 'unknown' || record.submission?.posts === 2;
    const refusal = refusalOf(fault);
    if (fault.outcome === 'refused' && refusal.kind === 'all') {
      gate.close(refusal.why, fault.message, fault.retryAfterMs);
    } else if (fault.outcome === 'refused') gate.open();
    if (isUnknown) {
      const isSure = fault.outcome === 'refused' && refusal.kind !== 'final';
      await this.#record(id, (now) => unknown(now, fault.message, isSure), signal);
    } else if (refusal.kind === 'final') await this.#end(id, fault.message, signal);
    else if (refusal.kind === 'all') await this.#wantAgain(id, null, signal);
    else if (refusal.kind === 'queue') await this.#queueFull(id, fault.message, signal);
    else await this.#inputUnfound(id, fault.message, signal);
  }

  async #inputUnfound(id: SubmissionId, text: string, signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#parts;
    const known = this.#unfound.get(id) ?? { sinceMs: clock.monotonicMs(), times: 0 };
    const times = known.times + 1;
    if (clock.monotonicMs() - known.sinceMs >= settings().lookSeconds * 1_000) {
      this.#unfound.delete(id);
      await this.#end(id, `the API cannot find its input: ${text}`, signal);
      return;
    }
    this.#unfound.set(id, { ...known, times });
    const pauseMs = growingPauseMs(times, INPUT_PAUSE_MS.first, INPUT_PAUSE_MS.last);
    await this.#wantAgain(id, { why: 'input', text, until: this.#secondsFromNow(pauseMs) }, signal);
  }

  async #queueFull(id: SubmissionId, text: string, signal: AbortSignal): Promise<void> {
    await this.#record(id, (record) => requeued(record, text, this.#parts.clock.wallMs()), signal);
  }

  async #wantAgain(id: SubmissionId, hold: Hold | null, signal: AbortSignal): Promise<void> {
    await this.#record(id, (record) => ({ ...record, state: 'wanted', submission: null, hold }), signal);
  }

  /** The API will never begin it. */
  async #end(id: SubmissionId, problem: string, signal: AbortSignal): Promise<void> {
    const { shelf, listener } = this.#parts;
    await this.#record(
      id,
      // Of lines that are tried again, what the generations before have is still to be written.
      (record) => ({ ...record, state: 'failed', submission: null, hold: null, problem, cleaned: true }),
      signal,
    );
    const { path } = shelf.records.get(id) as BatchRecord;
    listener({ kind: 'warning', message: `${path} cannot be submitted: ${problem}` });
  }

  async #record(
    id: SubmissionId,
    make: (record: BatchRecord) => BatchRecord,
    signal: AbortSignal,
  ): Promise<void> {
    const { shelf } = this.#parts;
    await shelf.record(() => {
      const record = shelf.records.get(id);
      return record?.state === 'submitting' ? { records: { [id]: make(record) } } : null;
    }, signal);
  }

  #secondsFromNow(ms: number): number {
    return Math.ceil((this.#parts.clock.wallMs() + ms) / 1_000);
  }

  /** Until when, unix seconds by the server's clock, twins are looked for of what is begun again now. */
  twinsUntil(): number {
    return serverNowSeconds(this.#parts) + TWINS_SECONDS;
  }
}

/** `isSure`: the second POST surely began nothing, so that there may be one more after another search. */
function unknown(record: BatchRecord, problem: string, isSure: boolean): BatchRecord {
  const { submission } = record;
  if (submission === null) return record;
  const posts = isSure ? 1 : submission.posts;
  return { ...record, problem, submission: { ...submission, posts, looks: 0, lookedSinceMs: null } };
}

/** The queue of its model was full: the same input is submitted again, later. */
export function requeued(record: BatchRecord, text: string, wallMs: number): BatchRecord {
  const pauseMs = growingPauseMs(record.attempt, QUEUE_PAUSE_MS.first, QUEUE_PAUSE_MS.last);
  return {
    ...record,
    state: 'wanted',
    attempt: record.attempt + 1,
    former: record.batch === null ? record.former : [...record.former, record.batch.id],
    submission: null,
    batch: null,
    foundBy: null,
    hold: { why: 'queue', text, until: Math.ceil((wallMs + pauseMs) / 1_000) },
  };
}
