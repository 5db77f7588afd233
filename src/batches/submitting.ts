import type { BatchRecord, RemoteBatch, SubmissionId } from '../contract/batch.ts';
import { massSubmit, type BatchListener } from '../contract/batch-report.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';
import { survivable } from '../contract/faults.ts';
import type { Clock } from '../contract/ports.ts';
import { nowSeconds } from '../contract/times.ts';
import { LEFT_ALONE, createsHold, guardSubmissions, setBack } from './cost-guards.ts';
import { planOf } from './batch-plan.ts';
import type { GuardVerdict, Hold } from './cost-guards.ts';
import { budgetAgainst } from './day-budget.ts';
import type { Gate } from './gate.ts';
import type { LookUp } from './look-up.ts';
import type { ReadRequests } from './ports.ts';
import { STATE_RETRY_MS, type Shelf } from './shelf.ts';
import type { Submission } from './submission.ts';

interface Parts {
  readonly clock: Clock;
  readonly gate: Gate;
  readonly held: () => string | null;
  readonly heard: (said: Iterable<RemoteBatch>, signal: AbortSignal) => Promise<void>;
  readonly listener: BatchListener;
  readonly lookUp: LookUp;
  readonly readRequests: ReadRequests;
  readonly sawBegin: (id: SubmissionId) => void;
  readonly settings: () => BatchSettings;
  readonly shelf: Shelf;
  readonly submission: Submission;
}

const UNREAD_MS = 30_000;

