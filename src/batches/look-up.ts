import { isOver, type BatchRecord, type RemoteBatch, type SubmissionId } from '../contract/batch.ts';
import { command } from '../contract/command.ts';
import { survivable } from '../contract/faults.ts';
import { serverNowSeconds } from '../contract/times.ts';
import { hasEnded, saidOf } from './batch-status.ts';
import { readList } from './list-reading.ts';
import { growingPauseMs } from './poll-times.ts';
import type { Submission, SubmissionParts } from './submission.ts';
import { habitShown, matchesOf, readBackTo } from './submission-match.ts';
import type { Match, MetadataHabit } from './submission-match.ts';

/** Whole looks that have to miss it before it counts as not stored. */
const LOOKS = 3;
const FAILED_LOOK_MS = { first: 10_000, last: 300_000 };
/** After two POSTs nobody found, only a person may go on; it is still looked for. */
const SLOW_LOOK_MS = 600_000;
const TWIN_LOOK_MS = 300_000;

interface Search {
  /** When it was first looked for in this process, monotonic. */
  readonly sinceMs: number;
  readonly nextMs: number;
  readonly failures: number;
}

/** What became of POSTs without an answer, and whether a second one made a twin. */
export class LookUp {
  readonly #parts: SubmissionParts;
  readonly #submission: Submission;
  readonly #searches = new Map<SubmissionId, Search>();
  /** Why a search is stuck, for who asks. */
  readonly #stuck = new Map<SubmissionId, string>();
  readonly #unfound = new Set<SubmissionId>();
  #habit: MetadataHabit = 'unknown';

  constructor(parts: SubmissionParts, submission: Submission) {
    this.#parts = parts;
    this.#submission = submission;
    for (const [id, record] of parts.shelf.records) this.#learn(id, record);
  }

  stuck(id: SubmissionId): string | null {
    return this.#stuck.get(id) ?? null;
  }

  /** Its second POST was not answered either, and no list shows it. */
  needsPerson(id: SubmissionId): boolean {
    return this.#unfound.has(id);
  }

