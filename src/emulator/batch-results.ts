/** The output and error files of a batch that ends. */
import { createReadStream, existsSync } from 'node:fs';

import type { LineRequest } from './batch-reading.ts';
import type { PlannedEnd } from './batch-timeline.ts';
import { linesWorked } from './batch-timeline.ts';
import type { ContentSpool } from './content-spool.ts';
import type { FileStore, NewFile } from './file-store.ts';
import { LineIndex } from './input-lines.ts';
import type { LineAnswer } from './line-answers.ts';
import { echoed, unanswered } from './line-answers.ts';
import { NONE, instructionOf } from './line-instructions.ts';
import type { LinesDone, StoredBatch, Tokens } from './stored-batch.ts';
import { answersSoFar } from './upstream-run.ts';

export interface ResultsWork {
  readonly batch: StoredBatch;
  readonly planned: PlannedEnd;
  readonly input: string;
  /** Of the lines, in which they are answered. */
  readonly order: Uint32Array;
  /** Names the line within its batch. */
  readonly seedOf: (index: number) => string;
  readonly files: FileStore;
  /** Breaks it off; it is done anew at the next start. */
  readonly signal: AbortSignal;
}

export interface Results {
  readonly output: ContentSpool;
  readonly errors: ContentSpool;
  readonly done: LinesDone;
  readonly tokens: Tokens;
}

const BUFFER_CHARACTERS = 256 * 1024;

/** Two spools, written in large pieces, and the sums over what went into them. */
class ResultWriter {
  readonly spools: { readonly output: ContentSpool; readonly errors: ContentSpool };
  readonly #pending = { output: '', errors: '' };
  readonly #done = { completed: 0, failed: 0 };
  readonly #tokens = { input: 0, output: 0 };

  readonly #signal: AbortSignal;

  constructor(files: FileStore, signal: AbortSignal) {
    this.#signal = signal;
    this.spools = { output: files.spool(), errors: files.spool() };
  }

  /** `counted`: false for lines that nobody tried to answer. */
  async add({ file, text, tokens }: LineAnswer, counted: boolean): Promise<void> {
    this.#signal.throwIfAborted();
    this.#pending[file] += text;
    this.#tokens.input += tokens.input;
    this.#tokens.output += tokens.output;
    if (counted) this.#done[file === 'output' ? 'completed' : 'failed'] += 1;
    if (this.#pending[file].length > BUFFER_CHARACTERS) await this.#flush(file);
  }

  async results(): Promise<Results> {
    await this.#flush('output');
    await this.#flush('errors');
    return { ...this.spools, done: this.#done, tokens: this.#tokens };
  }

  async discard(): Promise<void> {
    await this.spools.output.discard();
    await this.spools.errors.discard();
  }

  async #flush(file: 'output' | 'errors'): Promise<void> {
    const text = this.#pending[file];
    this.#pending[file] = '';
    if (text !== '') await this.spools[file].write(Buffer.from(text));
  }
}

/** The emulator's own answers to the lines that the clock has reached. `troubles`: whether a line that asks for trouble once gets it. */
export async function resultsByClock(
  work: ResultsWork,
  troubles: (customId: string) => boolean,
): Promise<Results> {
  const { batch, planned, order, seedOf } = work;
  const created = Math.floor((batch.inProgressAtMs ?? 0) / 1000);
  const worked = linesWorked(batch, planned.workedUntilMs);
  return written(work, async (writer, index) => {
    for (const line of order.subarray(0, worked)) {
      const request = JSON.parse(index.read(line)) as LineRequest;
      const asked = instructionOf(request.body);
      const instruction = asked.once && !troubles(request.custom_id) ? NONE : asked;
      await writer.add(echoed(request, instruction, seedOf(line), created), true);
    }
    const rest = order.slice(worked).sort();
    for (const line of rest) await addUnanswered(work, writer, line, customIdOf(index, line));
  });
}

/** What another server answered so far. */
export async function resultsOfUpstream(
  work: ResultsWork,
  paths: { readonly output: string; readonly errors: string },
): Promise<Results> {
  const so = await answersSoFar(paths);
  const results = await written(work, async (writer, index) => {
    for (const file of ['output', 'errors'] as const) {
      if (!existsSync(paths[file])) continue;
      for await (const chunk of createReadStream(paths[file]) as AsyncIterable<Buffer>) {
        await writer.spools[file].write(chunk);
      }
    }
    for (let line = 0; line < index.count; line += 1) {
      const customId = customIdOf(index, line);
      if (!so.customIds.has(customId)) await addUnanswered(work, writer, line, customId);
    }
  });
  return { ...results, done: { completed: so.completed, failed: so.failed }, tokens: so.tokens };
}

async function written(
  { input, files, signal }: ResultsWork,
  write: (writer: ResultWriter, index: LineIndex) => Promise<void>,
): Promise<Results> {
  const writer = new ResultWriter(files, signal);
  const index = await LineIndex.open(input);
  try {
    await write(writer, index);
    return await writer.results();
  } catch (error) {
    await writer.discard();
    throw error;
  } finally {
    index.close();
  }
}

function customIdOf(index: LineIndex, line: number): string {
  return (JSON.parse(index.read(line)) as LineRequest).custom_id;
}

async function addUnanswered(
  { planned, seedOf }: ResultsWork,
  writer: ResultWriter,
  line: number,
  customId: string,
): Promise<void> {
  const code = planned.status === 'expired' ? 'batch_expired' : 'batch_cancelled';
  await writer.add(unanswered(customId, seedOf(line), code), false);
}

/** Stores it as a file, in place of what a process that died had stored under this name; null when it is empty. */
export async function keepResult(
  spool: ContentSpool,
  files: FileStore,
  file: NewFile,
): Promise<string | null> {
  for (const old of files.sorted().filter(({ filename }) => filename === file.filename)) files.remove(old.id);
  if (spool.bytes > 0) return (await files.commit(spool, file)).id;
  await spool.discard();
  return null;
}
