/** Brings batches to where the clock says they are. What was done is in the store; what runs here can be begun anew. */
import { setTimeout as sleep } from 'node:timers/promises';

import { readRequests } from './batch-reading.ts';
import { keepResult, resultsByClock, resultsOfUpstream } from './batch-results.ts';
import type { BatchRules } from './batch-rules.ts';
import type { BatchStore } from './batch-store.ts';
import type { BatchPace, BatchStep, PlannedEnd } from './batch-timeline.ts';
import { beginning, dueStep, linesDone, plannedEnd, statusAt } from './batch-timeline.ts';
import type { FileStore } from './file-store.ts';
import { shuffled } from './shuffle.ts';
import type { BatchEnd, BatchProblem, LinesDone, StoredBatch } from './stored-batch.ts';
import type { UpstreamOptions } from './upstream-run.ts';
import { UpstreamRun } from './upstream-run.ts';

export interface BatchRunnerParts {
  readonly batches: BatchStore;
  readonly files: FileStore;
  readonly rules: BatchRules;
  readonly pace: BatchPace;
  /** Decides the order of the outputs. */
  readonly seed: number;
  /** Tokens of all batches of one model that are in progress; null: no limit. */
  readonly queueTokens: number | null;
  /** Null: the emulator answers by itself. */
  readonly upstream: UpstreamOptions | null;
  readonly nowMs: () => number;
  readonly onError: (error: unknown) => void;
}

/** How long a request waits for what is due by the clock and takes its time. */
const PATIENCE_MS = 1000;
const TICK_MS = 100;
const AFTER_ERROR_MS = 1000;

export class BatchRunner {
  readonly #parts: BatchRunnerParts;
  /** One step of a batch at a time. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #runs = new Map<string, UpstreamRun>();
  /** Which batch a line that asks for trouble once has troubled. */
  readonly #troubled = new Map<string, string>();
  readonly #ticking: NodeJS.Timeout;
  readonly #closed = new AbortController();

  constructor(parts: BatchRunnerParts) {
    this.#parts = parts;
    this.#ticking = setInterval(() => void this.#advance(), TICK_MS).unref();
  }

