/** The official clients, as their users write them, against `/batches` of the emulator. */
import Groq from 'groq-sdk';
import OpenAI, { AzureOpenAI, ConflictError, NotFoundError, toFile } from 'openai';
import { afterEach, describe, expect, test } from 'vitest';

import type { DialectName } from '../../src/emulator/dialects.ts';
import type { Emulator, EmulatorOptions } from '../support/faulty-emulator.ts';
import { startEmulator } from '../support/faulty-emulator.ts';
import { requestLines } from '../support/batch-lines.ts';

const FAST = { validatingMs: 20, workingMs: 50, perRequestMs: 0, finalizingMs: 20, cancellingMs: 20 };
const running: Emulator[] = [];
afterEach(() => Promise.all(running.splice(0).map((emulator) => emulator.close())));

async function start(options: EmulatorOptions = {}): Promise<{ emulator: Emulator; client: OpenAI }> {
  const emulator = await startEmulator({ batchPace: FAST, ...options });
  running.push(emulator);
  return { emulator, client: new OpenAI({ apiKey: 'sk-secret', baseURL: emulator.url, maxRetries: 0 }) };
}

async function upload(client: OpenAI, content: string): Promise<string> {
  const file = await client.files.create({
    purpose: 'batch',
    file: await toFile(Buffer.from(content), 'a.jsonl'),
  });
  return file.id;
}

async function ended(client: OpenAI, id: string): Promise<OpenAI.Batch> {
  let batch = await client.batches.retrieve(id);
  await expect
    .poll(async () => (batch = await client.batches.retrieve(id)).status, { timeout: 10_000 })
    .toMatch(/completed|failed|expired|cancelled/);
  return batch;
}

