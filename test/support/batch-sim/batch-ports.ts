import type {
  BatchMemory,
  BatchRecord,
  BatchRequest,
  BatchesApi,
  RemoteBatch,
  SubmissionId,
} from '../../../src/contract/batch.ts';
import { NO_BATCH_MEMORY } from '../../../src/contract/batch.ts';
import { Fault } from '../../../src/contract/faults.ts';
import type { FaultDetails } from '../../../src/contract/faults.ts';
import type { BatchBook, FileRemover } from '../../../src/batches/ports.ts';
import type { Incarnation } from '../sim/sim-process.ts';
import type { SimRandom } from '../sim/sim-random.ts';
import type { BatchOracle } from './batch-oracle.ts';
import type { BatchProfile } from './batch-profile.ts';
import { SERVER_EPOCH_MS } from './batch-server.ts';
import type { BatchServer, ServerBatch } from './batch-server.ts';

export const faultOf = (rule: string, details: Partial<FaultDetails> = {}): Fault =>
  new Fault(rule, { disposition: 'retry', outcome: 'refused', rule, ...details });

/** What survives a process. */
export class BatchState {
  readonly records = new Map<SubmissionId, BatchRecord>();
  memory: BatchMemory = NO_BATCH_MEMORY;
  isFull = false;
}

/** The book of one incarnation. */
export class SimBook implements BatchBook {
  readonly batches: Map<SubmissionId, BatchRecord>;
  memory: BatchMemory;
  readonly #state: BatchState;
  readonly #incarnation: Incarnation;

  constructor(state: BatchState, incarnation: Incarnation) {
    this.#state = state;
    this.#incarnation = incarnation;
    this.batches = new Map(state.records);
    this.memory = state.memory;
  }

  async commit(
    change: Readonly<Record<SubmissionId, BatchRecord | null>>,
    memory?: BatchMemory,
  ): Promise<void> {
    await this.#incarnation.call('book.commit', async () => {
      await this.#incarnation.sleep(5);
      if (this.#state.isFull) throw faultOf('disk-full', { disposition: 'halt', halt: 'state' });
      apply(this.#state.records, change);
      this.#state.memory = memory ?? this.#state.memory;
    });
    apply(this.batches, change);
    this.memory = memory ?? this.memory;
  }
}

function apply(
  records: Map<SubmissionId, BatchRecord>,
  change: Readonly<Record<string, BatchRecord | null>>,
): void {
  for (const [id, record] of Object.entries(change)) {
    // As a manifest that was written down: no object is shared.
    if (record === null) records.delete(id);
    else records.set(id, structuredClone(record));
  }
}

/** Troubles that last: everything is refused in one way until they end. */
export type Trouble = 'batches-auth' | 'batches-quota' | 'no-batches' | 'rate-limit' | null;

export interface SimNet {
  trouble: Trouble;
  isCalm: boolean;
}

/** The API as one incarnation reaches it. */
export class SimBatchesApi implements BatchesApi {
  readonly #server: BatchServer;
  readonly #incarnation: Incarnation;
  readonly #random: SimRandom;
  readonly #profile: BatchProfile;
  readonly #net: SimNet;
  readonly #oracle: BatchOracle;
  #heard = false;

  constructor(parts: {
    readonly server: BatchServer;
    readonly incarnation: Incarnation;
    readonly random: SimRandom;
    readonly profile: BatchProfile;
    readonly net: SimNet;
    readonly oracle: BatchOracle;
  }) {
    this.#server = parts.server;
    this.#incarnation = parts.incarnation;
    this.#random = parts.random;
    this.#profile = parts.profile;
    this.#net = parts.net;
    this.#oracle = parts.oracle;
  }

  serverNowMs(): number | null {
    return this.#heard && this.#profile.tellsTime ? this.#server.nowMs() : null;
  }

  async create(request: BatchRequest, signal: AbortSignal): Promise<RemoteBatch> {
    return await this.#incarnation.call('api.create', async () => {
      this.#oracle.posting(request);
      await this.#travel(signal);
      this.#refuse(request);
      if (this.#fails(this.#profile.lostBefore)) return await this.#lose(signal);
      if (this.#fails(this.#profile.storedLate)) {
        const lateMs = this.#random.int(0, this.#profile.storedLateMs);
        this.#oracle.isBad = true;
        void this.#later(lateMs, () => this.#server.create(request, true));
        return await this.#lose(signal);
      }
      const batch = this.#server.create(request, true);
      if (this.#fails(this.#profile.lostAfter)) return await this.#lose(signal);
      await this.#travel(signal);
      return this.#seen(batch);
    });
  }

