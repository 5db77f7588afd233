/** The client of this project against `/batches` in every dialect: create, list, watch, cancel. */
import { afterEach, expect, test } from 'vitest';

import type { BatchRequest, RemoteBatch } from '../../src/contract/batch.ts';
import type { DialectName } from '../../src/emulator/dialects.ts';
import type { Emulator, EmulatorOptions } from '../support/faulty-emulator.ts';
import { startEmulator } from '../support/faulty-emulator.ts';
import type { BatchDialect } from '../../src/remote/batches-client.ts';
import { clientOf, faultOf, never } from '../remote/wire.ts';
import { lostCreation, oddBatches } from '../support/batch-faults.ts';
import { requestLines } from '../support/batch-lines.ts';

const PACE = { validatingMs: 20, workingMs: 60, perRequestMs: 0, finalizingMs: 20, cancellingMs: 20 };
const SUBMISSION = '7b7e3f0a-0d4b-4f8a-9a54-2d7f0a0c5a11';
const running: Emulator[] = [];
afterEach(() => Promise.all(running.splice(0).map((emulator) => emulator.close())));

async function start(options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = await startEmulator({ batchPace: PACE, ...options });
  running.push(emulator);
  return emulator;
}

function clientFor(emulator: Emulator, query: string, batches: BatchDialect = {}) {
  return clientOf(`${emulator.url}${query}`, { batches }).batches;
}

async function requestOf(
  emulator: Emulator,
  completionWindow: string,
  content: string,
): Promise<BatchRequest> {
  const { id } = await emulator.store.add({ purpose: 'batch', filename: 'a.jsonl', content });
  return {
    inputFileId: id,
    endpoint: '/v1/chat/completions',
    completionWindow,
    metadata: { files_mirror_submission: SUBMISSION },
    outputExpiresAfterSeconds: null,
    submission: SUBMISSION,
  };
}

async function listed(list: AsyncIterable<readonly RemoteBatch[]>): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const page of list) ids.push(...page.map(({ id }) => id));
  return ids;
}

const azureMap = { '/v1/chat/completions': '/chat/completions' };

test.each<readonly [DialectName, string, string, BatchDialect, EmulatorOptions]>([
  ['openai', '24h', '', {}, {}],
  ['azure', '24h', '?api-version=2024-10-21', { endpointMap: azureMap }, {}],
  ['azure', '24h', '?api-version=2024-10-21', { endpointMap: azureMap }, { batches: oddBatches }],
  ['azure-v1', '24h', '', { endpointMap: azureMap }, {}],
  ['groq', '7d', '', {}, {}],
  ['moonshot', '12h', '', {}, {}],
  ['dashscope', '14d', '', {}, {}],
  ['litellm', '24h', '', {}, {}],
  ['cerebras', '24h', '', {}, {}],
  ['perplexity', '24h', '', { idempotencyHeader: 'idempotency-key' }, {}],
])('%s with a window of %s', async (dialect, window, query, batchDialect, options) => {
  const emulator = await start({ dialect, ...options });
  const batches = clientFor(emulator, query, batchDialect);
  const request = await requestOf(emulator, window, requestLines(3, { 2: 'error-400' }));
  const created = await batches.create(request, never);
  expect(created).toMatchObject({
    status: 'validating',
    metadata: { files_mirror_submission: SUBMISSION },
    outputFileId: null,
  });
  expect(Math.abs((created.createdAt ?? 0) * 1000 - Date.now())).toBeLessThan(60_000);
  let last: RemoteBatch | null = null;
  await expect
    .poll(async () => (last = await batches.retrieve(created.id, never))?.status, { timeout: 10_000 })
    .toBe('completed');
  expect(last).toMatchObject({ counts: { total: 3, completed: 2, failed: 1 } });
  for (const id of [last!.outputFileId, last!.errorFileId])
    expect(await emulator.store.content(id ?? '')).not.toBe(null);
  const second = await batches.create(
    { ...(await requestOf(emulator, window, requestLines(1))), submission: 'other' },
    never,
  );
  expect(await batches.cancel(second.id, never)).toMatchObject({ status: 'cancelling' });
  expect(await listed(batches.list(never))).toEqual([second.id, created.id]);
  expect(await batches.retrieve('batch_none', never)).toBe(null);
});

test('with an idempotency key a lost reply is asked for again, and there is one batch', async () => {
  const emulator = await start({ dialect: 'perplexity' });
  emulator.faults.add(lostCreation('after'));
  const batches = clientFor(emulator, '', { idempotencyHeader: 'idempotency-key' });
  const request = await requestOf(emulator, '24h', requestLines(1));
  expect(await faultOf(batches.create(request, never))).toMatchObject({ outcome: 'unknown' });
  const { id } = await batches.create(request, never);
  expect(emulator.batches.all().map((batch) => batch.id)).toEqual([id]);
});

test('a failed batch tells its problems; a server without batches is said to have none', async () => {
  const emulator = await start();
  const batches = clientFor(emulator, '');
  const { id } = await batches.create(await requestOf(emulator, '24h', 'no JSON\n'), never);
  await expect.poll(async () => (await batches.retrieve(id, never))?.status).toBe('failed');
  expect((await batches.retrieve(id, never))?.problems).toMatchObject([
    { code: 'invalid_json_line', line: 1 },
  ]);
  const without = clientFor(await start({ dialect: 'xai' }), '');
  expect(await faultOf(listed(without.list(never)))).toMatchObject({ outcome: 'refused' });
});
