import type { BatchProblem, BatchRequest, RemoteBatch } from '../../../src/contract/batch.ts';
import type { SimClock } from '../sim/sim-clock.ts';
import type { SimRandom } from '../sim/sim-random.ts';
import type { BatchProfile } from './batch-profile.ts';

export const SERVER_EPOCH_MS = 1_800_000_000_000;

export type LineFate = 'answered' | 'refused' | 'passing' | 'expired' | 'missing';

/** An uploaded file of requests: which lines of which version it holds. */
export interface ServerInput {
  readonly version: string;
  readonly lines: readonly number[];
  readonly model: string;
  readonly isInvalid: boolean;
  readonly visibleMs: number;
}

export interface ServerBatch {
  readonly id: string;
  readonly isOurs: boolean;
  readonly version: string | null;
  readonly request: BatchRequest;
  readonly createdMs: number;
  readonly listedMs: number;
  readonly model: string;
  status: string;
  endedMs: number | null;
  fates: ReadonlyMap<number, LineFate>;
  readonly lines: readonly number[];
  problems: readonly BatchProblem[];
  isDeleted: boolean;
  /** It failed because the queue was full. */
  isQueueFull: boolean;
  outputGone: boolean;
}

const LIVING: ReadonlySet<string> = new Set([
  'validating',
  'in_progress',
  'finalizing',
  'cancelling',
  'pondering',
]);

/** The batch side of an API, with other people's batches in it. What happens there happens by its own clock. */
export class BatchServer {
  readonly inputs = new Map<string, ServerInput>();
  readonly batches: ServerBatch[] = [];
  readonly deletedFiles = new Set<string>();
  readonly #clock: SimClock;
  readonly #random: SimRandom;
  readonly #profile: BatchProfile;
  readonly #onStored: (batch: ServerBatch) => void;
  #isCalm = false;
  #next = 1;

  constructor(
    clock: SimClock,
    random: SimRandom,
    profile: BatchProfile,
    onStored: (batch: ServerBatch) => void,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#profile = profile;
    this.#onStored = onStored;
  }

  nowMs(): number {
    return SERVER_EPOCH_MS + this.#clock.monotonicMs();
  }

  /** From now on nobody cancels, deletes or begins anything by itself. */
  calm(): void {
    this.#isCalm = true;
  }

  addInput(input: Omit<ServerInput, 'visibleMs'>): string {
    const id = `file-in-${this.#next++}`;
    const lagMs = this.#random.int(0, this.#profile.inputLagMs);
    this.inputs.set(id, { ...input, visibleMs: this.#clock.monotonicMs() + lagMs });
    return id;
  }

  find(id: string): ServerBatch | undefined {
    return this.batches.find((batch) => batch.id === id && !batch.isDeleted);
  }

  isLiving(batch: ServerBatch): boolean {
    return LIVING.has(batch.status) && !batch.isDeleted;
  }

  create(request: BatchRequest, isOurs: boolean): ServerBatch {
    const input = this.inputs.get(request.inputFileId);
    const nowMs = this.#clock.monotonicMs();
    const batch: ServerBatch = {
      id: `batch_${this.#next++}`,
      isOurs,
      version: input?.version ?? null,
      request,
      createdMs: nowMs,
      listedMs: nowMs + this.#random.int(0, this.#profile.listLagMs),
      model: input?.model ?? 'none',
      lines: input?.lines ?? [],
      status: 'validating',
      endedMs: null,
      fates: new Map(),
      problems: [],
      isDeleted: false,
      isQueueFull: false,
      outputGone: false,
    };
    this.batches.push(batch);
    this.#after(10_000, 100_000, () => this.#validated(batch));
    this.#after(0, this.#profile.windowMs, () => this.#meddled(batch));
    this.#clock.schedule(this.#profile.windowMs, () => this.#expire(batch));
    if (isOurs) this.#onStored(batch);
    return batch;
  }

  cancel(batch: ServerBatch): void {
    if (!this.isLiving(batch) || batch.status === 'cancelling') return;
    batch.status = 'cancelling';
    this.#after(5_000, 600_000, () => {
      if (batch.status === 'cancelling') this.#end(batch, 'cancelled', 0.5);
    });
  }

