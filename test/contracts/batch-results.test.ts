/** From a file of requests to its results, over the real clients, the emulator and the disk. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { BatchSummary } from '../../src/batches/results/batch-summary.ts';
import { createResultsDesk } from '../../src/batches/results/results-desk.ts';
import type { BatchRecord, RemoteBatch } from '../../src/contract/batch.ts';
import { startEmulator } from '../support/faulty-emulator.ts';
import { recordOf } from '../batches/results/fixture.ts';
import { clientOf, never, realClock, uploadOf } from '../remote/wire.ts';
import { requestLines } from '../support/batch-lines.ts';

const FAST = { validatingMs: 20, workingMs: 50, perRequestMs: 0, finalizingMs: 20, cancellingMs: 20 };
const ENDPOINT = '/v1/chat/completions';

async function idsIn(path: string): Promise<readonly string[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as { readonly custom_id: string }).custom_id);
}

test('requests are answered in order; what failed in passing is tried again as the same bytes and merged; the rest is named', async () => {
  const base = await mkdtemp(join(tmpdir(), 'batch-results-'));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const emulator = await startEmulator({ batchPace: FAST });
  onTestFinished(() => emulator.close());
  const client = clientOf(emulator.url);
  const root = join(base, 'root');
  await mkdir(join(root, 'batch'), { recursive: true });
  const input = requestLines(20, { 3: 'once-error-500', 7: 'error-400', 11: 'missing' });
  await writeFile(join(root, 'batch/a.jsonl'), input);

  const ended = async (inputFileId: string, submission: string): Promise<RemoteBatch> => {
    const { id } = await client.batches.create(
      {
        inputFileId,
        endpoint: ENDPOINT,
        completionWindow: '24h',
        metadata: { files_mirror_submission: submission },
        outputExpiresAfterSeconds: null,
        submission,
      },
      never,
    );
    let batch = await client.batches.retrieve(id, never);
    await expect
      .poll(async () => (batch = await client.batches.retrieve(id, never))?.status, { timeout: 10_000 })
      .toBe('completed');
    if (batch === null) throw new Error('the batch is gone');
    return batch;
  };

  const desk = createResultsDesk({
    root,
    stateDir: join(base, 'state'),
    resultsFolder: 'results',
    keepsFolder: false,
    files: Object.assign(client, { isKnown: () => false }),
    clock: realClock,
    lookSeconds: 600,
    expiresAfterSeconds: null,
    assertRoot: async () => {},
  });
  const { id: inputFileId } = await client.upload(uploadOf(input), never);
  const common = { path: 'batch/a.jsonl', sha256: createHash('sha256').update(input).digest('hex') };
  const records = new Map<string, BatchRecord>();
  records.set('s0', recordOf(input, { ...common, inputFileId, batch: await ended(inputFileId, 's0') }));
  const listed: string[] = [];
  for await (const page of client.batches.list(never)) {
    listed.push(...page.map(({ metadata }) => metadata?.['files_mirror_submission'] ?? ''));
  }
  expect(listed).toEqual(['s0']);

  const { lines, retryable, oddities } = await desk.collect('s0', records, never);
  expect({ lines, oddities }).toEqual({ lines: { answered: 17, failed: 2, missing: 1 }, oddities: [] });
  expect(retryable.map(({ line }) => line)).toEqual([3, 11]);
  const again = await desk.uploadRetry('s0', records, 1, retryable, never);
  const batch = await ended(again.inputFileId, 's1');
  records.set('s1', recordOf(input, { ...common, ...again, generation: 1, of: 's0', batch }));
  expect((await desk.collect('s1', records, never)).lines).toEqual({ answered: 18, failed: 1, missing: 1 });

  const written = await desk.write('s0', records, never);
  const all = Array.from({ length: 20 }, (_, n) => `line-${n + 1}`);
  expect(await idsIn(join(root, written.output ?? ''))).toEqual(
    all.filter((id) => id !== 'line-7' && id !== 'line-11'),
  );
  expect(await idsIn(join(root, written.errors ?? ''))).toEqual(['line-7', 'line-11']);
  const summary = JSON.parse(await readFile(join(root, written.summary), 'utf8')) as BatchSummary;
  expect(summary).toMatchObject({
    state: 'partial',
    lines: { answered: 18, failed: 1, missing: 1 },
    batches: [{ generation: 0 }, { generation: 1, id: batch.id }],
  });
});
