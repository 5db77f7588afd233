/**
 * Good and bad files of every purpose, each with the rule that it breaks. Tests take them from memory; to look at them
 * as files: `node test/corpus/make-corpus.ts DIR`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CorpusFile {
  readonly purpose: string;
  readonly name: string;
  readonly content: Buffer;
  /** What the first finding must be; null for a good file. */
  readonly breaks: { readonly rule: string; readonly line: number | null } | null;
}

interface Request {
  readonly custom_id: unknown;
  readonly method: unknown;
  readonly url: unknown;
  readonly body: unknown;
}

/** The n-th request of a valid batch file. */
export function batchRequest(n: number): Request {
  const messages = [
    { role: 'system', content: 'You are a helpful assistant.' },
    { role: 'user', content: `Say "naïve" ${n} times,\nthen stop. 日本語 🙂` },
  ];
  return {
    custom_id: `request-${n}`,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-4o-mini', messages, max_tokens: 100 },
  };
}

/** JSON Lines, a string item being a line as it is. */
export function linesOf(items: readonly unknown[]): Buffer {
  return Buffer.from(
    items.map((item) => `${typeof item === 'string' ? item : JSON.stringify(item)}\n`).join(''),
  );
}

const two = [batchRequest(1), batchRequest(2)];

function goodBatch(name: string, content: Buffer | string): CorpusFile {
  return { purpose: 'batch', name: `good-${name}.jsonl`, content: Buffer.from(content), breaks: null };
}

/** A batch file whose third line is this one. */
function badThird(rule: string, name: string, third: unknown): CorpusFile {
  return {
    purpose: 'batch',
    name: `bad-${name}.jsonl`,
    content: linesOf([...two, third, batchRequest(4)]),
    breaks: { rule, line: 3 },
  };
}

function badBatch(rule: string, line: number | null, name: string, content: Buffer): CorpusFile {
  return { purpose: 'batch', name: `bad-${name}.jsonl`, content, breaks: { rule, line } };
}

const third = batchRequest(3);
const deep = (levels: number): string =>
  `{"custom_id":"deep","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini","x":${'['.repeat(levels)}${']'.repeat(levels)}}}`;

function requestTo(url: string, body: unknown, n = 1): unknown {
  const line = { custom_id: `request-${n}`, method: 'POST', url, body };
  return typeof body === 'string' ? JSON.stringify(line).replace(JSON.stringify(body), body) : line;
}

function tokens(count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => n);
}

/** Requests with so many inputs each: first `many` of `inputs`, then others of one. */
function embeddings([many = 0, ...others]: readonly number[], inputs: number): Buffer {
  const sizes = [...Array.from({ length: many }, () => inputs), ...others.map(() => 1)];
  return linesOf(
    sizes.map((size, n) =>
      requestTo('/v1/embeddings', { model: 'm', input: Array.from({ length: size }, () => [1, 2]) }, n),
    ),
  );
}