  #validated(batch: ServerBatch): void {
    if (batch.status !== 'validating') return;
    const input = this.inputs.get(batch.request.inputFileId);
    const queued = this.batches
      .filter(
        (each) =>
          each.isOurs && each !== batch && each.model === batch.model && each.status === 'in_progress',
      )
      .reduce((sum, each) => sum + each.lines.length, 0);
    if (
      input !== undefined &&
      !input.isInvalid &&
      queued + batch.lines.length > this.#profile.queueRequests &&
      queued > 0
    ) {
      this.#fail(batch, 'token_limit_exceeded', null);
      batch.isQueueFull = true;
    } else if (input === undefined || input.isInvalid || this.deletedFiles.has(batch.request.inputFileId)) {
      this.#fail(batch, 'invalid_json_line', 2);
    } else {
      batch.status = this.#random.chance(0.1) ? 'pondering' : 'in_progress';
      const tooSlow = this.#random.chance(0.15);
      this.#after(60_000, tooSlow ? this.#profile.windowMs * 3 : 3_600_000, () => this.#finish(batch));
    }
  }

  #fail(batch: ServerBatch, code: string, line: number | null): void {
    batch.status = 'failed';
    batch.endedMs = this.#clock.monotonicMs();
    batch.problems = [{ code, message: code, line, param: null }];
  }

  #finish(batch: ServerBatch): void {
    if (batch.status !== 'in_progress' && batch.status !== 'pondering') return;
    batch.status = 'finalizing';
    this.#after(1_000, 60_000, () => {
      if (batch.status === 'finalizing') this.#end(batch, 'completed', 0);
    });
  }

  #expire(batch: ServerBatch): void {
    if (this.isLiving(batch)) this.#end(batch, 'expired', 0.5);
  }

  /** Others cancel it, or delete it. */
  #meddled(batch: ServerBatch): void {
    if (this.#isCalm || !this.isLiving(batch)) return;
    if (this.#random.chance(0.05)) this.cancel(batch);
    else if (this.#random.chance(0.03)) batch.isDeleted = true;
  }

  #end(batch: ServerBatch, status: string, unrun: number): void {
    const fates = new Map<number, LineFate>();
    for (const line of batch.lines) {
      const ran = !this.#random.chance(unrun);
      const late = status === 'expired' ? 'expired' : 'missing';
      fates.set(line, ran ? this.#random.weighted(LINE_FATES) : late);
    }
    batch.fates = fates;
    batch.status = status;
    batch.endedMs = this.#clock.monotonicMs();
    batch.outputGone = this.#random.chance(this.#profile.goneResults);
  }

  #after(minMs: number, maxMs: number, action: () => void): void {
    this.#clock.schedule(this.#random.int(minMs, Math.max(minMs, maxMs)), action);
  }

  /** As the API describes it now. */
  show(batch: ServerBatch): RemoteBatch {
    const seconds = (ms: number | null): number | null =>
      ms === null ? null : Math.floor((SERVER_EPOCH_MS + ms) / 1_000);
    const named =
      batch.endedMs !== null && this.#clock.monotonicMs() >= batch.endedMs + this.#profile.outputLagMs;
    const files = filesOf(batch);
    const total = batch.lines.length;
    const completed = files.output.length;
    return {
      id: batch.id,
      status: batch.status,
      endpoint: batch.request.endpoint,
      inputFileId: batch.request.inputFileId,
      outputFileId: named && files.output.length > 0 ? `out-${batch.id}` : null,
      errorFileId: named && files.errors.length > 0 ? `err-${batch.id}` : null,
      createdAt: seconds(batch.createdMs),
      inProgressAt: null,
      finalizingAt: null,
      expiresAt: seconds(batch.createdMs + this.#profile.windowMs),
      endedAt: seconds(batch.endedMs),
      counts: this.#profile.liesInCounts
        ? { total, completed: total, failed: 0 }
        : { total, completed, failed: files.errors.length },
      usage: null,
      metadata: this.#profile.dropsMetadata ? null : batch.request.metadata,
      problems: batch.problems,
    };
  }

  /** The lines of a result file; null: the API has it no more. */
  readFile(id: string): ReadonlyMap<number, LineFate> | null {
    const batch = this.batches.find((each) => id === `out-${each.id}` || id === `err-${each.id}`);
    if (batch === undefined || this.deletedFiles.has(id) || batch.outputGone) return null;
    const files = filesOf(batch);
    const lines = id.startsWith('out-') ? files.output : files.errors;
    return new Map(lines.map((line) => [line, batch.fates.get(line) as LineFate]));
  }
}

const LINE_FATES: Readonly<Record<LineFate, number>> = {
  answered: 80,
  refused: 6,
  passing: 8,
  missing: 6,
  expired: 0,
};

export function filesOf(batch: ServerBatch): {
  readonly output: readonly number[];
  readonly errors: readonly number[];
} {
  const lines = [...batch.fates];
  return {
    output: lines.filter(([, fate]) => fate === 'answered').map(([line]) => line),
    errors: lines.filter(([, fate]) => fate !== 'answered' && fate !== 'missing').map(([line]) => line),
  };
}
