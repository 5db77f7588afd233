import type { BatchRecord, BatchesApi, PathRecorded, RemoteBatch, SubmissionId } from '../contract/batch.ts';
import {
  unwritableResults,
  type BatchControl,
  type BatchHalt,
  type BatchListener,
  type BatchTotals,
  type BatchView,
  type VerbReply,
  type WaitOutcome,
} from '../contract/batch-report.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';
import type { Clock } from '../contract/ports.ts';
import { nowSeconds } from '../contract/times.ts';
import type { FileId, MirrorPath } from '../contract/types.ts';
import { originOf } from './batch-index.ts';
import { cancelByHand, latestAt, retryByHand, submitByHand } from './batch-verbs.ts';
import type { VerbChange, VerbInput } from './batch-verbs.ts';
import { floodHalts, totalsOf, isHalting, viewOf, viewsOf } from './batch-views.ts';
import type { ViewInput } from './batch-views.ts';
import { Cancelling } from './cancelling.ts';
import type { Hold } from './cost-guards.ts';
import { Gate } from './gate.ts';
import { Harvest } from './harvest.ts';
import { madeIds, userOf } from './in-use.ts';
import { Lanes } from './lanes.ts';
import { LookUp } from './look-up.ts';
import type { BatchBook, FileRemover, MirroredFiles, ReadRequests, ResultsDesk } from './ports.ts';
import { Shelf } from './shelf.ts';
import { Submission } from './submission.ts';
import type { SubmissionParts } from './submission.ts';
import { Waiters } from './waiters.ts';
import { Submitting } from './submitting.ts';
import { Wanting } from './wanted.ts';
import { Watching } from './watching.ts';

export interface BatchDeskParts {
  readonly api: BatchesApi;
  readonly book: BatchBook;
  readonly clock: Clock;
  readonly results: ResultsDesk;
  readonly listener: BatchListener;
  readonly mirrorId: string;
  readonly mirrored: MirroredFiles;
  /** A new UUID. */
  readonly newId: () => SubmissionId;
  readonly readRequests: ReadRequests;
  readonly remover: FileRemover;
  readonly settings: BatchSettings;
  /** Why the mirror sends nothing now (paused, or a halt of all that is sent); null: it does. */
  readonly held: () => string | null;
}

/** At least this often it is looked what is due, whatever wakes it. */
const LONGEST_TICK_MS = 60_000;
const RESULTS_AT_ONCE = 2;
/** From mirrored files of requests to their answers: what is due is done in lanes, each one thing at a time. */
export class BatchDesk implements BatchControl {
  readonly #parts: BatchDeskParts;
  #settings: BatchSettings;
  readonly #shelf: Shelf;
  readonly #gate: Gate;
  readonly #lookUp: LookUp;
  readonly #submitting: Submitting;
  readonly #wanting: Wanting;
  readonly #watching: Watching;
  readonly #cancelling: Cancelling;
  readonly #harvest: Harvest;
  readonly #lanes: Lanes;
  readonly #waiters: Waiters;

