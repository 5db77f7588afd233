import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { startEmulator } from '../support/faulty-emulator.ts';
import { answerLines, requestLines } from '../support/batch-lines.ts';
import { openBatchDesk } from './batch-desk.ts';
import { fileFields, upload } from './wire.ts';

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'files-emulator-test-'));
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

test('batches, their ends and their order survive a restart; one that ran goes on, one that was cancelled ends', async () => {
  const first = await openBatchDesk({ dataDir });
  const done = await first.submit(requestLines(3, { 2: 'error-400' }), { metadata: { a: 'b' } });
  first.pass(10_000);
  const before = await first.retrieve(done.id);
  expect(before).toMatchObject({ status: 'completed' });
  const open = await first.submit(requestLines(10));
  const cancelled = await first.submit(requestLines(10));
  first.pass(1500);
  await first.retrieve(open.id);
  await first.cancel(cancelled.id);
  await first.emulator.close();

  let nowMs = first.nowMs();
  const second = await openBatchDesk({ dataDir, clock: { nowMs: () => nowMs } });
  expect(await second.retrieve(done.id)).toEqual(before);
  expect(await second.retrieve(open.id)).toMatchObject({
    status: 'in_progress',
    request_counts: { completed: 6 },
  });
  nowMs += 10_000;
  const after = await second.retrieve(open.id);
  expect(after).toMatchObject({ status: 'completed', request_counts: { completed: 10 } });
  expect(await answerLines(second.emulator, after.output_file_id ?? '')).toHaveLength(10);
  expect(await second.retrieve(cancelled.id)).toMatchObject({
    status: 'cancelled',
    request_counts: { completed: 6 },
  });
  const { data } = (await (await second.get('/batches')).json()) as { data: { id: string }[] };
  expect(data.map(({ id }) => id)).toEqual([cancelled.id, open.id, done.id]);
  expect(readdirSync(join(dataDir, 'batches'))).toEqual([]);
  await second.emulator.close();
});

test('a batch that was answered with 200 survives kill -9, and completes', async () => {
  const child = fork(new URL('./emulator-process.ts', import.meta.url), [dataDir], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [filesUrl] = (await once(child, 'message')) as [string];
  const uploaded = await upload(filesUrl, fileFields('a.jsonl', requestLines(20), 'batch'));
  const { id: input } = (await uploaded.json()) as { id: string };
  const created = await fetch(filesUrl.replace(/files$/, 'batches'), {
    method: 'POST',
    headers: { authorization: 'Bearer sk-test' },
    body: JSON.stringify({
      input_file_id: input,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    }),
  });
  const { id } = (await created.json()) as { id: string };
  child.kill('SIGKILL');
  await once(child, 'exit');

  const emulator = await startEmulator({ dataDir });
  expect(emulator.batches.all()).toMatchObject([{ id, inputFileId: input }]);
  await expect
    .poll(() => emulator.batches.all()[0]?.end, { timeout: 10_000 })
    .toMatchObject({ status: 'completed', completed: 20 });
  const outputs = emulator.files().filter(({ purpose }) => purpose === 'batch_output');
  expect(outputs).toHaveLength(1);
  await emulator.close();
});

test('results that a process had stored before it died are replaced, not doubled', async () => {
  const desk = await openBatchDesk({ dataDir });
  const { id } = await desk.submit(requestLines(3));
  const half = { purpose: 'batch_output', filename: `${id}_output.jsonl`, content: '{}\n' };
  const { id: stale } = await desk.emulator.store.add(half);
  desk.pass(10_000);
  const { output_file_id: output } = await desk.retrieve(id);
  expect(output).not.toBe(stale);
  const outputs = desk.emulator.files().filter(({ purpose }) => purpose === 'batch_output');
  expect(outputs.map((file) => file.id)).toEqual([output]);
  await desk.emulator.close();
});

test('an emulator that is closed while it writes results leaves nothing half, and writes them after its next start', async () => {
  const desk = await openBatchDesk({ dataDir });
  const { id } = await desk.submit(requestLines(50_000));
  desk.pass(3_600_000);
  const reply = desk.retrieve(id).catch(() => null);
  const begun = (): unknown => desk.emulator.batches.all()[0]?.inProgressAtMs;
  await expect.poll(begun, { interval: 1 }).not.toBe(null);
  await desk.emulator.close();
  await reply;
  // Nearly always it was broken off; where it had just ended, it is whole as well.
  const second = await openBatchDesk({ dataDir, clock: { nowMs: () => desk.nowMs() } });
  await second.emulator.batches.settle();
  expect(second.emulator.batches.all()).toMatchObject([
    { id, end: { status: 'completed', completed: 50_000 } },
  ]);
  expect(second.emulator.files().filter(({ purpose }) => purpose === 'batch_output')).toHaveLength(1);
  await second.emulator.close();
});
