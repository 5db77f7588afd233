/** A desk over a small API in memory, on virtual time. */
import { BatchDesk } from '../../src/batches/batch-desk.ts';
import type { BatchDeskParts } from '../../src/batches/batch-desk.ts';
import type { BatchBook } from '../../src/batches/ports.ts';
import { NO_BATCH_MEMORY } from '../../src/contract/batch.ts';
import type {
  BatchMemory,
  BatchRecord,
  BatchRequest,
  BatchesApi,
  Mirrored,
  RemoteBatch,
} from '../../src/contract/batch.ts';
import type { BatchEvent } from '../../src/contract/batch-report.ts';
import { DEFAULT_BATCH_SETTINGS } from '../../src/contract/batch-settings.ts';
import type { BatchSettings } from '../../src/contract/batch-settings.ts';
import { Fault } from '../../src/contract/faults.ts';
import { SimClock } from '../support/sim/sim-clock.ts';
import { NOW, batchOf, requestsFile } from './record-sample.ts';

class BenchBook implements BatchBook {
  memory: BatchMemory = { ...NO_BATCH_MEMORY, submitFolders: ['batch'] };
  readonly batches: Map<string, BatchRecord>;

  constructor(batches: Map<string, BatchRecord>) {
    this.batches = batches;
  }

  async commit(change: Readonly<Record<string, BatchRecord | null>>, memory = this.memory): Promise<void> {
    for (const [id, record] of Object.entries(change)) {
      if (record === null) this.batches.delete(id);
      else this.batches.set(id, record);
    }
    this.memory = memory;
  }
}

export class DeskBench {
  readonly clock = new SimClock({ wallStartMs: NOW * 1_000, maxSteps: 200_000 });
  readonly events: BatchEvent[] = [];
  readonly files = new Map<string, Mirrored>();
  readonly posts: BatchRequest[] = [];
  readonly batches: RemoteBatch[] = [];
  requests = 0;
  /** What the next requests to begin a batch are answered with, when not with a batch. */
  readonly refusals: Fault[] = [];
  listFault: Fault | null = null;
  held: string | null = null;
  readonly records = new Map<string, BatchRecord>();
  #next = 1;

  readonly book = new BenchBook(this.records);

  readonly api: BatchesApi = {
    serverNowMs: () => this.clock.wallMs(),
    create: async (request) => {
      this.posts.push(request);
      const refusal = this.refusals.shift();
      if (refusal !== undefined) throw refusal;
      return this.begin(request);
    },
    retrieve: async (id) => {
      this.requests += 1;
      return this.batches.find((batch) => batch.id === id) ?? null;
    },
    list: () => this.#pages(),
    cancel: async (id) => {
      this.set(id, { status: 'cancelled' });
      return this.batches.find((batch) => batch.id === id) ?? null;
    },
  };

  async *#pages(): AsyncGenerator<readonly RemoteBatch[]> {
    for (let at = 0; at === 0 || at < this.batches.length; at += 100) {
      this.requests += 1;
      if (this.listFault !== null) throw this.listFault;
      yield this.batches.toReversed().slice(at, at + 100);
    }
  }

  begin(request: BatchRequest): RemoteBatch {
    const createdAt = Math.floor(this.clock.wallMs() / 1_000);
    const { inputFileId, metadata } = request;
    const batch = batchOf({
      id: `batch_${this.#next++}`,
      status: 'validating',
      createdAt,
      inputFileId,
      metadata,
    });
    this.batches.push(batch);
    return batch;
  }

  set(id: string, changes: Partial<RemoteBatch>): void {
    const at = this.batches.findIndex((batch) => batch.id === id);
    this.batches[at] = { ...(this.batches[at] as RemoteBatch), ...changes };
  }

  drop(path: string): void {
    const after = { id: `file-${path}`, purpose: 'batch', sha256: `sha-${path}` };
    this.files.set(path, after);
    this.desk?.recorded([{ path, before: null, after, why: 'uploaded' }]);
  }

  desk: BatchDesk | null = null;

  start(settings: Partial<BatchSettings> = {}, parts: Partial<BatchDeskParts> = {}): BatchDesk {
    const lines = { answered: 10, failed: 0, missing: 0 };
    this.desk = new BatchDesk({
      api: this.api,
      book: this.book,
      clock: this.clock,
      results: {
        collect: async () => ({ lines, retryable: [], oddities: [] }),
        write: async () => ({ output: 'results/o', errors: null, summary: 'results/s', lines }),
        uploadRetry: async () => ({ inputFileId: 'file-retry', sha256: 'sha-retry', file: requestsFile() }),
        forget: async () => {},
      },
      listener: (event) => this.events.push(event),
      mirrorId: 'mirror',
      mirrored: { files: this.files },
      newId: () => `s${this.#next++}`,
      readRequests: async () => requestsFile(),
      remover: { deleteMade: async () => {}, deleteInput: async () => {} },
      settings: { ...DEFAULT_BATCH_SETTINGS, submitFolders: new Set(['batch']), ...settings },
      held: () => this.held,
      ...parts,
    });
    this.desk.start();
    return this.desk;
  }

  async seconds(count: number): Promise<void> {
    await this.clock.runFor(count * 1_000);
  }

  kinds(kind: BatchEvent['kind']): BatchEvent[] {
    return this.events.filter((event) => event.kind === kind);
  }

  warnings(): string[] {
    return this.events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []));
  }

  stateOf(path: string): string | undefined {
    return this.desk?.show(path)?.state;
  }
}

export const faultOf = (
  rule: string,
  outcome: 'refused' | 'unknown' = 'refused',
  disposition: 'retry' | 'skip' = 'retry',
): Fault => new Fault(`the server says ${rule}`, { disposition, outcome, rule });
