import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { startEmulator } from '../support/faulty-emulator.ts';
import type { StoredFile } from '../../src/emulator/stored-file.ts';
import { fileFields, formBody, sendRaw, upload } from './wire.ts';

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'files-emulator-test-'));
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

async function filesAfterRestart(): Promise<readonly StoredFile[]> {
  const emulator = await startEmulator({ dataDir });
  const files = emulator.files();
  await emulator.close();
  return files;
}

test('files, their contents and their order survive a restart; removed and expired ones stay gone', async () => {
  let nowMs = 1_763_766_000_000;
  const clock = { nowMs: () => nowMs };
  const first = await startEmulator({ dataDir, clock });
  const kept = await first.store.add({ purpose: 'vision', filename: 'kept "1"\n', content: 'K' });
  const removed = await first.store.add({ purpose: 'vision', filename: 'removed', content: 'R' });
  const expired = await first.store.add({
    purpose: 'batch',
    filename: 'expired',
    content: 'E',
    expiresAfterSeconds: 60,
  });
  const late = await first.store.add({ purpose: 'vision', filename: 'late', content: 'L' });
  expect(first.store.remove(removed.id)).toBe(true);
  expect(first.store.remove(removed.id)).toBe(false);
  await first.close();

  nowMs += 60_000;
  const second = await startEmulator({ dataDir, clock });
  expect(second.files()).toEqual([kept, late]);
  expect((await second.store.content(kept.id))?.toString()).toBe('K');
  expect((await second.store.add({ purpose: 'vision', filename: 'next', content: 'N' })).sequence).toBe(4);
  await second.close();
  expect(readdirSync(join(dataDir, 'content'))).toHaveLength(3);
  expect(readdirSync(join(dataDir, 'content'))).not.toContain(expired.id);
});

test('what was answered with 200 survives kill -9, what was still arriving leaves no trace', async () => {
  const child = fork(new URL('./emulator-process.ts', import.meta.url), [dataDir], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [filesUrl] = (await once(child, 'message')) as [string];
  expect((await upload(filesUrl, fileFields('stored', 'x'.repeat(200_000)))).status).toBe(200);
  const partial = formBody(fileFields('partial', 'x'.repeat(200_000))).slice(0, 150_000);
  const broken = sendRaw(filesUrl, partial, 1_000_000, true);
  await expect.poll(() => readdirSync(join(dataDir, 'incoming'))).toHaveLength(1);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await broken;

  expect(await filesAfterRestart()).toMatchObject([{ filename: 'stored', bytes: 200_000 }]);
  expect(readdirSync(join(dataDir, 'incoming'))).toEqual([]);
});

test('a torn last line is dropped, content without a line is cleared, damage in the middle stops the start', async () => {
  const emulator = await startEmulator({ dataDir });
  const file = await emulator.store.add({ purpose: 'vision', filename: 'a', content: 'A' });
  await emulator.close();
  const journal = join(dataDir, 'files.jsonl');
  appendFileSync(journal, '{"added":{"id":"file-torn"');
  writeFileSync(join(dataDir, 'content', 'file-torn'), 'T');
  expect(await filesAfterRestart()).toEqual([file]);
  expect(readdirSync(join(dataDir, 'content'))).toEqual([file.id]);

  writeFileSync(journal, `{"added":{}}\n${readFileSync(journal, 'utf8')}`);
  await expect(startEmulator({ dataDir })).rejects.toThrow(/files\.jsonl:1 is damaged/);
});
