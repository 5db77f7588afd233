/** A large batch passes through a process of its own, whose memory is watched. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { requestLines } from '../support/batch-lines.ts';

const REQUESTS = 15_000;
const TEXT_BYTES = 4000;
const headers = { authorization: 'Bearer sk-test' };

test(
  '60 MB of requests become 60 MB of answers in memory that does not grow with them',
  { timeout: 120_000 },
  async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'files-emulator-test-'));
    const options = { batchPace: { perRequestMs: 0 } };
    const child = fork(
      new URL('./emulator-process.ts', import.meta.url),
      [dataDir, JSON.stringify(options)],
      {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      },
    );
    try {
      const [filesUrl] = (await once(child, 'message')) as [string];
      const url = filesUrl.replace(/\/files$/, '');
      const peakMb = (): number =>
        Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;

      const form = new FormData();
      form.set('purpose', 'batch');
      form.set('file', new File([requestLines(REQUESTS, {}, { text: 'x'.repeat(TEXT_BYTES) })], 'a.jsonl'));
      const uploaded = await fetch(filesUrl, { method: 'POST', headers, body: form });
      const { id: input } = (await uploaded.json()) as { id: string };
      const before = peakMb();
      const body = JSON.stringify({
        input_file_id: input,
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
      });
      const created = await fetch(`${url}/batches`, { method: 'POST', headers, body });
      const { id } = (await created.json()) as { id: string };
      let output: string | null = null;
      await expect
        .poll(
          async () => {
            const reply = await fetch(`${url}/batches/${id}`, { headers });
            const batch = (await reply.json()) as { status: string; output_file_id: string | null };
            output = batch.output_file_id;
            return batch.status;
          },
          { timeout: 90_000, interval: 250 },
        )
        .toBe('completed');
      const content = await (await fetch(`${filesUrl}/${output}/content`, { headers })).arrayBuffer();
      expect(content.byteLength).toBeGreaterThan(REQUESTS * TEXT_BYTES);
      expect(peakMb() - before).toBeLessThan(100);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
);
