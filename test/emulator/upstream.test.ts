import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { answerLines, requestLine, requestLines } from '../support/batch-lines.ts';
import type { BatchDesk } from './batch-desk.ts';
import { openBatchDesk } from './batch-desk.ts';

interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A model server: answers what it is asked, as slowly as `delayMs` says. */
let server: Server;
let url: string;
let dataDir: string;
let delayMs: number;
let atOnce: number;
let peak: number;
const asked: Asked[] = [];
const desks: BatchDesk[] = [];

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as {
    model: string;
    messages: { content: string }[];
  };
  const text = body.messages[0]?.content ?? '';
  asked.push({ path: request.url ?? '', headers: request.headers, text });
  atOnce += 1;
  peak = Math.max(peak, atOnce);
  await sleep(text === 'slow' ? 60_000 : delayMs, undefined, { ref: false });
  atOnce -= 1;
  if (text === 'break') return void response.socket?.destroy();
  response.writeHead(text === 'bad' ? 400 : 200, { 'content-type': 'application/json' });
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
  if (text === 'bad') response.end('{"error":{"message":"no"}}');
  else response.end(JSON.stringify({ choices: [{ message: { content: `model: ${text}` } }], usage }));
}

beforeEach(async () => {
  [delayMs, atOnce, peak] = [5, 0, 0];
  asked.length = 0;
  dataDir = mkdtempSync(join(tmpdir(), 'files-emulator-test-'));
  server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});

afterEach(async () => {
  await Promise.all(desks.splice(0).map(({ emulator }) => emulator.close()));
  server.close();
  server.closeAllConnections();
  rmSync(dataDir, { recursive: true, force: true });
});

async function open(
  upstream: { concurrency?: number; timeoutMs?: number; key?: string } = {},
): Promise<BatchDesk> {
  const desk = await openBatchDesk({
    dataDir,
    upstream: { url, ...upstream },
    clock: { nowMs: () => Date.now() },
    batchPace: { validatingMs: 20, finalizingMs: 20, cancellingMs: 20 },
  });
  desks.push(desk);
  return desk;
}

async function ended(desk: BatchDesk, id: string) {
  await expect
    .poll(async () => (await desk.retrieve(id)).status, { timeout: 20_000 })
    .toMatch(/completed|cancelled|expired/);
  const batch = await desk.retrieve(id);
  const lines = async (file: string | null) => (file === null ? [] : answerLines(desk.emulator, file));
  return { batch, output: await lines(batch.output_file_id), errors: await lines(batch.error_file_id) };
}

test('every line is sent to the other server, a few at a time, with its key', async () => {
  const desk = await open({ concurrency: 3, key: 'sk-local' });
  const { id } = await desk.submit(requestLines(20));
  const { batch, output } = await ended(desk, id);
  expect(batch).toMatchObject({
    status: 'completed',
    request_counts: { total: 20, completed: 20, failed: 0 },
    usage: { input_tokens: 60, output_tokens: 40 },
  });
  expect(output).toHaveLength(20);
  const seventh = output.find(({ custom_id: customId }) => customId === 'line-7');
  expect(seventh?.response?.body).toMatchObject({
    choices: [{ message: { content: 'model: question line-7' } }],
  });
  expect(asked).toHaveLength(20);
  expect(asked[0]).toMatchObject({
    path: '/v1/chat/completions',
    headers: { authorization: 'Bearer sk-local' },
  });
  expect(peak).toBe(3);
});

test('a refusal, a broken connection and a time-out are errors of their lines', async () => {
  const desk = await open({ timeoutMs: 300 });
  const texts = ['fine', 'bad', 'break', 'slow'];
  const { id } = await desk.submit(texts.map((text) => requestLine(text, { text })).join(''));
  const { batch, output, errors } = await ended(desk, id);
  expect(batch.request_counts).toEqual({ total: 4, completed: 1, failed: 3 });
  expect(output.map(({ custom_id: customId }) => customId)).toEqual(['fine']);
  const error = (customId: string) => errors.find(({ custom_id: each }) => each === customId);
  expect(error('bad')).toMatchObject({ response: { status_code: 400, body: { error: { message: 'no' } } } });
  expect(error('break')).toMatchObject({ response: null, error: { code: 'server_error' } });
  expect(error('slow')).toMatchObject({ response: null, error: { code: 'request_timeout' } });
});

test('cancelled, it has what was answered by then', async () => {
  const desk = await open({ concurrency: 1 });
  delayMs = 20;
  const { id } = await desk.submit(requestLines(200));
  await expect.poll(async () => (await desk.retrieve(id)).request_counts.completed).toBeGreaterThan(3);
  await desk.cancel(id);
  const { batch, output, errors } = await ended(desk, id);
  expect(batch).toMatchObject({ status: 'cancelled', request_counts: { completed: output.length } });
  expect(output.length + errors.length).toBe(200);
  expect(output.length).toBeGreaterThan(3);
  expect(errors[0]).toMatchObject({ error: { code: 'batch_cancelled' } });
});

test('a restart goes on behind what was answered, and asks nothing twice', async () => {
  const first = await open({ concurrency: 1 });
  delayMs = 10;
  const { id } = await first.submit(requestLines(30));
  await expect.poll(async () => (await first.retrieve(id)).request_counts.completed).toBeGreaterThan(5);
  await first.emulator.close();
  const before = asked.length;
  // As a process leaves it that dies while it writes.
  appendFileSync(join(dataDir, 'batches', '0.output'), '{"id":"batch_req_torn","custom_id":"li');

  const second = await open({ concurrency: 4 });
  const { batch, output } = await ended(second, id);
  expect(batch).toMatchObject({ status: 'completed', request_counts: { completed: 30 } });
  expect(new Set(output.map(({ custom_id: customId }) => customId)).size).toBe(30);
  expect(output).toHaveLength(30);
  // One was under way when the first one closed.
  expect(asked.length - before).toBeLessThanOrEqual(30 - before + 1);
});
