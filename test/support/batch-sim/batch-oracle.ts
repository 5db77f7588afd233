import type { BatchRecord, BatchRequest } from '../../../src/contract/batch.ts';
import type { BatchSettings } from '../../../src/contract/batch-settings.ts';
import { dateOf } from '../../../src/batches/day-budget.ts';
import type { SimClock } from '../sim/sim-clock.ts';
import type { BatchState } from './batch-ports.ts';
import type { BatchServer, ServerBatch } from './batch-server.ts';
import type { ResultsState } from './sim-results.ts';

const HOUR_MS = 3_600_000;

/** What must be true of every life. It sees both sides: the records as they are durable, and the server's truth. */
export class BatchOracle {
  readonly clock: SimClock;
  readonly violations: string[] = [];
  /** Versions that a person had begun anew: so often they may be begun once more. */
  readonly permits = new Map<string, number>();
  readonly #refusedForEver = new Map<string, boolean>();
  readonly #posts: { readonly atMs: number; readonly isFresh: boolean }[] = [];
  readonly #days = new Map<string, Set<string>>();
  readonly #state: BatchState;
  readonly #results: ResultsState;
  readonly #settings: () => BatchSettings;
  /** The wall clock never jumped: limits by the hour and the day hold to the second. */
  isSteady = true;
  /** The server stored something late, or lists lag longer than is waited for: a twin may be, and must be told. */
  isBad = false;
  isPaused = false;
  server: BatchServer | null = null;

  constructor(clock: SimClock, state: BatchState, results: ResultsState, settings: () => BatchSettings) {
    this.clock = clock;
    this.#state = state;
    this.#results = results;
    this.#settings = settings;
  }

