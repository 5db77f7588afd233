/** `npm start` without a key: the whole road from requests to answers, on the emulator. */
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { RunningProgram, runProgram } from '../support/blackbox/program.ts';
import { batchFile } from '../support/blackbox/samples.ts';
import { removeFolder } from '../support/blackbox/remove-folder.ts';

vi.setConfig({ testTimeout: 90_000 });

async function until(is: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + 40_000;
  while (!(await is())) {
    if (performance.now() > deadlineMs) throw new Error(`not so in time: ${what}`);
    await sleep(100);
  }
}

const exists = (file: string): Promise<boolean> =>
  readFile(file).then(
    () => true,
    () => false,
  );

test('a dropped file of 5 requests has its answers in results/ within 15 s, and the log says where', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'first-evening-'));
  const options = { env: { HOME: folder }, cwd: folder };
  const daemon = new RunningProgram(['run', '--init', '--emulator-without-key'], options);
  context.onTestFinished(async () => {
    daemon.signal('SIGKILL');
    await daemon.exited;
    await removeFolder(folder);
  });
  context.onTestFailed(() => console.log(daemon.log));
  await until(() => daemon.log.includes('"looked at'), 'the first scan');
  const root = join(folder, 'openai-files');
  expect(daemon.log).toContain(`their answers are written into ${join(root, 'results')}`);
  expect(daemon.log).toContain('answers batches with echoes instead of a model');
  const requests = batchFile(1, 5);
  await writeFile(join(root, 'batch', 'five.jsonl'), requests);
  const droppedMs = performance.now();
  const output = join(root, 'results', 'five.output.jsonl');
  await until(() => exists(output), 'the answers');
  expect(performance.now() - droppedMs).toBeLessThan(15_000);
  const idsOf = (text: string): unknown[] =>
    text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { custom_id: unknown }).custom_id);
  expect(idsOf(await readFile(output, 'utf8'))).toEqual(idsOf(requests.toString('utf8')));
  await until(() => daemon.log.includes('read results/five.output.jsonl'), 'the log line');
  expect(daemon.log).toMatch(/submitted: batch\/five\.jsonl as batch_\w+ \(5 requests\)/);
});

test('a configuration that says that nothing is submitted is obeyed', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'first-evening-'));
  const options = { env: { HOME: folder }, cwd: folder };
  await mkdir(join(folder, 'openai-files', 'batch'), { recursive: true });
  await writeFile(join(folder, 'files-mirror.json'), '{ "folders": { "batch": { "submit": false } } }');
  await writeFile(join(folder, 'openai-files', 'batch', 'a.jsonl'), batchFile(1, 1));
  const daemon = new RunningProgram(['run', '--emulator-without-key'], options);
  context.onTestFinished(async () => {
    daemon.signal('SIGKILL');
    await daemon.exited;
    await removeFolder(folder);
  });
  await until(() => daemon.log.includes('uploaded batch/a.jsonl'), 'the upload');
  expect(daemon.log).not.toContain('submitted as batches');
  const { stdout } = await runProgram(['batch', 'list', '--json'], options);
  expect(JSON.parse(stdout)).toEqual([]);
});
