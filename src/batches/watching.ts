import type { BatchesApi, BatchRecord, RemoteBatch, SubmissionId } from '../contract/batch.ts';
import type { BatchListener } from '../contract/batch-report.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';
import { survivable } from '../contract/faults.ts';
import type { Clock } from '../contract/ports.ts';
import { nowSeconds } from '../contract/times.ts';
import { planOf } from './batch-plan.ts';
import { LOST, afterSaid, hasEnded, promisesFiles, saidOf } from './batch-status.ts';
import { readList } from './list-reading.ts';
import {
  growingPauseMs,
  pagesFor,
  pollAfterMs,
  singlesOf,
  slownessAfter,
  sweepAfterMs,
} from './poll-times.ts';
import type { Shelf } from './shelf.ts';
import { requeued } from './submission.ts';

interface Parts {
  readonly api: BatchesApi;
  readonly clock: Clock;
  readonly listener: BatchListener;
  readonly settings: () => BatchSettings;
  readonly shelf: Shelf;
}

const FAILED_SWEEP_MS = { first: 15_000, last: 600_000 };
/** So often in a row a batch has to be unknown to the API, and so long, before that is believed: replicas lag. */
const ABSENCES = 3;
/** Counts alone are written down this often. */
const COUNTS_MS = 600_000;
const PROMISE_POLL_MS = 5_000;
const ONE_TIME = 60_000;

/** What is known of one batch besides its record. */
interface Sight {
  readonly askedMs: number;
  readonly absences: number;
  readonly absentSinceMs: number;
}