  constructor(parts: BatchDeskParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    const { api, book, clock, listener, mirrorId, mirrored, newId, readRequests, remover, results } = parts;
    const settings = (): BatchSettings => this.#settings;
    const shelf = new Shelf(book, clock, () => this.#lanes.wake());
    const gate = new Gate(clock, listener);
    const submissionParts: SubmissionParts = { api, clock, gate, listener, mirrorId, settings, shelf };
    const submission = new Submission(submissionParts);
    const heard = (said: Iterable<RemoteBatch>, signal: AbortSignal): Promise<void> =>
      this.#watching.heard(said, signal);
    this.#lanes = new Lanes(clock);
    this.#shelf = shelf;
    this.#gate = gate;
    this.#lookUp = new LookUp(submissionParts, submission);
    this.#watching = new Watching({ api, clock, listener, settings, shelf });
    this.#cancelling = new Cancelling({ api, clock, shelf, heard });
    this.#wanting = new Wanting({ clock, mirrored, newId, settings, shelf });
    const { held } = parts;
    const lookUp = this.#lookUp;
    const watching = this.#watching;
    const sawBegin = (id: SubmissionId): void => watching.sawBegin(id);
    const own = { clock, listener, settings, shelf };
    this.#submitting = new Submitting({
      ...own,
      gate,
      held,
      heard,
      lookUp,
      readRequests,
      sawBegin,
      submission,
    });
    const mayUpload = (): boolean => held() === null;
    this.#harvest = new Harvest({ ...own, desk: results, mayUpload, newId, remover, watching });
    this.#waiters = new Waiters(shelf.index, (id, record) => this.#isHalted(id, record));
  }

  /** Begins to go round. What was recorded while nobody heard it is seen to first. */
  start(): void {
    this.#wanting.reconcile();
    this.#lanes.start(() => this.tick());
  }

  /** Ends when `stop` was called; rejects when the program cannot go on. */
  ended(): Promise<void> {
    return this.#lanes.ended();
  }

  /** Breaks off what runs, at a place from which the next start goes on, and waits for that. */
  async stop(): Promise<void> {
    await this.#lanes.stop();
  }

  reconfigure(settings: BatchSettings): void {
    this.#settings = settings;
    this.#wanting.reconcile();
    this.#lanes.wake();
  }

  /** What the mirror recorded in one change of its manifest. Never waits, never throws. */
  recorded(told: readonly PathRecorded[]): void {
    this.#wanting.told(told);
    this.#lanes.wake();
  }

  /** Who still uses this id, in words; null: nobody. */
  userOf(id: FileId): string | null {
    return userOf(id, this.#shelf.index);
  }

  /** Remote files that are ours by our batches, and in no entry of the mirror. */
  made(): ReadonlySet<FileId> {
    return madeIds(this.#shelf.records);
  }

  halts(): readonly BatchHalt[] {
    const { diskTrouble: trouble } = this.#harvest;
    const folder = this.#settings.resultsFolder;
    const disk = trouble === null ? [] : [{ ...unwritableResults, ...trouble, folder }];
    return [...floodHalts(this.#shelf.index.active.values()), ...disk];
  }

  /** Resolves when nothing runs and nothing is due: what is left waits for time, for the API, or for a person. */
  async settled(signal: AbortSignal): Promise<void> {
    await this.#lanes.idle(signal);
  }

  /** Starts what is due and says when, monotonic, it wants to be called again; earlier when something happened. */
  tick(): number {
    const nowMs = this.#parts.clock.monotonicMs();
    const next: number[] = [nowMs + LONGEST_TICK_MS];
    this.#lanes.try('wanting', this.#wanting.isDue(nowMs), (signal) => this.#wanting.run(signal));
    const submitting = this.#submitting.due(nowMs, !this.#wanting.isDue(nowMs));
    next.push(submitting.nextMs, this.#wanting.nextMs);
    this.#lanes.try('submission', submitting.isDue, (signal) => this.#submitting.run(signal));
    const watchMs = Math.min(this.#watching.nextMs, this.#cancelling.nextMs);
    this.#lanes.try('watch', watchMs <= nowMs, async (signal) => {
      await this.#cancelling.round(signal);
      await this.#watching.sweep(signal);
    });
    const harvest = this.#harvest.due();
    for (const id of harvest.ids) {
      if (this.#lanes.countOf('results') >= RESULTS_AT_ONCE) break;
      this.#lanes.try(`results ${id}`, true, (signal) => this.#harvest.step(id, signal));
    }
    next.push(watchMs, harvest.nextMs);
    if (!this.#wanting.isPending) this.#waiters.tell();
    // What is due already runs, or waits for a lane; its end wakes the loop.
    return Math.min(...next.filter((each) => each > nowMs));
  }

  // ── verbs ──

  async submit(paths: readonly MirrorPath[], { again = false } = {}): Promise<readonly VerbReply[]> {
    this.#gate.tryNow();
    return await this.#verb(paths, (path, input) => submitByHand(path, again, input));
  }

  async cancel(paths: readonly MirrorPath[]): Promise<readonly VerbReply[]> {
    return await this.#verb(paths, cancelByHand);
  }

  async retry(paths: readonly MirrorPath[]): Promise<readonly VerbReply[]> {
    this.#gate.tryNow();
    this.#harvest.tryNow();
    return await this.#verb(paths, retryByHand);
  }

  /** A person's word on a submission of unknown outcome. Null: it is looked for now. */
  async resolve(path: MirrorPath, word: { readonly batch: string } | 'none' | null): Promise<VerbReply> {
    const found = latestAt(path, this.#verbInput(), ({ state }) => state === 'submitting');
    if (found === null) return { path, done: false, text: 'nothing about it is unknown' };
    const [id] = found;
    const { signal } = this.#lanes;
    if (word === null) {
      this.#lookUp.lookNow(id);
      this.#lanes.wake();
      return { path, done: true, text: 'it is looked for in the list now' };
    }
    if (word === 'none') {
      await this.#lanes.alone('submission', () => this.#lookUp.resolve(id, 'none', signal));
      return { path, done: true, text: 'it will be submitted again' };
    }
    const batch = await this.#parts.api.retrieve(word.batch, signal);
    if (batch === null) return { path, done: false, text: `the API knows no batch ${word.batch}` };
    await this.#lanes.alone('submission', () => this.#lookUp.resolve(id, batch, signal));
    return { path, done: true, text: `its batch is ${batch.id}` };
  }

  /** Lets a flood go; how many. */
  async approveSubmits(): Promise<number> {
    return await this.#submitting.approve();
  }

  list(): readonly BatchView[] {
    return viewsOf(this.#viewInput());
  }

  totals(): BatchTotals {
    const { clock } = this.#parts;
    const inMs = this.#watching.nextMs - clock.monotonicMs();
    const nextPoll = Number.isFinite(inMs)
      ? new Date(clock.wallMs() + Math.max(0, inMs)).toISOString()
      : null;
    return totalsOf(this.list(), nextPoll);
  }

  /** The latest at this path; null: there is none. */
  show(path: MirrorPath): BatchView | null {
    const found = latestAt(path, this.#verbInput());
    return found === null ? null : viewOf(originOf(...found), this.#viewInput());
  }

  /** Until all of these (null: all that there are) have ended, or only halts are left. */
  async wait(paths: readonly MirrorPath[] | null, signal: AbortSignal): Promise<WaitOutcome> {
    const found = (paths ?? []).map((path) => latestAt(path, this.#verbInput()));
    const origins = found.filter((each) => each !== null).map(([id, record]) => originOf(id, record));
    this.#lanes.wake();
    return await this.#waiters.wait(paths === null ? null : origins, signal);
  }

  #isHalted(id: SubmissionId, record: BatchRecord): boolean {
    if (record.state === 'submitting') return this.#lookUp.needsPerson(id);
    // Its failed lines wait for a place to be sent.
    if (record.state === 'settled') return this.#parts.held() !== null || this.#harvest.waitsForDisk(id);
    if (record.state !== 'wanted') return false;
    const hold = this.#submitting.holdOf(id);
    return record.leftAlone || (hold !== null && isHalting(hold));
  }

  async #verb(
    paths: readonly MirrorPath[],
    verb: (path: MirrorPath, input: VerbInput) => VerbChange,
  ): Promise<readonly VerbReply[]> {
    const replies: VerbReply[] = [];
    await this.#shelf.change(() => {
      const changes = paths.map((path) => verb(path, this.#verbInput()));
      replies.push(...changes.map(({ reply }) => reply));
      return { records: Object.assign({}, ...changes.map(({ records }) => records)) };
    });
    this.#lanes.wake();
    return replies;
  }

  #verbInput(): VerbInput {
    const { mirrored, newId } = this.#parts;
    return { index: this.#shelf.index, files: mirrored.files, now: nowSeconds(this.#parts), newId };
  }

  #viewInput(): ViewInput {
    return {
      index: this.#shelf.index,
      holdOf: (id, record) => this.#holdOf(id, record),
      latest: (id, record) => this.#watching.latest(id, record),
      serverNowMs: this.#parts.api.serverNowMs(),
    };
  }

  #holdOf(id: SubmissionId, record: BatchRecord): Hold | null {
    if (record.state === 'wanted') return this.#submitting.holdOf(id);
    const text = record.state === 'submitting' ? this.#lookUp.stuck(id) : this.#harvest.stuck(id);
    return text === null ? null : { why: 'server', text, until: null };
  }
}
