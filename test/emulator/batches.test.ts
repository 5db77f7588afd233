import { afterEach, describe, expect, test } from 'vitest';

import type { EmulatorOptions } from '../support/faulty-emulator.ts';
import { answerLines, requestLine, requestLines } from '../support/batch-lines.ts';
import type { BatchDesk } from './batch-desk.ts';
import { START_MS, openBatchDesk, refusalOf } from './batch-desk.ts';

const HOUR_MS = 3_600_000;
const START = START_MS / 1000;
const opened: BatchDesk[] = [];

afterEach(() => Promise.all(opened.splice(0).map(({ emulator }) => emulator.close())));

async function open(options: EmulatorOptions = {}): Promise<BatchDesk> {
  const desk = await openBatchDesk(options);
  opened.push(desk);
  return desk;
}

describe('the life of a batch', () => {
  test('it is validated, works, is finalized and has completed, each with its time; counts move', async () => {
    const desk = await open();
    const { id } = await desk.submit(requestLines(100), { metadata: { who: 'me' } });
    expect(await desk.retrieve(id)).toMatchObject({
      object: 'batch',
      status: 'validating',
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      created_at: START,
      expires_at: START + 86_400,
      in_progress_at: null,
      output_file_id: null,
      errors: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
      metadata: { who: 'me' },
    });
    desk.pass(500 + 760);
    expect(await desk.retrieve(id)).toMatchObject({
      status: 'in_progress',
      model: 'gpt-test',
      in_progress_at: START,
      request_counts: { total: 100, completed: 50, failed: 0 },
    });
    desk.pass(760);
    expect(await desk.retrieve(id)).toMatchObject({
      status: 'finalizing',
      finalizing_at: START + 2,
      completed_at: null,
      request_counts: { completed: 100 },
    });
    desk.pass(500);
    const done = await desk.retrieve(id);
    expect(done).toMatchObject({
      status: 'completed',
      completed_at: START + 2,
      error_file_id: null,
      request_counts: { total: 100, completed: 100, failed: 0 },
      usage: { input_tokens: expect.any(Number), output_tokens: expect.any(Number) },
    });
    const lines = await answerLines(desk.emulator, done.output_file_id ?? '');
    expect(lines).toHaveLength(100);
    expect(lines.map(({ custom_id: customId }) => customId)).not.toEqual(
      Array.from({ length: 100 }, (_, index) => `line-${index + 1}`),
    );
    expect(new Set(lines.map(({ custom_id: customId }) => customId)).size).toBe(100);
    const { response } = lines.find(({ custom_id: customId }) => customId === 'line-7') ?? {};
    expect(response).toMatchObject({
      status_code: 200,
      body: { object: 'chat.completion', choices: [{ message: { content: 'Echo: question line-7' } }] },
    });
  });

  test('a clock that jumps over everything finds it completed, at the time at which it was', async () => {
    const desk = await open();
    const { id } = await desk.submit(requestLines(5));
    desk.pass(20 * 24 * HOUR_MS);
    const done = await desk.retrieve(id);
    expect(done).toMatchObject({ status: 'completed', completed_at: START + 2, expires_at: START + 86_400 });
    expect(desk.emulator.files().at(-1)).toMatchObject({ createdAt: START + 2 });
  });

  test('a clock that jumps back hides nothing, and undoes nothing', async () => {
    const desk = await open();
    const { id } = await desk.submit(requestLines(5));
    desk.pass(1000);
    expect(await desk.retrieve(id)).toMatchObject({ status: 'in_progress' });
    desk.pass(-HOUR_MS);
    expect(await desk.retrieve(id)).toMatchObject({
      status: 'in_progress',
      request_counts: { completed: 0 },
    });
    expect(await (await desk.get('/batches')).json()).toMatchObject({ data: [{ id }] });
    desk.pass(2 * HOUR_MS);
    expect(await desk.retrieve(id)).toMatchObject({ status: 'completed' });
  });

  test('equal seeds give equal outputs, others another order', async () => {
    const outputs: string[] = [];
    for (const batchSeed of [1, 1, 2]) {
      const desk = await open({ batchSeed });
      const { id } = await desk.submit(requestLines(50));
      desk.pass(HOUR_MS);
      const { output_file_id: output } = await desk.retrieve(id);
      outputs.push(String(await desk.emulator.store.content(output ?? '')));
    }
    expect(outputs[0]).toBe(outputs[1]);
    expect(outputs[0]).not.toBe(outputs[2]);
    expect(outputs[0]?.length).toBe(outputs[2]?.length);
  });

  test('five requests are done within five seconds of the clock on the wall', async () => {
    const desk = await open({ clock: { nowMs: () => Date.now() } });
    const { id } = await desk.submit(requestLines(5));
    await expect.poll(async () => (await desk.retrieve(id)).status, { timeout: 5000 }).toBe('completed');
  });

  test('its results are files of purpose batch_output, listed, read, deleted and expired as such', async () => {
    const desk = await open();
    const { id } = await desk.submit(requestLines(3, { 2: 'error-400' }), {
      output_expires_after: { anchor: 'created_at', seconds: 7200 },
    });
    desk.pass(10_000);
    const { data } = (await (await desk.get('/files?purpose=batch_output')).json()) as {
      data: { id: string }[];
    };
    expect(data).toMatchObject([
      { filename: `${id}_error.jsonl`, expires_at: START + 2 + 7200 },
      { filename: `${id}_output.jsonl`, purpose: 'batch_output', expires_at: START + 2 + 7200 },
    ]);
    const { output_file_id: output } = await desk.retrieve(id);
    expect(data[1]?.id).toBe(output);
    const content = await desk.get(`/files/${output}/content`);
    expect((await content.text()).split('\n')).toHaveLength(3);
    desk.pass(3 * HOUR_MS);
    expect((await desk.get(`/files/${output}`)).status).toBe(404);
    expect(await desk.retrieve(id)).toMatchObject({ status: 'completed', output_file_id: output });
  });

  test('results expire after 30 days when nothing is said', async () => {
    const desk = await open();
    await desk.submit(requestLines(1));
    desk.pass(10_000);
    await desk.emulator.batches.settle();
    expect(desk.emulator.files().at(-1)).toMatchObject({ expiresAt: START + 2 + 30 * 86_400 });
  });

  test('a batch of which every line fails has no output, and a deleted input does not stop it', async () => {
    const desk = await open();
    const { id, input_file_id: input } = await desk.submit(requestLines(2, { 1: 'error-500', 2: 'timeout' }));
    expect(desk.emulator.store.remove(String(input))).toBe(true);
    desk.pass(10_000);
    const done = await desk.retrieve(id);
    expect(done).toMatchObject({ status: 'completed', output_file_id: null, request_counts: { failed: 2 } });
    expect(await answerLines(desk.emulator, done.error_file_id ?? '')).toHaveLength(2);
  });
});