  /** What is to be looked for: what was begun and not answered, and what may have a twin. */
  #targets(): [SubmissionId, BatchRecord][] {
    const { active } = this.#parts.shelf.index;
    return [...active].filter(([, record]) => record.state === 'submitting' || record.twinsUntil !== null);
  }

  /** Those whose last POST was of an earlier process, and that were not looked for yet in this one. */
  get isFirstLookDue(): boolean {
    return this.#targets().some(([id, { state }]) => state === 'submitting' && !this.#searches.has(id));
  }

  /** Monotonic; infinity: never. */
  get nextMs(): number {
    const times = this.#targets().map(([id]) => this.#searches.get(id)?.nextMs ?? 0);
    return Math.min(Number.POSITIVE_INFINITY, ...times);
  }

  lookNow(id: SubmissionId): void {
    const search = this.#searches.get(id);
    if (search !== undefined) this.#searches.set(id, { ...search, nextMs: 0 });
  }

  /** Reads the list once for all that are due. `may`: whether this one may have its second POST now. */
  async look(
    may: (id: SubmissionId) => boolean,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, RemoteBatch>> {
    const { api, clock, shelf } = this.#parts;
    const startedMs = clock.monotonicMs();
    const due = this.#targets().filter(([id]) => (this.#searches.get(id)?.nextMs ?? 0) <= startedMs);
    if (due.length === 0) return new Map();
    for (const [id, record] of shelf.index.active) this.#learn(id, record);
    try {
      const backTo = Math.min(...due.map(([, record]) => readBackTo(record)));
      const { batches } = await readList(api, backTo, () => false, signal);
      for (const [id] of due) await this.#judge(id, batches, startedMs, may, signal);
      return batches;
    } catch (error) {
      signal.throwIfAborted();
      const { message } = survivable(error);
      for (const [id] of due) this.#failed(id, message);
      return new Map();
    }
  }

  #failed(id: SubmissionId, message: string): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const known = this.#searches.get(id);
    const failures = (known?.failures ?? 0) + 1;
    const nextMs = nowMs + growingPauseMs(failures, FAILED_LOOK_MS.first, FAILED_LOOK_MS.last);
    this.#searches.set(id, { sinceMs: known?.sinceMs ?? nowMs, nextMs, failures });
    this.#stuck.set(id, `whether it was begun is not known, and it cannot be looked up: ${message}`);
  }

  async #judge(
    id: SubmissionId,
    batches: ReadonlyMap<string, RemoteBatch>,
    startedMs: number,
    may: (id: SubmissionId) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const record = this.#parts.shelf.records.get(id);
    if (record === undefined) return;
    this.#stuck.delete(id);
    this.#unfound.delete(id);
    const matches = matchesOf(id, record, batches.values(), this.#habit, (batch) =>
      this.#isOthers(id, record, batch),
    );
    const isBegun = record.batch !== null || isOver(record.state);
    if (!isBegun && matches.length > 0) await this.#found(id, matches, signal);
    else if (record.state !== 'submitting') await this.#watchTwins(id, record, matches, signal);
    else await this.#missed(id, startedMs, may, signal);
  }

  async #found(id: SubmissionId, matches: readonly Match[], signal: AbortSignal): Promise<void> {
    const [first, ...younger] = matches;
    if (first === undefined) return;
    const before = this.#parts.shelf.records.get(id);
    // One POST makes no twins: what else uses its input is another's.
    const mayHaveTwins = before?.submission?.posts === 2 || before?.twinsUntil !== null;
    this.#searches.delete(id);
    await this.#submission.opened(id, first.batch, first.by, signal);
    if (mayHaveTwins && younger.length > 0) await this.#tellTwins(id, younger, signal);
  }

  async #missed(
    id: SubmissionId,
    startedMs: number,
    may: (id: SubmissionId) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { api, settings, shelf } = this.#parts;
    const lookMs = settings().lookSeconds * 1_000;
    const sinceMs = this.#searches.get(id)?.sinceMs ?? startedMs;
    await shelf.update(id, (record) => {
      const { submission } = record;
      if (record.state !== 'submitting' || submission === null) return record;
      const lookedSinceMs = submission.lookedSinceMs ?? api.serverNowMs();
      return { ...record, submission: { ...submission, looks: submission.looks + 1, lookedSinceMs } };
    });
    const { submission } = shelf.records.get(id) as BatchRecord;
    if (submission === null) return;
    const serverNowMs = api.serverNowMs();
    const { lookedSinceMs, looks, posts } = submission;
    const byServerMs = lookedSinceMs === null || serverNowMs === null ? 0 : serverNowMs - lookedSinceMs;
    const isOut = looks >= LOOKS && Math.max(byServerMs, startedMs - sinceMs) >= lookMs;
    const pauseMs = isOut ? SLOW_LOOK_MS : lookMs / (LOOKS - 1);
    this.#searches.set(id, { sinceMs, nextMs: startedMs + pauseMs, failures: 0 });
    if (!isOut) return;
    if (shelf.records.get(id)?.wish === 'cancel') await this.#notBegun(id);
    else if (posts < 2) await this.#again(id, may, signal);
    else {
      const next = command('batch', 'resolve', shelf.records.get(id)?.path ?? '');
      this.#unfound.add(id);
      this.#stuck.set(
        id,
        `two requests to begin it were not answered, and no list shows it: ${next} looks once more, and with --batch ID or --none you say what became of it`,
      );
    }
  }

  /** It was not begun, and is wanted as before. Should it turn up late, it is found by the watch for twins. */
  async #notBegun(id: SubmissionId, by: Partial<BatchRecord> = {}): Promise<void> {
    const twinsUntil = this.#submission.twinsUntil();
    await this.#parts.shelf.update(id, (record) =>
      record.state === 'submitting'
        ? { ...record, state: 'wanted', submission: null, problem: null, twinsUntil, ...by }
        : record,
    );
  }

  async #again(id: SubmissionId, may: (id: SubmissionId) => boolean, signal: AbortSignal): Promise<void> {
    const { clock, shelf } = this.#parts;
    await this.#submission.beginAgain(id, () => may(id), signal);
    // Whatever became of it, the search begins anew; what a guard held is asked about again soon.
    const isHeld = shelf.records.get(id)?.submission?.posts === 1;
    if (!isHeld) this.#searches.delete(id);
    else {
      const sinceMs = this.#searches.get(id)?.sinceMs ?? clock.monotonicMs();
      this.#searches.set(id, { sinceMs, nextMs: clock.monotonicMs() + 60_000, failures: 0 });
    }
  }

  async #watchTwins(
    id: SubmissionId,
    record: BatchRecord,
    matches: readonly Match[],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, shelf } = this.#parts;
    const twins = matches.filter(
      ({ batch }) => batch.id !== record.batch?.id && record.twins.every((twin) => twin.id !== batch.id),
    );
    if (twins.length > 0) await this.#tellTwins(id, twins, signal);
    this.#searches.set(id, { sinceMs: 0, nextMs: clock.monotonicMs() + TWIN_LOOK_MS, failures: 0 });
    if (record.twinsUntil === null || serverNowSeconds(this.#parts) < record.twinsUntil) return;
    this.#searches.delete(id);
    await shelf.update(id, (now) => ({ ...now, twinsUntil: null }));
  }

  /** The oldest of all stays, as long as nothing was fetched; what is surely ours of the others is cancelled. */
  async #tellTwins(id: SubmissionId, twins: readonly Match[], signal: AbortSignal): Promise<void> {
    const { listener, shelf } = this.#parts;
    const byId = new Map(twins.map((match) => [match.batch.id, match]));
    await shelf.record(() => {
      const record = shelf.records.get(id);
      if (record === undefined) return null;
      const recorded = record.batch;
      const elder = twins.find(({ batch }) => (batch.createdAt ?? 0) < (recorded?.createdAt ?? 0));
      const swaps = record.state === 'open' && elder !== undefined && !hasEnded(saidOf(recorded));
      const others =
        swaps && recorded !== null
          ? [recorded, ...twins.filter((twin) => twin !== elder).map(({ batch }) => batch)]
          : twins.map(({ batch }) => batch);
      // What was only found by its input, where servers may keep metadata, may be another's: a person is told.
      const ended = (batch: RemoteBatch): boolean =>
        hasEnded(saidOf(batch)) || (byId.get(batch.id)?.by === 'input' && this.#habit !== 'drops');
      const added = others.map((batch) => ({ id: batch.id, ended: ended(batch) }));
      const problem = twinText(added);
      const stays = swaps ? { batch: elder.batch, foundBy: elder.by } : {};
      return { records: { [id]: { ...record, ...stays, twins: [...record.twins, ...added], problem } } };
    }, signal);
    const { path, problem } = shelf.records.get(id) as BatchRecord;
    listener({ kind: 'warning', message: `${path}: ${problem ?? ''}` });
  }

  #isOthers(id: SubmissionId, record: BatchRecord, batch: string): boolean {
    const { index } = this.#parts.shelf;
    for (const other of index.withInput(record.inputFileId)) {
      if (other !== id && index.records.get(other)?.batch?.id === batch) return true;
    }
    return false;
  }

  #learn(id: SubmissionId, record: BatchRecord): void {
    this.#habit = habitShown(id, record) ?? this.#habit;
  }

  /** What a person says of it: nothing was begun, or this batch was. When it is over, or was never begun, nothing is done. */
  async resolve(id: SubmissionId, word: RemoteBatch | 'none', signal: AbortSignal): Promise<void> {
    this.#searches.delete(id);
    this.#stuck.delete(id);
    if (word === 'none') await this.#notBegun(id, { byHand: true, leftAlone: false });
    else await this.#submission.opened(id, word, 'person', signal);
  }
}

function twinText(twins: readonly { readonly id: string; readonly ended: boolean }[]): string {
  const ids = twins.map(({ id }) => id).join(', ');
  return twins.every(({ ended }) => ended)
    ? `there is a second batch for it: ${ids}`
    : `it was begun twice: ${ids} is the younger batch, and is cancelled`;
}