async function linesOf(client: OpenAI, fileId: string | undefined): Promise<Record<string, unknown>[]> {
  const text = await (await client.files.content(fileId ?? '')).text();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the openai package', () => {
  test('submits, waits, and reads the answers and the errors', async () => {
    const { client } = await start();
    const created = await client.batches.create({
      input_file_id: await upload(client, requestLines(5, { 4: 'error-429' })),
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { job: 'nightly' },
      output_expires_after: { anchor: 'created_at', seconds: 3600 },
    });
    expect(created).toMatchObject({ object: 'batch', status: 'validating', metadata: { job: 'nightly' } });
    const batch = await ended(client, created.id);
    expect(batch).toMatchObject({
      status: 'completed',
      model: 'gpt-test',
      request_counts: { total: 5, completed: 4, failed: 1 },
    });
    expect(batch.usage?.total_tokens).toBeGreaterThan(0);
    const answers = await linesOf(client, batch.output_file_id);
    expect(answers.map((line) => String(line['custom_id'])).sort()).toEqual([
      'line-1',
      'line-2',
      'line-3',
      'line-5',
    ]);
    expect(await linesOf(client, batch.error_file_id)).toMatchObject([
      {
        custom_id: 'line-4',
        error: null,
        response: { status_code: 429, body: { error: { code: 'rate_limit_exceeded' } } },
      },
    ]);
    const output = await client.files.retrieve(batch.output_file_id ?? '');
    expect(output).toMatchObject({ purpose: 'batch_output', expires_at: output.created_at + 3600 });
    expect(await client.files.delete(output.id)).toMatchObject({ deleted: true });
    await expect(client.files.content(output.id)).rejects.toThrow(NotFoundError);
  });

  test('lists all pages, newest first', async () => {
    const { client } = await start();
    const input = await upload(client, requestLines(1));
    const ids: string[] = [];
    for (let count = 0; count < 7; count += 1) {
      const endpoint = '/v1/chat/completions';
      const batch = await client.batches.create({ input_file_id: input, endpoint, completion_window: '24h' });
      ids.unshift(batch.id);
    }
    const listed: string[] = [];
    for await (const batch of client.batches.list({ limit: 3 })) listed.push(batch.id);
    expect(listed).toEqual(ids);
  });

  test('cancels, and is told when that is too late, or when there is no such batch', async () => {
    const { client } = await start({ batchPace: { ...FAST, workingMs: 60_000 } });
    const { id } = await client.batches.create({
      input_file_id: await upload(client, requestLines(3)),
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    expect(await client.batches.cancel(id)).toMatchObject({ status: 'cancelling' });
    expect(await ended(client, id)).toMatchObject({ status: 'cancelled', output_file_id: null });
    await expect(client.batches.cancel(id)).rejects.toThrow(ConflictError);
    await expect(client.batches.retrieve('batch_none')).rejects.toThrow(
      /No batch found with id 'batch_none'/,
    );
  });

  test.each([
    ['/v1/responses', { input: 'Hi' }, { object: 'response', output: [{ content: [{ text: 'Echo: Hi' }] }] }],
    [
      '/v1/embeddings',
      { input: ['a', 'b'] },
      { data: [{ index: 0 }, { index: 1 }], usage: { total_tokens: 1 } },
    ],
    ['/v1/completions', { prompt: 'Hi' }, { object: 'text_completion', choices: [{ text: 'Echo: Hi' }] }],
    ['/v1/moderations', { input: 'Hi' }, { results: [{ flagged: false }] }],
    ['/v1/images/generations', { prompt: 'Hi', n: 2 }, { data: [{}, {}] }],
    ['/v1/images/edits', { prompt: 'Hi' }, { data: [{}] }],
    ['/v1/videos', { prompt: 'Hi' }, { object: 'video', status: 'completed' }],
  ] as const)('%s is answered in its own shape', async (endpoint, body, expected) => {
    const { client } = await start();
    const line = { custom_id: 'a', method: 'POST', url: endpoint, body: { model: 'm', ...body } };
    const { id } = await client.batches.create({
      input_file_id: await upload(client, JSON.stringify(line)),
      endpoint,
      completion_window: '24h',
    });
    const batch = await ended(client, id);
    expect(await linesOf(client, batch.output_file_id)).toMatchObject([
      { custom_id: 'a', response: { status_code: 200, body: expected } },
    ]);
  });
});

describe('the clients of other servers', () => {
  test('AzureOpenAI: endpoints without a version, no expiry of jobs', async () => {
    const { emulator } = await start({ dialect: 'azure' });
    const client = new AzureOpenAI({
      endpoint: new URL(emulator.url).origin,
      apiKey: 'k',
      apiVersion: '2024-10-21',
      maxRetries: 0,
    });
    const input = await upload(client, requestLines(2, {}, { url: '/chat/completions' }));
    const window = { completion_window: '24h', input_file_id: input } as const;
    await expect(client.batches.create({ ...window, endpoint: '/v1/chat/completions' })).rejects.toThrow(
      /endpoint|value/,
    );
    const endpoint = '/chat/completions' as OpenAI.BatchCreateParams['endpoint'];
    const { id } = await client.batches.create({ ...window, endpoint });
    const batch = await ended(client, id);
    expect(await linesOf(client, batch.output_file_id)).toHaveLength(2);
    const listed: string[] = [];
    for await (const each of client.batches.list()) listed.push(each.id);
    expect(listed).toEqual([id]);
  });

  test('groq-sdk: a window of seven days, a list without parameters', async () => {
    const { emulator } = await start({ dialect: 'groq' });
    const client = new Groq({ apiKey: 'gsk_test', baseURL: new URL(emulator.url).origin, maxRetries: 0 });
    const content = await toFile(Buffer.from(requestLines(2)), 'a.jsonl');
    const file = await client.files.create({ purpose: 'batch', file: content });
    const created = await client.batches.create({
      input_file_id: file.id ?? '',
      endpoint: '/v1/chat/completions',
      completion_window: '7d',
    });
    expect(created.expires_at).toBe(created.created_at + 7 * 86_400);
    await expect.poll(async () => (await client.batches.retrieve(created.id)).status).toBe('completed');
    expect((await client.batches.list()).data.map(({ id }) => id)).toEqual([created.id]);
  });

  test.each([
    ['azure-v1', '24h', '/v1/chat/completions'],
    ['moonshot', '12h', '/v1/chat/completions'],
    ['dashscope', '14d', '/v1/chat/completions'],
    ['litellm', '24h', '/v1/chat/completions'],
    ['cerebras', '24h', '/v1/chat/completions'],
    ['perplexity', '24h', '/v1/chat/completions'],
    ['zhipu', '24h', '/v4/chat/completions'],
  ] as const)(
    '%s with a base URL of its own takes a window of %s',
    async (dialect: DialectName, window, endpoint) => {
      const { client } = await start({ dialect });
      const { id } = await client.batches.create({
        input_file_id: await upload(client, requestLines(2, {}, { url: endpoint })),
        endpoint: endpoint as OpenAI.BatchCreateParams['endpoint'],
        completion_window: window as '24h',
      });
      const batch = await ended(client, id);
      expect(batch.status).toBe('completed');
      expect(await linesOf(client, batch.output_file_id)).toHaveLength(2);
      for (const refused of ['1h', '30d']) {
        const again = {
          input_file_id: 'file',
          endpoint: '/v1/chat/completions',
          completion_window: refused as '24h',
        };
        await expect(client.batches.create(again as OpenAI.BatchCreateParams)).rejects.toThrow(/400/);
      }
    },
  );

  test('xai has no batches of this kind: 404', async () => {
    const { client } = await start({ dialect: 'xai' });
    await expect(client.batches.list()).rejects.toThrow(NotFoundError);
  });
});