const BATCH: readonly CorpusFile[] = [
  goodBatch('plain', linesOf(two)),
  goodBatch('no-final-newline', linesOf(two).subarray(0, -1)),
  goodBatch('crlf', linesOf(two).toString().replaceAll('\n', '\r\n')),
  goodBatch('blank-lines-at-the-end', Buffer.concat([linesOf(two), Buffer.from('\n \r\n\t\n')])),
  goodBatch('spaced', two.map((one) => ` ${JSON.stringify(one).replaceAll('":', '" : ')} `).join('\n')),
  goodBatch('escaped-key', linesOf(two).toString().replaceAll('"custom_id"', '"custom\\u005fid"')),
  goodBatch(
    'duplicate-keys-last-counts',
    linesOf(two).toString().replaceAll('"method":', '"method":"GET","method":'),
  ),
  goodBatch(
    'body-twice-last-counts',
    linesOf(two).toString().replaceAll('"body":', '"body":{"model":"other"},"body":'),
  ),
  goodBatch('long-ids', linesOf(two.map((one, n) => ({ ...one, custom_id: `${'x'.repeat(1000)}${n}` })))),
  goodBatch('nested-990-levels', linesOf([deep(990)])),
  goodBatch(
    'brackets-in-a-string',
    linesOf([requestTo('/v1/responses', { model: 'm', input: '[{'.repeat(5000) })]),
  ),
  goodBatch('very-long-id', linesOf([{ ...two[0], custom_id: 'x'.repeat(5000) }, two[1]])),
  goodBatch('empty-id', linesOf([{ ...two[0], custom_id: '' }, two[1]])),
  goodBatch(
    'huge-numbers',
    linesOf([requestTo('/v1/responses', '{"model":"m","input":[12345678901234567890123,1e999,-0.0]}')]),
  ),
  goodBatch('lone-surrogate', linesOf([JSON.stringify(two[0]).replace('request-1', '\\ud800')])),
  goodBatch('no-stream', linesOf([requestTo('/v1/responses', { model: 'm', stream: false })])),
  goodBatch('stored-prompt', linesOf([requestTo('/v1/responses', { prompt: { id: 'pmpt_1' } })])),
  goodBatch('moderations-without-model', linesOf([requestTo('/v1/moderations', { input: 'I want to …' })])),
  goodBatch('images-without-model', linesOf([requestTo('/v1/images/generations', { prompt: 'A cat' })])),
  goodBatch(
    'image-edits-without-model',
    linesOf([requestTo('/v1/images/edits', { prompt: 'A dog', images: [] })]),
  ),
  goodBatch('videos-without-model', linesOf([requestTo('/v1/videos', { prompt: 'A cat runs' })])),
  goodBatch(
    'model-on-some-lines',
    linesOf(
      [1, 2].map((n) =>
        requestTo('/v1/moderations', n === 1 ? { input: 'x' } : { input: 'x', model: 'm' }, n),
      ),
    ),
  ),
  goodBatch('embedding-inputs-at-the-limit', embeddings([24, 1, 1], 2000)),
  goodBatch(
    'embedding-of-tokens',
    linesOf([requestTo('/v1/embeddings', { model: 'm', input: tokens(60_000) })]),
  ),
  badThird('custom-id', 'custom-id-missing', { ...third, custom_id: undefined }),
  badThird('custom-id', 'custom-id-number', { ...third, custom_id: 3 }),
  badBatch(
    'custom-id-duplicate',
    2,
    'custom-id-duplicate-long',
    linesOf(two.map((one) => ({ ...one, custom_id: 'x'.repeat(5000) }))),
  ),
  badThird('custom-id-duplicate', 'custom-id-duplicate', { ...third, custom_id: 'request-1' }),
  badThird(
    'custom-id-duplicate',
    'custom-id-duplicate-escaped',
    JSON.stringify(third).replace('request-3', 'request\\u002d1'),
  ),
  badThird('method', 'method-get', { ...third, method: 'GET' }),
  badThird('method', 'method-missing', { ...third, method: undefined }),
  badThird('url', 'url-unknown', { ...third, url: '/v1/nothing' }),
  badThird('url', 'url-whole', { ...third, url: 'https://api.openai.com/v1/chat/completions' }),
  badThird('url', 'url-null', { ...third, url: null }),
  badThird('url-mixed', 'url-second', { ...third, url: '/v1/responses' }),
  badThird('body', 'body-missing', { ...third, body: undefined }),
  badThird('body', 'body-array', { ...third, body: [{ model: 'gpt-4o-mini' }] }),
  badThird('body', 'body-string', { ...third, body: '{"model":"gpt-4o-mini"}' }),
  badThird('model', 'model-missing', { ...third, body: { messages: [{ model: 'gpt-4o-mini' }] } }),
  badThird('model', 'model-number', { ...third, body: { model: 4 } }),
  badThird('model', 'model-empty', { ...third, body: { model: '' } }),
  badThird('stream', 'stream', { ...third, body: { model: 'gpt-4o-mini', stream: true } }),
  badBatch('model', 1, 'embeddings-without-model', linesOf([requestTo('/v1/embeddings', { input: 'x' })])),
  badBatch('model', 1, 'completions-without-model', linesOf([requestTo('/v1/completions', { prompt: 'x' })])),
  badBatch('too-many-inputs', 26, 'embedding-inputs-in-all', embeddings([25, 1], 2000)),
  badThird('model-mixed', 'model-second', { ...third, body: { model: 'gpt-4o' } }),
  badThird('not-json', 'not-json-cut', JSON.stringify(third).slice(0, -1)),
  badThird('not-json', 'not-json-python', "{'custom_id': 'request-3'}"),
  badThird('not-json', 'not-json-two-objects', '{} {}'),
  badThird('not-json', 'not-json-trailing-comma', '{"a":1,}'),
  badThird('not-json', 'not-json-nan', '{"a":NaN}'),
  badThird('not-json', 'not-json-control-character', '{"a":"\u0001"}'),
  badThird('not-json', 'not-json-line-break-in-string', '{"a":"one\ntwo"}'),
  badThird('nul-byte', 'nul-byte', '{"a":"\0"}'),
  badThird('too-deep', 'too-deep', deep(1100)),
  badThird('not-object', 'not-object-number', '17'),
  badThird('not-object', 'not-object-string', '"custom_id"'),
  badThird('not-object', 'not-object-array', [third]),
  badThird('not-object', 'not-object-null', null),
  badBatch(
    'byte-order-mark',
    1,
    'byte-order-mark',
    Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), linesOf(two)]),
  ),
  badBatch('not-utf8', 1, 'utf-16', Buffer.from(`\ufeff${linesOf(two).toString()}`, 'utf16le')),
  badBatch('not-utf8', 1, 'utf-16-without-mark', Buffer.from(linesOf(two).toString(), 'utf16le')),
  badBatch('not-utf8', 1, 'gzip', Buffer.from('1f8b0800000000000003', 'hex')),
  badBatch('not-utf8', 1, 'latin-1', Buffer.from('{"custom_id":"na\xefve"}', 'latin1')),
  badBatch('not-json', 1, 'cr-only', Buffer.from(linesOf(two).toString().replaceAll('\n', '\r'))),
  badBatch('blank-line', 2, 'blank-line', linesOf([two[0], '', two[1]])),
  badBatch('blank-line', 1, 'blank-first-line', linesOf([' ', ...two])),
  badBatch('no-lines', null, 'only-blank-lines', Buffer.from('\n\n \n')),
  badBatch(
    'not-utf8',
    2,
    'not-utf8',
    Buffer.concat([linesOf([two[0]]), Buffer.from('{"a":"\xff"}\n', 'latin1'), linesOf([two[1]])]),
  ),
  badBatch(
    'not-utf8',
    2,
    'not-utf8-cut-at-the-end',
    Buffer.concat([linesOf([two[0]]), Buffer.from('{"a":"\xe6\x97', 'latin1')]),
  ),
  badBatch('not-json', 1, 'pretty-printed', Buffer.from(JSON.stringify(two[0], null, 2))),
];

