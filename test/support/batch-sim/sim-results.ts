import type { BatchRecord, SubmissionId, WrittenResults } from '../../../src/contract/batch.ts';
import type { Collection, LineEnd, ResultsDesk } from '../../../src/batches/ports.ts';
import type { Incarnation } from '../sim/sim-process.ts';
import type { SimRandom } from '../sim/sim-random.ts';
import { faultOf } from './batch-ports.ts';
import type { BatchState, SimNet } from './batch-ports.ts';
import type { BatchServer, LineFate } from './batch-server.ts';

type Records = ReadonlyMap<SubmissionId, BatchRecord>;
type Lines = Map<number, LineFate>;

/** What lies in the state folder and below `results/`: it survives a process. */
export class ResultsState {
  readonly staged = new Map<SubmissionId, Map<string, Lines>>();
  readonly retries = new Map<string, string>();
  /** By submission of generation 0. */
  readonly written = new Map<SubmissionId, Lines>();
}

const RETRYABLE: ReadonlySet<LineFate> = new Set<LineFate>(['passing', 'expired', 'missing']);

interface ResultsParts {
  readonly state: ResultsState;
  readonly disk: BatchState;
  readonly server: BatchServer;
  readonly incarnation: Incarnation;
  readonly random: SimRandom;
  readonly net: SimNet;
  readonly linesOf: (sha256: string) => readonly number[];
  readonly addRetry: (
    origin: SubmissionId,
    record: BatchRecord,
    generation: number,
    lines: readonly number[],
  ) => string;
}

/** The content of results without content: which line has which end. */
export class SimResults implements ResultsDesk {
  readonly #parts: ResultsParts;

  constructor(parts: ResultsParts) {
    this.#parts = parts;
  }

  async collect(id: SubmissionId, records: Records, signal: AbortSignal): Promise<Collection> {
    return await this.#parts.incarnation.call('results.collect', async () => {
      const record = records.get(id) as BatchRecord;
      const origin = record.of ?? id;
      for (const [each, member] of familyOf(origin, records)) {
        if (member.generation <= record.generation) await this.#stage(each, member, false, signal);
      }
      const merged = this.#merged(origin, records, record.generation);
      const retryable = [...merged]
        .filter(([, fate]) => RETRYABLE.has(fate))
        .map(([line, fate]) => lineEnd(line, fate));
      return { lines: countsOf(merged), retryable, oddities: [] };
    });
  }

  async write(id: SubmissionId, records: Records, signal: AbortSignal): Promise<WrittenResults> {
    return await this.#parts.incarnation.call('results.write', async () => {
      for (const [each, member] of familyOf(id, records)) await this.#stage(each, member, true, signal);
      await this.#parts.incarnation.sleep(20, signal);
      this.#needsDisk();
      const merged = this.#merged(id, records, Number.POSITIVE_INFINITY);
      this.#parts.state.written.set(id, merged);
      const lines = countsOf(merged);
      const name = (kind: string): string => `results/${id}.${kind}`;
      return {
        output: lines.answered > 0 ? name('output.jsonl') : null,
        errors: lines.failed + lines.missing > 0 ? name('errors.jsonl') : null,
        summary: name('batch.json'),
        lines,
      };
    });
  }

  async uploadRetry(
    id: SubmissionId,
    records: Records,
    generation: number,
    lines: readonly LineEnd[],
    signal: AbortSignal,
  ) {
    return await this.#parts.incarnation.call('results.uploadRetry', async () => {
      const { state, random, net, server, addRetry } = this.#parts;
      await this.#parts.incarnation.sleep(random.int(10, 5_000), signal);
      if (!net.isCalm && random.chance(0.2)) throw faultOf('unknown-upload', { retryAfterMs: 30_000 });
      const key = `${id}#${generation}`;
      const record = records.get(id) as BatchRecord;
      const made =
        state.retries.get(key) ??
        addRetry(
          id,
          record,
          generation,
          lines.map(({ line }) => line),
        );
      state.retries.set(key, made);
      const input = server.inputs.get(made);
      const requests = input?.lines.length ?? 0;
      const file = {
        requests,
        endpoint: '/v1/chat/completions',
        model: input?.model ?? null,
        inputTokens: requests * 100,
      };
      return { inputFileId: made, sha256: `sha-${key}`, file };
    });
  }

  async forget(id: SubmissionId): Promise<void> {
    await this.#parts.incarnation.call('results.forget', async () => {
      this.#parts.state.staged.delete(id);
    });
  }

  async #stage(
    id: SubmissionId,
    { batch }: BatchRecord,
    whatThereIs: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { state, server, random, net, incarnation } = this.#parts;
    if (batch === null) return;
    for (const file of [batch.outputFileId, batch.errorFileId]) {
      const staged = state.staged.get(id) ?? new Map<string, Lines>();
      if (file === null || staged.has(file)) continue;
      await incarnation.sleep(random.int(10, 2_000), signal);
      if (!net.isCalm && random.chance(0.2)) throw faultOf('cut-off');
      const content = server.readFile(file);
      if (content === null && !whatThereIs) throw faultOf('gone', { disposition: 'skip', status: 404 });
      this.#needsDisk();
      if (content !== null) state.staged.set(id, staged.set(file, new Map(content)));
    }
  }

  #needsDisk(): void {
    if (this.#parts.disk.isFull) throw faultOf('disk-full', { disposition: 'halt', halt: 'state' });
  }

  #merged(origin: SubmissionId, records: Records, last: number): Lines {
    const merged: Lines = new Map();
    const { linesOf, state } = this.#parts;
    for (const line of linesOf((records.get(origin) as BatchRecord).sha256)) merged.set(line, 'missing');
    for (const [id, { generation, batch }] of familyOf(origin, records)) {
      if (generation > last) continue;
      for (const file of [batch?.outputFileId, batch?.errorFileId]) {
        for (const [line, fate] of state.staged.get(id)?.get(file ?? '') ?? []) {
          if (merged.get(line) !== 'answered') merged.set(line, fate);
        }
      }
    }
    return merged;
  }
}

function familyOf(origin: SubmissionId, records: Records): [SubmissionId, BatchRecord][] {
  return [...records]
    .filter(([id, record]) => id === origin || record.of === origin)
    .sort(([, a], [, b]) => a.generation - b.generation);
}

const lineEnd = (line: number, code: string): LineEnd => ({
  customId: `r${line}`,
  line,
  code,
  message: code,
});

function countsOf(lines: Lines): WrittenResults['lines'] {
  const count = (is: (fate: LineFate) => boolean): number => [...lines.values()].filter(is).length;
  const answered = count((fate) => fate === 'answered');
  const missing = count((fate) => fate === 'missing');
  return { answered, missing, failed: lines.size - answered - missing };
}