/** Which submission goes next, and everything that holds it back. What is unknown is looked up first. */
export class Submitting {
  readonly #parts: Parts;
  /** Whose requests could not be read: until when, monotonic, and why. */
  readonly #unread = new Map<SubmissionId, { readonly untilMs: number; readonly why: string }>();
  #verdict: GuardVerdict = { go: null, holds: new Map(), flood: [] };
  #isFlooded = false;
  #notBeforeMs = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `mayBegin`: everything that was recorded is taken down, so that nothing is submitted that is gone by now. */
  due(nowMs: number, mayBegin: boolean): { readonly isDue: boolean; readonly nextMs: number } {
    const { gate, lookUp } = this.#parts;
    this.#judge();
    const begins = mayBegin && (this.#verdict.go !== null || this.#floodIsNew || this.#isSetBack);
    const isDue = nowMs >= this.#notBeforeMs && (begins || lookUp.nextMs <= nowMs);
    const holds = [...this.#verdict.holds.values()].map(({ until }) => this.#monotonicAt(until));
    const unread = [...this.#unread.values()].map(({ untilMs }) => untilMs);
    const opensAtMs = gate.opensAtMs ?? Number.POSITIVE_INFINITY;
    const times = [this.#notBeforeMs, lookUp.nextMs, opensAtMs, ...holds, ...unread].filter(
      (each) => each > nowMs,
    );
    return { isDue, nextMs: Math.min(Number.POSITIVE_INFINITY, ...times) };
  }

  holdOf(id: SubmissionId): Hold | null {
    const record = this.#parts.shelf.records.get(id);
    // What is left alone is not even judged.
    if (record?.leftAlone === true && record.state === 'wanted') return LEFT_ALONE;
    return this.#verdict.holds.get(id) ?? null;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, shelf } = this.#parts;
    const fault = await shelf.try(() => this.#step(signal));
    if (fault !== null) this.#notBeforeMs = clock.monotonicMs() + STATE_RETRY_MS;
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { clock, heard, lookUp, sawBegin, shelf, submission } = this.#parts;
    if (lookUp.nextMs <= clock.monotonicMs()) {
      const listed = await lookUp.look((id) => this.#mayPostAgain(id), signal);
      await heard(listed.values(), signal);
      return;
    }
    await shelf.change(() => {
      const memory = setBack(shelf.memory, nowSeconds(this.#parts));
      return memory === shelf.memory ? null : { memory };
    });
    this.#judge();
    if (this.#floodIsNew) await this.#holdFlood();
    const { go } = this.#verdict;
    const record = go === null ? undefined : shelf.records.get(go);
    if (go === null || record === undefined) return;
    if (planOf(record) === 'read-requests') {
      await this.#read(go, record, signal);
      return;
    }
    await submission.begin(go, (id) => this.#judge().go === id, signal);
    sawBegin(go);
  }

  #judge(): GuardVerdict {
    const { shelf, settings } = this.#parts;
    const wanted: [SubmissionId, BatchRecord][] = [];
    const begun: BatchRecord[] = [];
    for (const [id, record] of shelf.index.active) {
      if (record.state === 'wanted' && record.wish === null) wanted.push([id, record]);
      else if (record.state === 'submitting' || record.state === 'open') begun.push(record);
    }
    const now = nowSeconds(this.#parts);
    const judged = guardSubmissions({
      begun,
      memory: shelf.memory,
      settings: settings(),
      now,
      all: this.#all,
      wanted: wanted.filter(([id]) => !this.#isUnread(id)),
    });
    const holds = new Map(judged.holds);
    for (const [id, { why }] of this.#unread) holds.set(id, { why: 'input', text: why, until: null });
    this.#verdict = { ...judged, holds };
    return this.#verdict;
  }

  get #all(): Hold | null {
    const { gate, held } = this.#parts;
    const text = held();
    return text === null ? gate.hold : { why: 'paused', text, until: null };
  }

  #isUnread(id: SubmissionId): boolean {
    const unread = this.#unread.get(id);
    if (unread === undefined) return false;
    if (this.#parts.clock.monotonicMs() < unread.untilMs) return true;
    this.#unread.delete(id);
    return false;
  }

  async #read(id: SubmissionId, record: BatchRecord, signal: AbortSignal): Promise<void> {
    const { clock, readRequests, shelf } = this.#parts;
    let why = 'its requests cannot be read: the file is another one by now, or gone';
    try {
      const file = await readRequests(record.path, record.sha256, signal);
      if (file !== null) {
        await shelf.update(id, (now) => (now.file === null ? { ...now, file } : now));
        return;
      }
    } catch (error) {
      signal.throwIfAborted();
      why = `its requests cannot be read: ${survivable(error).message}`;
    }
    this.#unread.set(id, { untilMs: clock.monotonicMs() + UNREAD_MS, why });
  }

  /** The limits hold for a second POST too; that it was counted before is no reason to pass them. */
  #mayPostAgain(id: SubmissionId): boolean {
    const { settings, shelf } = this.#parts;
    const record = shelf.records.get(id);
    const { perHour, maxPerDay } = settings();
    if (record === undefined || this.#all !== null || record.wish === 'cancel') return false;
    const now = nowSeconds(this.#parts);
    return (
      createsHold(shelf.memory, perHour, now) === null &&
      budgetAgainst(record, shelf.memory, maxPerDay, now) === null
    );
  }

  get #isSetBack(): boolean {
    const { memory } = this.#parts.shelf;
    return setBack(memory, nowSeconds(this.#parts)) !== memory;
  }

  get #floodIsNew(): boolean {
    const { records } = this.#parts.shelf;
    return this.#verdict.flood.some((id) => records.get(id)?.hold?.why !== 'approval');
  }

  async #holdFlood(): Promise<void> {
    const { listener, shelf } = this.#parts;
    await shelf.change(() => {
      const { flood, holds } = this.#judge();
      const held: Record<SubmissionId, BatchRecord> = {};
      for (const id of flood) {
        const record = shelf.records.get(id);
        const hold = holds.get(id);
        if (record === undefined || record.hold?.why === 'approval') continue;
        const text = hold?.why === 'approval' ? hold.text : 'of a flood of new submissions';
        held[id] = { ...record, hold: { why: 'approval', text, until: null } };
      }
      return { records: held };
    });
    if (this.#isFlooded) return;
    this.#isFlooded = true;
    const [first] = this.#verdict.flood;
    const cause = (first === undefined ? null : shelf.records.get(first)?.hold?.text) ?? '';
    listener({ kind: 'halted', ...massSubmit, cause });
  }

  async approve(): Promise<number> {
    const { listener, shelf } = this.#parts;
    let count = 0;
    await shelf.change(() => {
      const approved: Record<SubmissionId, BatchRecord> = {};
      for (const [id, record] of shelf.index.active) {
        if (record.hold?.why === 'approval') approved[id] = { ...record, approved: true, hold: null };
      }
      count = Object.keys(approved).length;
      return { records: approved };
    });
    if (count > 0) listener({ kind: 'resumed', name: 'mass-submit' });
    this.#isFlooded = false;
    return count;
  }

  #monotonicAt(until: number | null): number {
    if (until === null) return Number.POSITIVE_INFINITY;
    const { clock } = this.#parts;
    return clock.monotonicMs() + Math.max(0, until * 1_000 - clock.wallMs());
  }
}
