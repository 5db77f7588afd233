/** The lines of one batch, answered by a server that speaks the same API. What it answered survives a restart. */
import { appendFileSync, existsSync, statSync, truncateSync } from 'node:fs';

import type { LineRequest } from './batch-reading.ts';
import { LineIndex, readLines } from './input-lines.ts';
import type { LineAnswer } from './line-answers.ts';
import { answered, unanswered } from './line-answers.ts';
import type { LinesDone, Tokens } from './stored-batch.ts';

export interface UpstreamOptions {
  /** Its base URL, the version of the API included: `http://127.0.0.1:11434/v1`. */
  readonly url: string;
  readonly key?: string;
  /** Requests under way at once, for each batch. Default: 4. */
  readonly concurrency?: number;
  /** For one line, which then has the error `request_timeout`. Default: 300,000. */
  readonly timeoutMs?: number;
}

const CONCURRENCY = 4;
const TIMEOUT_MS = 300_000;

interface AnswerPaths {
  readonly output: string;
  readonly errors: string;
}

/** What the files of answers hold by now. */
export interface AnswersSoFar extends LinesDone {
  readonly customIds: ReadonlySet<string>;
  readonly tokens: Tokens;
}

/** Drops the torn last line of a process that died while it wrote. */
export async function answersSoFar(paths: AnswerPaths): Promise<AnswersSoFar> {
  const customIds = new Set<string>();
  const tokens = { input: 0, output: 0 };
  const counts = { output: 0, errors: 0 };
  for (const file of ['output', 'errors'] as const) {
    const path = paths[file];
    if (!existsSync(path)) continue;
    const { size } = statSync(path);
    for await (const { bytes, offset } of readLines(path)) {
      if (offset + bytes.length === size) {
        truncateSync(path, offset);
        break;
      }
      const line = JSON.parse(bytes.toString('utf8')) as {
        custom_id: string;
        response: { body: unknown } | null;
      };
      customIds.add(line.custom_id);
      counts[file] += 1;
      const used = answered('', '', 200, line.response?.body ?? null).tokens;
      tokens.input += used.input;
      tokens.output += used.output;
    }
  }
  return { customIds, tokens, completed: counts.output, failed: counts.errors };
}

export interface UpstreamWork {
  readonly input: string;
  readonly paths: AnswerPaths;
  readonly order: Uint32Array;
  /** Names the line within its batch. */
  readonly seedOf: (index: number) => string;
  readonly upstream: UpstreamOptions;
}

export class UpstreamRun {
  readonly #work: UpstreamWork;
  readonly #stop = new AbortController();
  readonly #done = { completed: 0, failed: 0 };
  /** Resolves when no line is under way any more, with whether all are answered. Rejects when a file cannot be used. */
  readonly finished: Promise<boolean>;

  constructor(work: UpstreamWork) {
    this.#work = work;
    this.finished = this.#run();
  }

  get done(): LinesDone {
    return this.#done;
  }

  /** Breaks off what is under way. */
  stop(): Promise<unknown> {
    this.#stop.abort();
    return this.finished.catch(() => {});
  }

  async #run(): Promise<boolean> {
    const { input, paths, order, upstream } = this.#work;
    const before = await answersSoFar(paths);
    Object.assign(this.#done, { completed: before.completed, failed: before.failed });
    const index = await LineIndex.open(input);
    try {
      const lines = order.values();
      const workers = Array.from({ length: upstream.concurrency ?? CONCURRENCY }, async () => {
        for (const line of lines)
          if (!this.#stop.signal.aborted) await this.#answer(index, line, before.customIds);
      });
      await Promise.all(workers);
    } finally {
      index.close();
    }
    return !this.#stop.signal.aborted;
  }

  async #answer(index: LineIndex, line: number, before: ReadonlySet<string>): Promise<void> {
    const request = JSON.parse(index.read(line)) as LineRequest;
    if (before.has(request.custom_id)) return;
    const answer = await this.#ask(request, this.#work.seedOf(line));
    if (answer === null) return;
    appendFileSync(this.#work.paths[answer.file], answer.text, { mode: 0o600 });
    this.#done[answer.file === 'output' ? 'completed' : 'failed'] += 1;
  }

  /** Null when the run was stopped. */
  async #ask({ custom_id: customId, url, body }: LineRequest, seed: string): Promise<LineAnswer | null> {
    const { url: base, key, timeoutMs = TIMEOUT_MS } = this.#work.upstream;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(base.replace(/\/+$/, '') + url.replace(/^\/v\d+(?=\/)/, ''), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify(body),
        signal: AbortSignal.any([this.#stop.signal, timeout]),
      });
      return answered(customId, seed, response.status, readable(await response.text()));
    } catch {
      if (this.#stop.signal.aborted) return null;
      return unanswered(customId, seed, timeout.aborted ? 'request_timeout' : 'server_error');
    }
  }
}

function readable(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