/** Asks what became of the batches that run. A poll that fails changes nothing. */
export class Watching {
  readonly #parts: Parts;
  readonly #sights = new Map<SubmissionId, Sight>();
  /** The latest word on each, also where only counts moved, which is not worth a write. */
  readonly #latest = new Map<SubmissionId, RemoteBatch>();
  /** Since when a batch that ended is without files that it should have, monotonic. */
  readonly #promisedSinceMs = new Map<SubmissionId, number>();
  #slowness = 1;
  #failures = 0;
  #notBeforeMs = 0;
  #requests = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  latest(id: SubmissionId, record: BatchRecord): RemoteBatch | null {
    const latest = this.#latest.get(id);
    return latest !== undefined && latest.id === record.batch?.id ? latest : record.batch;
  }

  /** The batch ended, and should have files that the API does not name yet. After a while it is taken at its word. */
  isPromised(id: SubmissionId, record: BatchRecord): boolean {
    if (record.batch === null || !promisesFiles(record.batch)) return false;
    const sinceMs = this.#promisedSinceMs.get(id) ?? this.#parts.clock.monotonicMs();
    this.#promisedSinceMs.set(id, sinceMs);
    // A time in which nobody answered does not count.
    const askedMs = this.#sights.get(id)?.askedMs ?? sinceMs;
    return askedMs - sinceMs < this.#parts.settings().lookSeconds * 1_000;
  }

  #targets(): [SubmissionId, BatchRecord][] {
    return [...this.#parts.shelf.index.active].filter(([id, record]) => {
      if (record.state === 'open') return true;
      return record.state === 'settled' && this.isPromised(id, record);
    });
  }

  #dueMs(id: SubmissionId, record: BatchRecord): number {
    const sight = this.#sights.get(id);
    if (sight === undefined) return 0;
    if (record.state === 'settled') return sight.askedMs + PROMISE_POLL_MS * this.#slowness;
    const { api, clock, settings } = this.#parts;
    const createdMs = (record.batch?.createdAt ?? record.wantedAt) * 1_000;
    const ageMs = Math.max(0, (api.serverNowMs() ?? clock.wallMs()) - createdMs);
    const pace = { pollSeconds: settings().pollSeconds, slowness: this.#slowness };
    return sight.askedMs + pollAfterMs({ said: saidOf(record.batch), ageMs }, pace);
  }

  /** Monotonic; infinity: nothing is open. */
  get nextMs(): number {
    const due = Math.min(...this.#targets().map(([id, record]) => this.#dueMs(id, record)));
    return Math.max(this.#notBeforeMs, due);
  }

  /** A batch that was just begun has been seen. */
  sawBegin(id: SubmissionId): void {
    this.#sights.set(id, { askedMs: this.#parts.clock.monotonicMs(), absences: 0, absentSinceMs: 0 });
  }

  /** One round: list pages for all, and single requests for those that the pages did not reach. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#parts;
    const before = this.#requests;
    const targets = this.#targets();
    const nowMs = clock.monotonicMs();
    const due = targets.filter(([id, record]) => this.#dueMs(id, record) <= nowMs);
    if (due.length === 0) return;
    try {
      const seen = await this.#readPages(targets, due, signal);
      await this.heard(seen.values(), signal);
      await this.#askSingly(
        due.filter(([, { batch }]) => batch !== null && !seen.has(batch.id)),
        signal,
      );
      this.#failures = 0;
      this.#slowness = slownessAfter(this.#slowness, false);
      const areNew = due.some(([, { batch }]) => saidOf(batch) === 'validating');
      const pace = { pollSeconds: settings().pollSeconds, slowness: this.#slowness };
      this.#notBeforeMs = nowMs + sweepAfterMs(this.#requests - before, areNew, pace);
    } catch (error) {
      signal.throwIfAborted();
      const fault = survivable(error);
      this.#failures += 1;
      if (fault.rule === 'rate-limit') this.#slowness = slownessAfter(this.#slowness, true);
      const pauseMs = growingPauseMs(this.#failures, FAILED_SWEEP_MS.first, FAILED_SWEEP_MS.last);
      this.#notBeforeMs = clock.monotonicMs() + Math.max(pauseMs, fault.retryAfterMs ?? 0);
      this.#told(fault.message);
    }
  }

  #lastTold = '';
  /** Once, until a sweep succeeds. */
  #told(message: string): void {
    if (this.#failures === 1) this.#lastTold = '';
    if (this.#lastTold !== '') return;
    this.#lastTold = message;
    this.#parts.listener({ kind: 'warning', message: `batches cannot be watched: ${message}` });
  }

  async #readPages(
    targets: readonly [SubmissionId, BatchRecord][],
    due: readonly [SubmissionId, BatchRecord][],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, RemoteBatch>> {
    const most = pagesFor(targets.length);
    if (most === 0) return new Map();
    const wanted = due.map(([, { batch }]) => batch?.id ?? '');
    const isEnough = (seen: ReadonlyMap<string, RemoteBatch>, pages: number): boolean =>
      pages >= most || wanted.every((id) => seen.has(id));
    const { batches, pages } = await readList(this.#parts.api, Number.NEGATIVE_INFINITY, isEnough, signal);
    this.#requests += pages;
    return batches;
  }

  async #askSingly(unreached: readonly [SubmissionId, BatchRecord][], signal: AbortSignal): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    const singles = singlesOf(unreached, ([id]) => nowMs - (this.#sights.get(id)?.askedMs ?? 0));
    for (const [id, { batch }] of singles) {
      if (batch === null) continue;
      this.#requests += 1;
      const said = await this.#parts.api.retrieve(batch.id, signal);
      if (said === null) await this.#absent(id, batch, signal);
      else await this.heard([said], signal);
    }
  }

  async #absent(id: SubmissionId, batch: RemoteBatch, signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#parts;
    const nowMs = clock.monotonicMs();
    const known = this.#sights.get(id);
    const absences = (known?.absences ?? 0) + 1;
    const absentSinceMs = absences === 1 ? nowMs : (known?.absentSinceMs ?? nowMs);
    this.#sights.set(id, { askedMs: nowMs, absences, absentSinceMs });
    if (absences < ABSENCES || nowMs - absentSinceMs < Math.min(ONE_TIME, settings().lookSeconds * 1_000))
      return;
    await this.heard([{ ...batch, status: LOST }], signal);
  }

  /** What the server said of any batches, ours or not, however it came. */
  async heard(said: Iterable<RemoteBatch>, signal: AbortSignal): Promise<void> {
    const { clock, shelf } = this.#parts;
    const byBatch = new Map<string, SubmissionId>();
    for (const [id, { batch }] of this.#targets()) if (batch !== null) byBatch.set(batch.id, id);
    const heard: [SubmissionId, RemoteBatch][] = [];
    for (const batch of said) {
      const id = byBatch.get(batch.id);
      if (id === undefined) continue;
      heard.push([id, batch]);
      if (batch.status !== LOST) {
        this.#sights.set(id, { askedMs: clock.monotonicMs(), absences: 0, absentSinceMs: 0 });
      }
    }
    if (heard.length === 0) return;
    const before = new Map(heard.map(([id]) => [id, shelf.records.get(id)]));
    await shelf.record(() => ({ records: this.#recordsAfter(heard) }), signal);
    for (const [id, batch] of heard) this.#tell(id, before.get(id), batch);
  }

  #recordsAfter(heard: readonly [SubmissionId, RemoteBatch][]): Record<SubmissionId, BatchRecord> {
    const { shelf } = this.#parts;
    const now = nowSeconds(this.#parts);
    const changed: Record<SubmissionId, BatchRecord> = {};
    for (const [id, batch] of heard) {
      const record = shelf.records.get(id);
      if (record === undefined || record.batch?.id !== batch.id) continue;
      const next = afterSaid(record, batch, now);
      if (next === record) continue;
      const settled = this.#settled(next);
      if (settled.state !== record.state || isWorthWriting(record, settled)) changed[id] = settled;
      if (hasEnded(saidOf(settled.batch))) Object.assign(changed, this.#freed(id, settled));
    }
    return changed;
  }

  /** Takes its end down. */
  #settled(record: BatchRecord): BatchRecord {
    const action = planOf(record);
    const { problems } = record.batch as RemoteBatch;
    if (action === 'requeue') {
      return requeued(record, problems[0]?.message ?? 'the queue is full', this.#parts.clock.wallMs());
    }
    if (action !== 'settle') return record;
    return { ...record, state: 'settled', problem: problemOf(record.batch as RemoteBatch) ?? record.problem };
  }

  /** One of a model ended: what waits for room in its queue may try. */
  #freed(ended: SubmissionId, record: BatchRecord): Record<SubmissionId, BatchRecord> {
    const freed: Record<SubmissionId, BatchRecord> = {};
    if (saidOf(record.batch) === 'nothing') return freed;
    for (const [id, other] of this.#parts.shelf.index.active) {
      const waits = other.state === 'wanted' && other.hold?.why === 'queue';
      if (id !== ended && waits && other.file?.model === record.file?.model)
        freed[id] = { ...other, hold: null };
    }
    return freed;
  }

  #tell(id: SubmissionId, before: BatchRecord | undefined, batch: RemoteBatch): void {
    const { listener, shelf } = this.#parts;
    const record = shelf.records.get(id);
    if (before === undefined || record === undefined) return;
    const { path, problem } = record;
    const known = this.latest(id, before);
    this.#latest.set(id, batch);
    const hasMoved =
      known?.status !== batch.status || JSON.stringify(known?.counts) !== JSON.stringify(batch.counts);
    if (before.state === 'open' && record.state !== 'open') {
      this.#latest.delete(id);
      listener({ kind: 'batch-ended', path, batch: batch.id, status: batch.status, problem });
    } else if (record.state === 'open' && hasMoved) {
      listener({ kind: 'batch-progress', path, batch: batch.id, status: batch.status, counts: batch.counts });
    }
  }
}

/** Counts move all the time: they are worth a write only now and then. */
function isWorthWriting(before: BatchRecord, after: BatchRecord): boolean {
  const stable = ({ batch }: BatchRecord): string => JSON.stringify({ ...batch, counts: null, usage: null });
  if (stable(before) !== stable(after)) return true;
  const movedAt = (after.polledAt ?? 0) - (before.polledAt ?? 0);
  return JSON.stringify(before.batch) !== JSON.stringify(after.batch) && movedAt * 1_000 >= COUNTS_MS;
}

function problemOf(batch: RemoteBatch): string | null {
  const [first] = batch.problems;
  if (saidOf(batch) === 'lost') return 'the API does not know its batch any more';
  if (first === undefined) return null;
  const line = first.line === null ? '' : `line ${first.line}: `;
  const more = batch.problems.length > 1 ? ` (and ${batch.problems.length - 1} more)` : '';
  return `${line}${first.message || first.code}${more}`;
}