describe('ends before all is done', () => {
  test('a cancelled batch is cancelling, then has what was done by then', async () => {
    const desk = await open({ batchPace: { workingMs: 10_000, perRequestMs: 0 } });
    const { id } = await desk.submit(requestLines(10));
    desk.pass(500 + 4000);
    expect(await (await desk.cancel(id)).json()).toMatchObject({
      status: 'cancelling',
      cancelling_at: START + 4,
      request_counts: { total: 10, completed: 4 },
    });
    expect((await desk.cancel(id)).status).toBe(200);
    desk.pass(60_000);
    const done = await desk.retrieve(id);
    expect(done).toMatchObject({
      status: 'cancelled',
      cancelled_at: START + 5,
      request_counts: { completed: 4 },
    });
    expect(await answerLines(desk.emulator, done.output_file_id ?? '')).toHaveLength(4);
    const rest = await answerLines(desk.emulator, done.error_file_id ?? '');
    expect(rest).toHaveLength(6);
    expect(rest[0]).toMatchObject({ response: null, error: { code: 'batch_cancelled' } });
    expect(await refusalOf(await desk.cancel(id))).toMatchObject({
      status: 409,
      message: "Cannot cancel a batch with status 'cancelled'.",
    });
  });

  test('one that is cancelled while it is validated has nothing', async () => {
    const desk = await open();
    const { id } = await desk.submit('no JSON');
    await desk.cancel(id);
    desk.pass(60_000);
    expect(await desk.retrieve(id)).toMatchObject({
      status: 'cancelled',
      output_file_id: null,
      error_file_id: null,
    });
  });

  test('what is not done by the end of the window has expired, and its lines say so', async () => {
    const desk = await open({ batchPace: { workingMs: 48 * HOUR_MS } });
    const { id } = await desk.submit(requestLines(10));
    desk.pass(24 * HOUR_MS);
    const done = await desk.retrieve(id);
    expect(done).toMatchObject({
      status: 'expired',
      expired_at: START + 86_400,
      request_counts: { completed: 4 },
    });
    expect(await answerLines(desk.emulator, done.output_file_id ?? '')).toHaveLength(4);
    const rest = await answerLines(desk.emulator, done.error_file_id ?? '');
    expect(rest.map(({ error }) => error?.code)).toEqual(Array.from({ length: 6 }, () => 'batch_expired'));
  });
});