const talk = [
  { role: 'user', content: 'Hello?' },
  { role: 'assistant', content: 'Hello.' },
];
const called = {
  role: 'assistant',
  content: null,
  tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }],
};
const preference = {
  input: { messages: [talk[0]] },
  preferred_output: [talk[1]],
  non_preferred_output: [talk[1]],
};
const tenOf = (item: unknown): Buffer => linesOf(Array.from({ length: 10 }, () => item));

function tuning(name: string, content: Buffer, breaks: CorpusFile['breaks'] = null): CorpusFile {
  return { purpose: 'fine-tune', name: `${breaks === null ? 'good' : 'bad'}-${name}.jsonl`, content, breaks };
}

function badTuning(rule: string, name: string, second: unknown): CorpusFile {
  return tuning(name, linesOf([{ messages: talk }, second]), { rule, line: 2 });
}

const FINE_TUNE: readonly CorpusFile[] = [
  tuning('chat', tenOf({ messages: talk })),
  tuning(
    'chat-tools',
    tenOf({
      messages: [talk[0], called, { role: 'tool', tool_call_id: 'c1', content: '1' }, talk[1]],
      tools: [{ type: 'function', function: { name: 'f' } }],
    }),
  ),
  tuning(
    'chat-image',
    tenOf({
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }, talk[1]],
    }),
  ),
  tuning(
    'chat-key-order',
    tenOf({ tools: [[{ role: 1 }]], messages: talk.map(({ role, content }) => ({ content, role })) }),
  ),
  tuning(
    'chat-function-without-content',
    tenOf({ messages: [talk[0], { role: 'function', name: 'f', content: null }, talk[1]] }),
  ),
  tuning('byte-order-mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), tenOf({ messages: talk })])),
  tuning('reinforcement', tenOf({ messages: [talk[0]], reference_answer: { messages: 1 } })),
  tuning('preference', tenOf(preference)),
  tuning('completion', tenOf({ prompt: 'One', completion: ' two' })),
  badTuning('form', 'no-form', { text: 'x' }),
  badTuning('form-mixed', 'mixed-completion', { prompt: 'One', completion: ' two' }),
  badTuning('form-mixed', 'mixed-reinforcement', { messages: [talk[0]] }),
  badTuning('reinforcement', 'messages-empty', { messages: [] }),
  badTuning('reinforcement', 'messages-object', { messages: { role: 'user', content: 'x' } }),
  badTuning('chat', 'message-string', { messages: ['Hello?', talk[1]] }),
  badTuning('chat', 'role-missing', { messages: [{ content: 'Hello?' }, talk[1]] }),
  badTuning('chat', 'role-unknown', { messages: [{ role: 'human', content: 'Hello?' }, talk[1]] }),
  badTuning('chat', 'content-missing', { messages: [{ role: 'user' }, talk[1]] }),
  badTuning('chat', 'content-number', { messages: [{ role: 'user', content: 1 }, talk[1]] }),
  badTuning('chat', 'content-null', { messages: [talk[0], { role: 'assistant', content: null }] }),
  badTuning('chat', 'content-and-calls-null', {
    messages: [talk[0], { role: 'assistant', content: null, tool_calls: null }],
  }),
  badTuning('chat', 'no-content-and-no-calls', {
    messages: [talk[0], { role: 'assistant', tool_calls: [] }],
  }),
  badTuning('chat', 'content-empty-array', { messages: [{ role: 'user', content: [] }, talk[1]] }),
  badTuning('completion', 'completion-missing', { prompt: 'One' }),
  badTuning('completion', 'prompt-number', { prompt: 1, completion: ' two' }),
  badTuning('preference', 'output-missing', { ...preference, non_preferred_output: undefined }),
  badTuning('preference', 'input-missing', { ...preference, input: undefined }),
  badTuning('preference', 'input-array', { ...preference, input: [talk[0]] }),
  badTuning('preference', 'input-without-messages', {
    ...preference,
    input: { text: 'x', tools: [talk[0]] },
  }),
  badTuning('preference', 'input-role', { ...preference, input: { messages: [{ role: 'x', content: '' }] } }),
  badTuning('not-object', 'array', [talk]),
  badTuning('not-json', 'csv', 'prompt,completion'),
];

