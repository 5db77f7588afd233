import { afterEach, expect, test } from 'vitest';

import type { EmulatorOptions } from '../support/faulty-emulator.ts';
import * as faults from '../support/batch-faults.ts';
import { forbidden } from '../support/fault-presets.ts';
import { answerLines, requestLines } from '../support/batch-lines.ts';
import type { BatchDesk, BatchReply } from './batch-desk.ts';
import { openBatchDesk } from './batch-desk.ts';

const opened: BatchDesk[] = [];
afterEach(() => Promise.all(opened.splice(0).map(({ emulator }) => emulator.close())));

async function open(options: EmulatorOptions = {}): Promise<BatchDesk> {
  const desk = await openBatchDesk(options);
  opened.push(desk);
  return desk;
}

async function listed(desk: BatchDesk): Promise<readonly BatchReply[]> {
  return ((await (await desk.get('/batches')).json()) as { data: BatchReply[] }).data;
}

test('a creation whose reply is lost was stored, or was not', async () => {
  const desk = await open();
  desk.emulator.faults.add(faults.lostCreation('after'));
  await expect(desk.submit(requestLines(1))).rejects.toThrow(/fetch failed/);
  expect(desk.emulator.batches.all()).toHaveLength(1);
  desk.emulator.faults.add(faults.lostCreation('before'));
  await expect(desk.submit(requestLines(1))).rejects.toThrow(/fetch failed/);
  expect(desk.emulator.batches.all()).toHaveLength(1);
  await desk.submit(requestLines(1));
  expect(desk.emulator.batches.all()).toHaveLength(2);
  expect(desk.emulator.requests.submissions()).toHaveLength(3);
});

test('a creation that is never answered was stored', async () => {
  const desk = await open();
  desk.emulator.faults.add(faults.hangingCreation());
  const input = await desk.input(requestLines(1));
  const body = JSON.stringify({
    input_file_id: input,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  });
  const signal = AbortSignal.timeout(200);
  const headers = { authorization: 'Bearer sk-test' };
  await expect(
    fetch(`${desk.emulator.url}/batches`, { method: 'POST', headers, body, signal }),
  ).rejects.toThrow(/abort|timeout/i);
  expect(desk.emulator.batches.all()).toHaveLength(1);
});

test('lists, and with retrieve also its GET, lag behind', async () => {
  const desk = await open();
  const lag = desk.emulator.faults.add(faults.laggingBatches(5000));
  const { id } = await desk.submit(requestLines(1));
  expect(await listed(desk)).toEqual([]);
  expect((await desk.get(`/batches/${id}`)).status).toBe(200);
  lag.remove();
  desk.emulator.faults.add(faults.laggingBatches(5000, true));
  expect((await desk.get(`/batches/${id}`)).status).toBe(404);
  desk.pass(5000);
  expect((await desk.get(`/batches/${id}`)).status).toBe(200);
  expect(await listed(desk)).toHaveLength(1);
});

test('a stale list shows what there was, as it was', async () => {
  const desk = await open();
  const { id } = await desk.submit(requestLines(1));
  const stale = desk.emulator.faults.add(faults.staleBatches());
  await desk.submit(requestLines(1));
  desk.pass(60_000);
  expect(await desk.retrieve(id)).toMatchObject({ status: 'completed' });
  expect(await listed(desk)).toMatchObject([{ id, status: 'validating' }]);
  stale.remove();
  expect(await listed(desk)).toMatchObject([{ status: 'completed' }, { id }]);
});

test('metadata is dropped, counts lie, a status is unknown, ids are empty', async () => {
  const desk = await open();
  for (const rule of [
    faults.metadataDropped(),
    faults.lyingCounts(),
    faults.falseStatus('parsing', 'validating'),
  ])
    desk.emulator.faults.add(rule);
  const content = requestLines(4, { 1: 'error-400', 2: 'missing' });
  const { id, metadata, status } = await desk.submit(content, { metadata: { a: 'b' } });
  expect([metadata, status]).toEqual([null, 'parsing']);
  desk.pass(60_000);
  const [batch] = await listed(desk);
  expect(batch).toMatchObject({
    id,
    metadata: null,
    status: 'completed',
    request_counts: { completed: 4, failed: 0 },
  });
  expect(await answerLines(desk.emulator, batch?.output_file_id ?? '')).toHaveLength(2);
  expect(await answerLines(desk.emulator, batch?.error_file_id ?? '')).toHaveLength(1);

  desk.emulator.faults.clear();
  desk.emulator.faults.add(faults.emptyIds());
  const { id: other } = await desk.submit(requestLines(1));
  expect(await desk.retrieve(other)).toMatchObject({ output_file_id: '', error_file_id: '' });
});

