/** What comes of one line of a batch, as lines of its output and error files. */
import { createHash } from 'node:crypto';

import type { LineRequest } from './batch-reading.ts';
import { echo } from './echo.ts';
import type { Instruction } from './line-instructions.ts';
import type { Tokens } from './stored-batch.ts';

export interface LineAnswer {
  readonly file: 'output' | 'errors';
  /** Lines with their breaks; empty: it is in neither file. */
  readonly text: string;
  readonly tokens: Tokens;
}

interface LineResponse {
  readonly status_code: number;
  readonly request_id: string;
  readonly body: unknown;
}

/** Why a line was not answered at all, in the words of the request output object of the Batch API reference. */
const UNANSWERED = {
  batch_expired: 'This request could not be executed before the completion window expired.',
  batch_cancelled: 'The batch was cancelled before this request was executed.',
  request_timeout: 'The underlying call to the model timed out.',
  server_error: 'The server that answers requests could not be reached.',
} as const;

const NO_TOKENS: Tokens = { input: 0, output: 0 };

export function unanswered(customId: string, seed: string, code: keyof typeof UNANSWERED): LineAnswer {
  const error = { code, message: UNANSWERED[code] };
  return { file: 'errors', text: outputLine(customId, seed, null, error), tokens: NO_TOKENS };
}

export function answered(customId: string, seed: string, status: number, body: unknown): LineAnswer {
  const response = { status_code: status, request_id: `req_${shortHash(`${seed} request`)}`, body };
  const file = status >= 200 && status < 300 ? 'output' : 'errors';
  return { file, text: outputLine(customId, seed, response, null), tokens: tokensOf(body) };
}

/** The emulator's own answer. `seed` names the line within its batch; `created` in unix seconds. */
export function echoed(
  request: LineRequest,
  instruction: Instruction,
  seed: string,
  created: number,
): LineAnswer {
  const { custom_id: customId, url: endpoint, body } = request;
  const { kind, value } = instruction;
  if (kind === 'timeout') return unanswered(customId, seed, 'request_timeout');
  if (kind === 'error') return answered(customId, seed, value, value === 0 ? '' : errorBody(value));
  if (kind === 'missing') return { file: 'output', text: '', tokens: NO_TOKENS };
  const reply = echo({ endpoint, body, seed, created, textBytes: kind === 'bytes' ? value : null });
  const answer = { ...answered(customId, seed, 200, reply.body), tokens: reply.tokens };
  if (kind === 'twice') return { ...answer, text: answer.text + answer.text };
  if (kind !== 'stranger') return answer;
  return {
    ...answer,
    text: answer.text + answered(`${customId}-stranger`, `${seed}x`, 200, reply.body).text,
  };
}

const ERROR_KINDS: Readonly<Record<number, readonly [type: string, code: string | null]>> = {
  429: ['requests', 'rate_limit_exceeded'],
  404: ['invalid_request_error', 'model_not_found'],
};

function errorBody(status: number): object {
  const [type, code] = ERROR_KINDS[status] ?? [status < 500 ? 'invalid_request_error' : 'server_error', null];
  return { error: { message: `The emulator was asked for status ${status}.`, type, param: null, code } };
}

function outputLine(
  customId: string,
  seed: string,
  response: LineResponse | null,
  error: object | null,
): string {
  const id = `batch_req_${shortHash(seed)}`;
  return `${JSON.stringify({ id, custom_id: customId, response, error })}\n`;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Both ways in which replies name them; servers that say nothing count as none. */
function tokensOf(body: unknown): Tokens {
  const usage = (body as { readonly usage?: Readonly<Record<string, unknown>> } | null)?.usage ?? {};
  const count = (...names: readonly string[]): number => {
    const value = names.map((name) => usage[name]).find((each) => typeof each === 'number');
    return typeof value === 'number' ? Math.trunc(value) : 0;
  };
  return {
    input: count('input_tokens', 'prompt_tokens'),
    output: count('output_tokens', 'completion_tokens'),
  };
}