  async retrieve(id: string, signal: AbortSignal): Promise<RemoteBatch | null> {
    return await this.#incarnation.call('api.retrieve', async () => {
      await this.#read(signal);
      const batch = this.#server.find(id);
      return batch === undefined ? null : this.#seen(batch);
    });
  }

  async *list(signal: AbortSignal): AsyncGenerator<readonly RemoteBatch[]> {
    const { isUnordered, pageSize } = this.#profile;
    const nowMs = this.#server.nowMs() - SERVER_EPOCH_MS;
    const shown = this.#server.batches.filter((batch) => !batch.isDeleted && batch.listedMs <= nowMs);
    const ordered = isUnordered ? this.#random.shuffle(shown) : shown.toReversed();
    for (let at = 0; at === 0 || at < ordered.length; at += pageSize) {
      const page = await this.#incarnation.call('api.list', async () => {
        await this.#read(signal);
        return ordered.slice(at, at + pageSize).map((batch) => this.#seen(batch));
      });
      yield page;
    }
  }

  async cancel(id: string, signal: AbortSignal): Promise<RemoteBatch | null> {
    return await this.#incarnation.call('api.cancel', async () => {
      await this.#read(signal);
      const batch = this.#server.find(id);
      if (batch === undefined) return null;
      this.#oracle.cancelling(batch);
      if (!this.#server.isLiving(batch)) throw faultOf('server-409', { disposition: 'skip', status: 409 });
      this.#server.cancel(batch);
      if (this.#fails(this.#profile.lostAfter)) throw faultOf('timeout', { outcome: 'unknown' });
      return this.#seen(batch);
    });
  }

  #seen(batch: ServerBatch): RemoteBatch {
    this.#heard = true;
    return this.#server.show(batch);
  }

  async #read(signal: AbortSignal): Promise<void> {
    await this.#travel(signal);
    const { trouble } = this.#net;
    if (trouble !== null) throw faultOf(trouble, { scope: 'lane' });
    if (this.#fails(this.#profile.failedReads)) throw faultOf('network');
    this.#heard = true;
  }

  #refuse(request: BatchRequest): void {
    const { trouble } = this.#net;
    if (trouble !== null) throw faultOf(trouble, { scope: 'lane' });
    const input = this.#server.inputs.get(request.inputFileId);
    const nowMs = this.#server.nowMs() - SERVER_EPOCH_MS;
    const isThere =
      input !== undefined && input.visibleMs <= nowMs && !this.#server.deletedFiles.has(request.inputFileId);
    if (!isThere) throw faultOf('no-such-file');
    if (this.#fails(this.#profile.refused)) {
      const rule = this.#random.pick(['rate-limit', 'network', 'server-400', 'token-limit']);
      // A 400 is for ever, and of the whole life of this version: it is drawn once for it.
      if (rule !== 'server-400') throw faultOf(rule, { scope: 'lane' });
      if (this.#oracle.refusesForEver(request)) throw faultOf(rule, { disposition: 'skip', status: 400 });
    }
  }

  /** No answer comes. */
  async #lose(signal: AbortSignal): Promise<never> {
    await this.#incarnation.sleep(this.#random.int(1, 60_000), signal);
    throw faultOf('timeout', { outcome: 'unknown' });
  }

  async #travel(signal: AbortSignal): Promise<void> {
    await this.#incarnation.sleep(this.#random.int(5, 400), signal);
  }

  async #later(ms: number, act: () => void): Promise<void> {
    await this.#oracle.clock.sleep(ms);
    act();
  }

  #fails(probability: number): boolean {
    return !this.#net.isCalm && this.#random.chance(probability);
  }
}

/** Deletes of one incarnation. */
export function simRemover(
  server: BatchServer,
  oracle: BatchOracle,
  incarnation: Incarnation,
  random: SimRandom,
  net: SimNet,
  forgetInput: (id: string) => void,
): FileRemover {
  const remove = (id: string, isInput: boolean, signal: AbortSignal): Promise<void> =>
    incarnation.call('remover.delete', async () => {
      await incarnation.sleep(random.int(5, 200), signal);
      if (!net.isCalm && random.chance(0.1)) throw faultOf('network');
      oracle.deleting(id);
      server.deletedFiles.add(id);
      if (isInput) forgetInput(id);
    });
  return {
    deleteMade: (id, signal) => remove(id, false, signal),
    deleteInput: (_path, id, signal) => remove(id, true, signal),
  };
}