describe('validation', () => {
  async function problemsOf(content: string, options: EmulatorOptions = {}, fields: object = {}) {
    const desk = await open(options);
    const { id } = await desk.submit(content, { ...fields });
    desk.pass(60_000);
    const { status, errors, request_counts: counts } = await desk.retrieve(id);
    expect(counts.total).toBe(0);
    return { status, problems: errors?.data.map(({ code, line, param }) => [code, line, param]) };
  }
  const line = (fields: object): string =>
    `${JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body: { model: 'gpt-test' }, ...fields })}\n`;

  test.each([
    ['{"custom_id": \n', ['invalid_json_line', 2, null]],
    ['[1]\n', ['invalid_json_line', 2, null]],
    [line({ custom_id: undefined }), ['missing_required_parameter', 2, 'custom_id']],
    [line({ custom_id: 7 }), ['invalid_type', 2, 'custom_id']],
    [line({ custom_id: 'line-1' }), ['duplicate_custom_id', 2, 'custom_id']],
    [line({ method: 'GET' }), ['invalid_method', 2, 'method']],
    [line({ url: '/v1/embeddings' }), ['invalid_url', 2, 'url']],
    [line({ body: [] }), ['invalid_type', 2, 'body']],
    [line({ body: {} }), ['missing_required_parameter', 2, 'body.model']],
    [line({ body: { model: 'another' } }), ['mismatched_model', 2, 'body.model']],
    [line({ body: { model: 'gpt-test', stream: true } }), ['invalid_value', 2, 'body.stream']],
  ])('%j fails with %j', async (second, problem) => {
    const found = await problemsOf(requestLine('line-1') + second + requestLine('line-3'));
    expect(found).toEqual({ status: 'failed', problems: [problem] });
  });

  test('all bad lines are named, a file without requests is empty, too many requests are too many', async () => {
    const many = await problemsOf(`x\n\n${requestLine('a')}${line({ method: 'GET', url: '/' })}`);
    expect(many.problems).toEqual([
      ['invalid_json_line', 1, null],
      ['duplicate_custom_id', 4, 'custom_id'],
      ['invalid_method', 4, 'method'],
      ['invalid_url', 4, 'url'],
    ]);
    expect((await problemsOf('\n \n')).problems).toEqual([['empty_file', null, null]]);
    const limit = { batches: { maxRequests: 2 } };
    expect((await problemsOf(requestLines(3), limit)).problems).toEqual([['too_many_tasks', null, null]]);
    const input = Array.from({ length: 50_001 }, () => 1);
    const embedding = line({ url: '/v1/embeddings', body: { model: 'm', input } });
    const embeddings = await problemsOf(embedding, {}, { endpoint: '/v1/embeddings' });
    expect(embeddings.problems).toEqual([['too_many_tasks', null, null]]);
  });

  test('a model whose queue is full takes no more until a batch of it has ended; other models do', async () => {
    const content = requestLines(10);
    const desk = await open({ batchQueueTokens: Math.ceil(content.length / 4) * 1.5 });
    const first = await desk.submit(content);
    const second = await desk.submit(content);
    const other = await desk.submit(requestLines(10, {}, { model: 'gpt-other' }));
    desk.pass(600);
    expect(await desk.retrieve(first.id)).toMatchObject({ status: 'in_progress' });
    expect(await desk.retrieve(second.id)).toMatchObject({
      status: 'failed',
      errors: { object: 'list', data: [{ code: 'token_limit_exceeded', line: null, param: null }] },
      output_file_id: null,
    });
    expect(await desk.retrieve(other.id)).toMatchObject({ status: 'in_progress' });
    desk.pass(10_000);
    const again = await desk.submit(content);
    desk.pass(600);
    expect(await desk.retrieve(again.id)).toMatchObject({ status: 'in_progress' });
  });
});