  #fail(text: string): void {
    if (this.violations.length < 5)
      this.violations.push(`${(this.clock.monotonicMs() / 1_000).toFixed(1)} s: ${text}`);
  }

  #recordOf(request: BatchRequest): BatchRecord | undefined {
    return this.#state.records.get(request.metadata['files_mirror_submission'] ?? '');
  }

  /** A POST goes out. */
  posting(request: BatchRequest): void {
    const record = this.#recordOf(request);
    if (record?.state !== 'submitting' || record.submission === null) {
      this.#fail('a POST whose record is not durable');
      return;
    }
    const settings = this.#settings();
    if (this.isPaused) this.#fail('a POST while paused');
    if (record.leftAlone) this.#fail(`${record.path} was there before submitting was switched on`);
    const nowMs = this.clock.monotonicMs();
    const isFresh = record.generation === 0 && !record.byHand && !record.approved && record.attempt === 1;
    const isFirst = record.submission.posts === 1 && !this.#known.has(this.#keyOf(request));
    this.#known.add(this.#keyOf(request));
    this.#posts.push({ atMs: nowMs, isFresh: isFresh && isFirst });
    this.#limits(record, request, settings, nowMs);
    if (record.submission.posts > 2) this.#fail('more than two POSTs under one UUID');
    if (Object.keys(request.metadata).length > 16) this.#fail('more than 16 keys of metadata');
  }

  readonly #known = new Set<string>();
  #keyOf(request: BatchRequest): string {
    return request.metadata['files_mirror_submission'] ?? '';
  }

  #limits(record: BatchRecord, request: BatchRequest, settings: BatchSettings, nowMs: number): void {
    const begun = [...this.#state.records.values()].filter(
      ({ state }) => state === 'submitting' || state === 'open',
    );
    if (begun.length > settings.maxOpen && record.submission?.posts === 1)
      this.#fail(`${begun.length} are open`);
    if (!this.isSteady) return;
    const recent = this.#posts.filter(({ atMs }) => atMs > nowMs - HOUR_MS);
    if (recent.length > settings.perHour) this.#fail(`${recent.length} POSTs within an hour`);
    const fresh = recent.filter((post) => post.isFresh).length;
    if (fresh > settings.maxAtOnce) this.#fail(`a flood of ${fresh} went out`);
    const date = dateOf(Math.floor(this.clock.wallMs() / 1_000));
    const day = this.#days.get(date) ?? new Set();
    this.#days.set(date, day.add(this.#keyOf(request)));
    const { jobs, requests } = settings.maxPerDay;
    if (jobs !== null && day.size > jobs) this.#fail(`${day.size} batches on ${date}`);
    const sum = [...day].reduce((total, id) => total + (this.#state.records.get(id)?.file?.requests ?? 0), 0);
    if (requests !== null && sum > requests) this.#fail(`${sum} requests on ${date}`);
  }

  permit(version: string): void {
    this.permits.set(version, (this.permits.get(version) ?? 0) + 1);
  }

  /** One of ours was stored. */
  stored(batch: ServerBatch): void {
    const { version } = batch;
    if (version === null || this.server === null) return;
    const before = this.server.batches.filter(
      (each) =>
        each !== batch &&
        each.isOurs &&
        each.version === version &&
        !each.isQueueFull &&
        !this.#vanished(each),
    );
    const allowed = this.permits.get(version) ?? 0;
    if (before.length > allowed && !this.isBad) {
      this.#fail(
        `${version} was submitted ${before.length + 1} times: ${[...before, batch].map(({ id }) => id).join(', ')}`,
      );
    }
  }

  /** Others deleted it before anybody here could know of it. */
  #vanished({ id, isDeleted }: ServerBatch): boolean {
    return isDeleted && [...this.#state.records.values()].every(({ batch }) => batch?.id !== id);
  }

  /** Drawn once for a version: the server never takes it. */
  refusesForEver(request: BatchRequest): boolean {
    const key = this.#keyOf(request);
    const known = this.#refusedForEver.get(key) ?? this.#refusedForEver.size % 4 === 0;
    this.#refusedForEver.set(key, known);
    return known;
  }

  cancelling(batch: ServerBatch): void {
    if (!batch.isOurs) {
      this.#fail(`${batch.id} of others is cancelled`);
      return;
    }
    // What has ended meanwhile is not touched by it.
    if (this.server?.isLiving(batch) !== true) return;
    for (const record of this.#state.records.values()) {
      if (record.batch?.id === batch.id && record.wish === 'cancel') return;
      if (record.twins.some(({ id }) => id === batch.id)) return;
    }
    this.#fail(`${batch.id} is cancelled, and nobody wished it`);
  }

  deleting(id: string): void {
    const owners = [...this.#state.records].filter(
      ([, { batch, inputFileId }]) =>
        inputFileId === id || batch?.outputFileId === id || batch?.errorFileId === id,
    );
    if (owners.length === 0) {
      this.#fail(`${id}, which is no record's, is deleted`);
      return;
    }
    const isWritten = owners.some(([submission, record]) =>
      this.#results.written.has(record.of ?? submission),
    );
    const isWaiting = owners.some(([, { state }]) => state === 'submitting' || state === 'open');
    if (!isWritten || isWaiting) this.#fail(`${id} is deleted before its results are written`);
    const batch = this.server?.batches.find((each) => id === `out-${each.id}` || id === `err-${each.id}`);
    if (batch !== undefined && !batch.isOurs) this.#fail(`${id} of others is deleted`);
  }

  /** The mirror deletes an input that nobody uses, as it was told. */
  letGo(id: string): void {
    const users = this.server?.batches.filter(
      (batch) => batch.isOurs && batch.request.inputFileId === id && this.server?.isLiving(batch),
    );
    const known = users?.filter(({ id: batch }) =>
      [...this.#state.records.values()].some(
        (record) => record.batch?.id === batch && record.state === 'open',
      ),
    );
    if (known !== undefined && known.length > 0) this.#fail(`the input ${id} of ${known[0]?.id} is deleted`);
  }

  /** At the end, when all has come to rest. */
  final(warnings: readonly string[]): void {
    this.#twins(warnings);
    for (const [id, record] of this.#state.records) {
      if (record.generation === 0 && this.#results.written.has(id)) this.#answers(id, record);
    }
  }

  #twins(warnings: readonly string[]): void {
    const { records } = this.#state;
    const known = new Set<string>();
    for (const { batch, former, twins, problem } of records.values()) {
      if (batch !== null) known.add(batch.id);
      for (const id of [...former, ...twins.map((twin) => twin.id)]) known.add(id);
      for (const twin of twins) {
        if (![...warnings, problem].some((text) => text?.includes(twin.id) === true))
          this.#fail(`nobody was told of the twin ${twin.id}`);
      }
    }
    for (const batch of this.server?.batches ?? []) {
      const isForgotten = batch.isOurs && !known.has(batch.id) && !batch.isDeleted && !batch.isQueueFull;
      if (isForgotten && !this.isBad) this.#fail(`${batch.id} was begun, and no record knows it`);
    }
  }

  /** Every line of the input has the answer that the batches of its family have, or a named reason. */
  #answers(origin: string, record: BatchRecord): void {
    const family = [...this.#state.records].filter(([id, each]) => id === origin || each.of === origin);
    const written = this.#results.written.get(origin);
    const batches = family.map(([, { batch }]) => this.server?.batches.find(({ id }) => id === batch?.id));
    const lost = batches.some((batch) => batch?.isDeleted === true || batch?.outputGone === true);
    const last = family.map(([, each]) => each).toSorted((a, b) => b.generation - a.generation)[0];
    // A person wanted it once more, and then not.
    if (last?.state === 'wanted' || (last?.state === 'failed' && last.batch === null)) return;
    if (last?.results === null || written === undefined) {
      this.#fail(`${record.path} has no results`);
      return;
    }
    for (const [line, fate] of written) {
      const fates = batches.map((batch) => batch?.fates.get(line));
      if (fate === 'answered' && !fates.includes('answered'))
        this.#fail(`line ${line} of ${record.path} is made up`);
      if (fate !== 'answered' && fates.includes('answered') && !lost)
        this.#fail(`line ${line} of ${record.path} lost its answer`);
    }
    const isDone = [...written.values()].every((fate) => fate === 'answered');
    if ((last?.state === 'done') !== isDone)
      this.#fail(`${record.path} is ${last?.state}, with ${isDone ? 'all' : 'not all'} answers`);
  }
}
