/** Replies of the endpoints that a batch may name, each made from its request alone: what was asked comes back. */
import { createHash } from 'node:crypto';

import type { Tokens } from './stored-batch.ts';

type Body = Readonly<Record<string, unknown>>;

export interface EchoRequest {
  readonly endpoint: string;
  readonly body: Body;
  /** Makes the ids in the reply. */
  readonly seed: string;
  /** Unix seconds. */
  readonly created: number;
  /** The text is made to have so many bytes; null: as long as it is. */
  readonly textBytes: number | null;
}

export interface Echo {
  readonly body: Body;
  readonly tokens: Tokens;
}

/** A transparent pixel. */
const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const EMBEDDING_SIZE = 8;
const CATEGORIES = ['harassment', 'hate', 'self-harm', 'sexual', 'violence'] as const;

interface Ingredients {
  readonly body: Body;
  readonly model: string;
  readonly text: string;
  readonly hex: string;
  readonly created: number;
  readonly tokens: Tokens;
}

/** By how the endpoint ends: servers put different things before it. */
const makers: readonly (readonly [string, (from: Ingredients) => Body])[] = [
  ['/chat/completions', chatCompletion],
  ['/completions', completion],
  ['/responses', response],
  ['/embeddings', embeddings],
  ['/moderations', moderation],
  ['/images/generations', image],
  ['/images/edits', image],
  ['/videos', video],
];

export function echo({ endpoint, body, seed, created, textBytes }: EchoRequest): Echo {
  const asked = askedText(body);
  const text = textBytes === null ? `Echo: ${asked}` : padded(`Echo: ${asked}`, textBytes);
  const hex = createHash('sha256').update(seed).digest('hex');
  const model = typeof body['model'] === 'string' ? body['model'] : 'emulated';
  const written = /\/(?:chat\/completions|completions|responses)$/.test(endpoint);
  const tokens = { input: tokensOf(asked), output: written ? tokensOf(text) : 0 };
  const maker = makers.find(([ending]) => endpoint.endsWith(ending))?.[1] ?? chatCompletion;
  return { body: maker({ body, model, text, hex, created, tokens }), tokens };
}

function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

function padded(text: string, bytes: number): string {
  const missing = bytes - Buffer.byteLength(text);
  return missing >= 0 ? text + '.'.repeat(missing) : Buffer.from(text).subarray(0, bytes).toString('latin1');
}

/** What a person would call the question: the last message, the input or the prompt. */
function askedText(body: Body): string {
  for (const field of ['messages', 'input', 'prompt']) {
    const value = body[field];
    if (value !== undefined)
      return textOf(field === 'messages' && Array.isArray(value) ? value.at(-1) : value);
  }
  return '';
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(textOf).join(' ');
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null) return '';
  const { text, content } = value as { readonly text?: unknown; readonly content?: unknown };
  return textOf(text ?? content ?? '');
}

function chatCompletion({ hex, created, model, text, tokens }: Ingredients): Body {
  return {
    id: `chatcmpl-${hex.slice(0, 29)}`,
    object: 'chat.completion',
    created,
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: promptUsage(tokens),
    system_fingerprint: null,
  };
}

function completion({ hex, created, model, text, tokens }: Ingredients): Body {
  return {
    id: `cmpl-${hex.slice(0, 29)}`,
    object: 'text_completion',
    created,
    model,
    choices: [{ text, index: 0, logprobs: null, finish_reason: 'stop' }],
    usage: promptUsage(tokens),
  };
}

function promptUsage({ input, output }: Tokens): Body {
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}

function response({ hex, created, model, text, tokens }: Ingredients): Body {
  const content = [{ type: 'output_text', text, annotations: [] }];
  return {
    id: `resp_${hex}`,
    object: 'response',
    created_at: created,
    status: 'completed',
    error: null,
    incomplete_details: null,
    model,
    output: [{ type: 'message', id: `msg_${hex}`, status: 'completed', role: 'assistant', content }],
    usage: {
      input_tokens: tokens.input,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: tokens.output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: tokens.input + tokens.output,
    },
  };
}

function embeddings({ body, model, tokens }: Ingredients): Body {
  const inputs: readonly unknown[] = inputsOf(body['input']);
  return {
    object: 'list',
    data: inputs.map((input, index) => ({ object: 'embedding', index, embedding: vectorOf(textOf(input)) })),
    model,
    usage: { prompt_tokens: tokens.input, total_tokens: tokens.input },
  };
}

/** A list of numbers is one text, as tokens. */
function inputsOf(input: unknown): readonly unknown[] {
  return Array.isArray(input) && typeof input[0] !== 'number' ? input : [input];
}

function vectorOf(text: string): number[] {
  const digest = createHash('sha256').update(text).digest();
  const values = [...digest.subarray(0, EMBEDDING_SIZE)].map((byte) => byte / 127.5 - 1);
  const length = Math.hypot(...values);
  return values.map((value) => Number((value / length).toFixed(6)));
}

function moderation({ body, hex, model }: Ingredients): Body {
  const all = <T>(value: T): Record<string, T> => Object.fromEntries(CATEGORIES.map((name) => [name, value]));
  const result = { flagged: false, categories: all(false), category_scores: all(0) };
  const inputs = Array.isArray(body['input']) ? body['input'] : [body['input']];
  return { id: `modr-${hex.slice(0, 24)}`, model, results: inputs.map(() => result) };
}

function image({ body, created }: Ingredients): Body {
  const count = typeof body['n'] === 'number' ? body['n'] : 1;
  return { created, data: Array.from({ length: count }, () => ({ b64_json: PNG })) };
}

function video({ hex, created, model }: Ingredients): Body {
  return {
    id: `video_${hex}`,
    object: 'video',
    model,
    status: 'completed',
    progress: 100,
    created_at: created,
  };
}