function other(
  purpose: string,
  name: string,
  content: Buffer | string,
  rule: string | null = null,
  line: number | null = null,
): CorpusFile {
  return { purpose, name, content: Buffer.from(content), breaks: rule === null ? null : { rule, line } };
}

const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

const OTHERS: readonly CorpusFile[] = [
  other('evals', 'good.jsonl', linesOf([{ item: { question: 'x' } }, { item: {} }])),
  other('evals', 'good-without-item.jsonl', linesOf([{ question: 'x' }])),
  other('evals', 'bad-array.jsonl', '{"item":{}}\n[1]\n', 'not-object', 2),
  other('evals', 'bad-string.jsonl', '"item"\n', 'not-object', 1),
  other('evals', 'bad-json.jsonl', '{"item":{}}\n{item:{}}\n', 'not-json', 2),
  other('evals', 'good.json', '{"item":{}}\n'),
  other('vision', 'good.png', PNG),
  other('vision', 'good.JPG', Buffer.from('ffd8ffe000104a464946', 'hex')),
  other('vision', 'good.gif', 'GIF89a\x01\0'),
  other('vision', 'good.webp', 'RIFF\n\0\0\0WEBPVP8 '),
  other('vision', 'bad-text.png', 'not a picture at all', 'not-image'),
  other('vision', 'bad-riff.webp', 'RIFF\0\0\0\0WAVEfmt ', 'not-image'),
  other('vision', 'bad-short.png', PNG.subarray(0, 5), 'not-image'),
  other('vision', 'bad.bmp', 'BM', 'extension'),
  other('assistants', 'good.PDF', '%PDF-1.7'),
  other('assistants', 'bad.exe', 'MZ', 'extension'),
  other('assistants', 'bad', 'no extension', 'extension'),
  other('user_data', 'good.anything', '\0'),
  other('user_data', 'bad-empty.pdf', '', 'empty'),
  other('batch', 'bad.json', linesOf(two), 'extension'),
  other('fine-tune', 'bad.txt', tenOf({ messages: talk }), 'extension'),
  other('somebody-elses', 'good.xyz', 'anything'),
];

export const CORPUS: readonly CorpusFile[] = [...BATCH, ...FINE_TUNE, ...OTHERS];

if (import.meta.main) {
  const directory = process.argv[2];
  if (directory === undefined) throw new Error('usage: node test/corpus/make-corpus.ts DIR');
  for (const { purpose, name, content, breaks } of CORPUS) {
    mkdirSync(join(directory, purpose), { recursive: true });
    writeFileSync(join(directory, purpose, name), content);
    console.log(
      `${purpose}/${name}\t${breaks === null ? 'good' : `${breaks.rule} line ${breaks.line ?? '-'}`}`,
    );
  }
}