test('a completed batch has no ids of its files for a while', async () => {
  const desk = await open();
  desk.emulator.faults.add(faults.lateOutput(30_000, () => desk.nowMs()));
  const { id } = await desk.submit(requestLines(1));
  desk.pass(10_000);
  expect(await desk.retrieve(id)).toMatchObject({ status: 'completed', output_file_id: null });
  desk.pass(30_000);
  expect((await desk.retrieve(id)).output_file_id).toMatch(/^file-/);
});

test('content is cut off with its connection, or silently; then it comes whole, also drop by drop', async () => {
  const desk = await open();
  const { id } = await desk.submit(requestLines(300));
  desk.pass(60_000);
  const { output_file_id: output } = await desk.retrieve(id);
  const path = `/files/${output}/content`;
  const whole = String(await desk.emulator.store.content(output ?? ''));
  desk.emulator.faults.add(faults.cutContent(70_000));
  const reply = await desk.get(path);
  expect(reply.headers.get('content-length')).toBe(String(whole.length));
  await expect(reply.text()).rejects.toThrow(/terminated/);
  desk.emulator.faults.add(faults.cutContent(70_000, 'silently'));
  expect(await (await desk.get(path)).text()).toBe(whole.slice(0, 70_000));
  desk.emulator.faults.add({
    match: { path: /content$/ },
    act: { kind: 'drip', chunkBytes: 20_000, everyMs: 5 },
    times: 1,
  });
  expect(await (await desk.get(path)).text()).toBe(whole);
  expect(await (await desk.get(path)).text()).toBe(whole);
  expect(desk.emulator.requests.all().filter(({ aborted }) => aborted)).toHaveLength(1);
});

test('lines ask for trouble, some of them once', async () => {
  const desk = await open();
  const content = requestLines(8, {
    1: 'error-429',
    2: 'error-0',
    3: 'timeout',
    4: 'missing',
    5: 'twice',
    6: 'stranger',
    7: 'bytes-100000',
    8: 'once-error-500',
  });
  const results = async () => {
    const { id } = await desk.submit(content);
    desk.pass(60_000);
    const batch = await desk.retrieve(id);
    const output = await answerLines(desk.emulator, batch.output_file_id ?? '');
    const errors = await answerLines(desk.emulator, batch.error_file_id ?? '');
    const names = (lines: typeof output) => lines.map(({ custom_id: customId }) => customId).sort();
    return { batch, output, errors, names: [names(output), names(errors)] };
  };
  const first = await results();
  expect(first.names).toEqual([
    ['line-5', 'line-5', 'line-6', 'line-6-stranger', 'line-7'],
    ['line-1', 'line-2', 'line-3', 'line-8'],
  ]);
  expect(first.batch.request_counts).toEqual({ total: 8, completed: 4, failed: 4 });
  const error = (customId: string) => first.errors.find(({ custom_id: id }) => id === customId);
  expect(error('line-1')).toMatchObject({ error: null, response: { status_code: 429, body: { error: {} } } });
  expect(error('line-2')).toMatchObject({ error: null, response: { status_code: 0, body: '' } });
  expect(error('line-3')).toMatchObject({ error: { code: 'request_timeout' }, response: null });
  const long = first.output.find(({ custom_id: id }) => id === 'line-7')?.response?.body['choices'];
  expect(JSON.stringify(long).length).toBeGreaterThan(100_000);
  expect((await results()).names[0]).toContain('line-8');
});

test('oddities of other servers are a matter of options', async () => {
  const desk = await open({
    batches: { ...faults.oddBatches, listOrder: 'asc', idempotencyHeader: 'idempotency-key' },
  });
  const first = await desk.submit(requestLines(1));
  expect(first).toMatchObject({
    status: 'Validating',
    created_at: '2025-11-21T23:00:00.000Z',
    request_counts: null,
    output_file_id: '',
  });
  const fields = {
    input_file_id: first['input_file_id'],
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  };
  const key = { 'idempotency-key': 'k1' };
  const created = (await (await desk.create(fields, key)).json()) as BatchReply;
  expect(await (await desk.create(fields, key)).json()).toEqual(created);
  const { value } = (await (await desk.get('/batches')).json()) as { value: BatchReply[] };
  expect(value.map(({ id }) => id)).toEqual([first.id, created.id]);
});

test('a key may be good for files and not for batches', async () => {
  const desk = await open();
  desk.emulator.faults.add(faults.atBatches(forbidden()));
  expect((await desk.get('/batches')).status).toBe(403);
  await expect(desk.submit(requestLines(1))).rejects.toThrow(/insufficient permissions/);
  expect((await desk.get('/files')).status).toBe(200);
});