  /** Does what is due; resolves when it is done, or is found to take its time. */
  async catchUp(): Promise<void> {
    if (!this.#advance()) return;
    const settled = new AbortController();
    await Promise.race([
      this.settle().finally(() => settled.abort()),
      sleep(PATIENCE_MS, undefined, { ref: false, signal: settled.signal }).catch(() => {}),
    ]);
  }

  /** Does what is due, however long it takes. */
  async settle(): Promise<void> {
    while (this.#advance()) await Promise.all(this.#busy.values());
  }

  done(batch: StoredBatch): LinesDone {
    return this.#runs.get(batch.id)?.done ?? linesDone(batch, this.#parts.nowMs());
  }

  async close(): Promise<void> {
    this.#closed.abort();
    clearInterval(this.#ticking);
    await Promise.all([...this.#runs.values()].map((run) => run.stop()));
    await Promise.all(this.#busy.values());
  }

  /** Begins everything that is due; true while anything is under way. */
  #advance(): boolean {
    const { batches, pace, rules, nowMs } = this.#parts;
    let olderIsRead = true;
    for (const batch of this.#closed.signal.aborted ? [] : batches.open()) {
      const step = dueStep(batch, nowMs(), pace, rules.expires);
      if (step === 'read') olderIsRead = false;
      if (step === null) this.#runUpstream(batch);
      // Batches begin in the order of their creation, so that the same one always finds the queue full.
      if (step === null || this.#busy.has(batch.id) || (step === 'admit' && !olderIsRead)) continue;
      const work = this.#perform(batch, step).catch(async (error: unknown) => {
        if (this.#closed.signal.aborted) return;
        this.#parts.onError(error);
        await sleep(AFTER_ERROR_MS, undefined, { ref: false });
      });
      this.#busy.set(
        batch.id,
        work.finally(() => this.#busy.delete(batch.id)),
      );
    }
    return this.#busy.size > 0;
  }

  async #perform(batch: StoredBatch, step: BatchStep): Promise<void> {
    const { batches, rules, pace } = this.#parts;
    if (step === 'read') {
      const reading = await readRequests(batches.paths(batch).input, batch.endpoint, rules);
      batches.change(batch.id, { reading });
    } else if (step === 'admit') this.#admit(batch);
    else await this.#end(batch, plannedEnd(batch, pace, rules.expires));
  }

  #admit(batch: StoredBatch): void {
    const { batches, pace } = this.#parts;
    const { reading } = batch;
    if (reading === null) return;
    const begun = beginning(batch, pace);
    const problems =
      reading.problems.length > 0 ? reading.problems : this.#queueProblems(batch, begun.inProgressAtMs);
    if (problems.length === 0) batches.change(batch.id, begun);
    else {
      const end = { ...NOTHING, status: 'failed' as const, atMs: batch.createdAtMs + pace.validatingMs };
      batches.change(batch.id, { reading: { ...reading, problems: [...problems] }, end });
    }
  }

  #queueProblems({ id, reading }: StoredBatch, atMs: number | null): readonly BatchProblem[] {
    const { batches, queueTokens } = this.#parts;
    if (queueTokens === null || reading === null) return [];
    let enqueued = reading.tokens;
    for (const other of batches.all()) {
      const runs = other.inProgressAtMs !== null && (other.end === null || other.end.atMs > (atMs ?? 0));
      if (other.id !== id && runs && other.reading?.model === reading.model)
        enqueued += other.reading?.tokens ?? 0;
    }
    if (enqueued <= queueTokens) return [];
    const message = `Enqueued token limit reached for ${reading.model ?? 'this model'}. Limit: ${queueTokens} enqueued tokens. Please try again once some in_progress batches have been completed.`;
    return [{ code: 'token_limit_exceeded', message, param: null, line: null }];
  }

  #runUpstream(batch: StoredBatch): void {
    const { upstream, batches, nowMs, onError } = this.#parts;
    if (upstream === null || !batch.byUpstream) return;
    const before = this.#runs.get(batch.id);
    if (batch.cancellingAtMs !== null) void before?.stop();
    if (before !== undefined || statusAt(batch, nowMs()) !== 'in_progress') return;
    const paths = batches.paths(batch);
    const order = this.#order(batch);
    const run = new UpstreamRun({ input: paths.input, paths, order, seedOf: this.#seedOf(batch), upstream });
    this.#runs.set(batch.id, run);
    run.finished.then(
      (whole) => {
        if (whole) batches.change(batch.id, { finalizingAtMs: nowMs() });
      },
      async (error: unknown) => {
        onError(error);
        await sleep(AFTER_ERROR_MS, undefined, { ref: false });
        this.#runs.delete(batch.id);
      },
    );
  }

  async #end(batch: StoredBatch, planned: PlannedEnd): Promise<void> {
    const { files, batches } = this.#parts;
    await this.#runs.get(batch.id)?.stop();
    const end = batch.inProgressAtMs === null ? NOTHING : await this.#results(batch, planned);
    // Someone may have removed it in the meantime.
    if (batches.change(batch.id, { end: { ...end, status: planned.status, atMs: planned.atMs } }) === null) {
      for (const id of [end.outputFileId, end.errorFileId]) if (id !== null) files.remove(id);
    }
    this.#runs.delete(batch.id);
  }

  async #results(batch: StoredBatch, planned: PlannedEnd): Promise<Omit<BatchEnd, 'status' | 'atMs'>> {
    const { files, batches, rules } = this.#parts;
    const paths = batches.paths(batch);
    const order = this.#order(batch);
    const work = {
      batch,
      planned,
      input: paths.input,
      order,
      seedOf: this.#seedOf(batch),
      files,
      signal: this.#closed.signal,
    };
    const results = batch.byUpstream
      ? await resultsOfUpstream(work, paths)
      : await resultsByClock(work, (key) => this.#troubles(key, batch.id));
    const store = (name: 'output' | 'error', spool: typeof results.output): Promise<string | null> =>
      keepResult(spool, files, {
        purpose: 'batch_output',
        filename: `${batch.id}_${name}.jsonl`,
        expiresAfterSeconds: batch.outputExpiresAfterSeconds ?? rules.outputExpiresAfterSeconds,
        createdAtMs: planned.atMs,
      });
    const outputFileId = await store('output', results.output);
    const errorFileId = await store('error', results.errors);
    return { ...results.done, tokens: results.tokens, outputFileId, errorFileId };
  }

  #order({ sequence, reading }: StoredBatch): Uint32Array {
    return shuffled(reading?.requests ?? 0, this.#parts.seed * 65_537 + sequence);
  }

  #seedOf({ sequence }: StoredBatch): (index: number) => string {
    return (index) => `${this.#parts.seed}/${sequence}/${index}`;
  }

  #troubles(customId: string, batchId: string): boolean {
    const first = this.#troubled.get(customId) ?? batchId;
    this.#troubled.set(customId, first);
    return first === batchId;
  }
}

const NOTHING = {
  outputFileId: null,
  errorFileId: null,
  completed: 0,
  failed: 0,
  tokens: { input: 0, output: 0 },
};