describe('requests', () => {
  test.each([
    [{ endpoint: undefined }, 'missing_required_parameter', 'endpoint'],
    [{ endpoint: '/v1/nothing' }, 'invalid_value', 'endpoint'],
    [{ completion_window: '48h' }, 'invalid_value', 'completion_window'],
    [{ completion_window: '1d' }, 'invalid_value', 'completion_window'],
    [{ input_file_id: 7 }, 'invalid_type', 'input_file_id'],
    [{ extra: 1 }, 'unknown_parameter', 'extra'],
    [{ metadata: { a: 1 } }, 'invalid_type', 'metadata.a'],
    [{ metadata: { ['k'.repeat(65)]: 'v' } }, 'string_above_max_length', 'metadata'],
    [{ metadata: { k: 'v'.repeat(513) } }, 'string_above_max_length', 'metadata.k'],
    [
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v'])) },
      'object_above_max_properties',
      'metadata',
    ],
    [
      { output_expires_after: { anchor: 'created_at', seconds: 60 } },
      'integer_below_min_value',
      'output_expires_after.seconds',
    ],
    [
      { output_expires_after: { anchor: 'now', seconds: 7200 } },
      'invalid_value',
      'output_expires_after.anchor',
    ],
  ])('%j is refused', async (fields, code, param) => {
    const desk = await open();
    const reply = await desk.create({
      input_file_id: await desk.input(requestLines(1)),
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      ...fields,
    });
    expect(await refusalOf(reply)).toMatchObject({ status: 400, type: 'invalid_request_error', code, param });
    expect(desk.emulator.batches.all()).toEqual([]);
  });

  test('16 keys of 64 and values of 512 characters are taken', async () => {
    const desk = await open();
    const keys = Array.from({ length: 16 }, (_, index) => `${index}`.padEnd(64, 'k'));
    const metadata = Object.fromEntries(keys.map((key) => [key, 'v'.repeat(512)]));
    expect(await desk.submit(requestLines(1), { metadata })).toMatchObject({ metadata });
  });

  test('an input that is not there, or for something else, an unknown batch, another method', async () => {
    const desk = await open();
    const other = await desk.emulator.store.add({ purpose: 'user_data', filename: 'a', content: 'x' });
    const fields = { endpoint: '/v1/chat/completions', completion_window: '24h' };
    for (const id of ['file-none', other.id]) {
      const reply = await desk.create({ ...fields, input_file_id: id });
      expect(await refusalOf(reply)).toMatchObject({ status: 400, param: 'input_file_id' });
    }
    expect(await refusalOf(await desk.get('/batches/batch_none'))).toMatchObject({
      status: 404,
      type: 'invalid_request_error',
    });
    expect((await desk.cancel('batch_none')).status).toBe(404);
    expect((await desk.get('/batches/a/b/c')).status).toBe(404);
    const url = `${desk.emulator.url}/batches`;
    const headers = { authorization: 'Bearer sk-test' };
    expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(405);
    expect((await fetch(url, { method: 'POST', headers, body: 'no JSON' })).status).toBe(400);
    expect((await fetch(url)).status).toBe(401);
  });

  test('the list is newest first, in pages of 1 to 100 behind a cursor', async () => {
    const desk = await open();
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.unshift((await desk.submit(requestLines(1))).id);
    const list = async (query: string) =>
      (await (await desk.get(`/batches${query}`)).json()) as { data: { id: string }[]; has_more: boolean };
    const first = await list('?limit=2');
    expect(first).toMatchObject({
      object: 'list',
      data: [{ id: ids[0] }, { id: ids[1] }],
      first_id: ids[0],
      last_id: ids[1],
      has_more: true,
    });
    expect((await list(`?limit=3&after=${ids[1]}`)).data.map(({ id }) => id)).toEqual(ids.slice(2));
    expect(await list(`?after=${ids[4]}`)).toMatchObject({ data: [], has_more: false });
    expect((await list('')).data).toHaveLength(5);
    for (const query of ['?limit=0', '?limit=101', '?limit=x']) {
      expect((await desk.get(`/batches${query}`)).status).toBe(400);
    }
    expect((await desk.get('/batches?after=batch_none')).status).toBe(404);
    expect(desk.emulator.requests.submissions()).toHaveLength(5);
    expect(desk.emulator.requests.submissions()[0]).toMatchObject({ id: ids[4], status: 200 });
  });
});
