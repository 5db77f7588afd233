/** What stands in the way of batches, over the built program: the mirror goes on, nothing is lost, and a person is told. */
import { statSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import { atBatches } from '../support/batch-faults.ts';
import { requestLine, requestLines } from '../support/batch-lines.ts';
import {
  lineIds,
  movableClock,
  openBatchMirror,
  QUICK_PACE,
  resultIds,
  resultLines,
  resultNames,
  submissions,
  untilOver,
  untilView,
  viewOf,
} from '../support/blackbox/batch-mirror.ts';
import type { TestMirror } from '../support/blackbox/mirror-process.ts';
import { forbidden, insufficientQuota, unauthorized } from '../support/fault-presets.ts';
import type { FaultAct } from '../support/fault-injection.ts';
import { mountBind, mountTmpfs, noMounts, remount, unmount } from '../support/mounts.ts';

const PATH = 'batch/a.jsonl';
const COUNT = 5;
const HOUR_MS = 3_600_000;
const ANSWER_BYTES = 200_000;
const DISK_BYTES = 4 * 1024 * 1024;

const noBatches: FaultAct = {
  kind: 'respond',
  status: 404,
  body: { error: { message: 'Not Found', type: 'invalid_request_error', param: null, code: null } },
};

function timesTold(mirror: TestMirror, text: string): number {
  return mirror.logs.split('\n').filter((line) => line.includes(text)).length;
}

/** Answers that need room. */
const bulky = requestLines(
  COUNT,
  Object.fromEntries(Array.from({ length: COUNT }, (_, index) => [index + 1, `bytes-${ANSWER_BYTES}`])),
);

async function fill(folder: string): Promise<string> {
  const filler = join(folder, 'filler');
  await expect(writeFile(filler, Buffer.alloc(2 * DISK_BYTES))).rejects.toThrow('ENOSPC');
  return filler;
}

/** Begins it anew, with its state on a small disk of its own. */
async function ownDiskForState(context: TestContext, mirror: TestMirror): Promise<void> {
  await mirror.stop();
  await rm(mirror.stateDir, { recursive: true });
  await rm(mirror.at('.files-mirror.json'), { force: true });
  await mkdir(mirror.stateDir, { mode: 0o700 });
  mountTmpfs(mirror.stateDir, DISK_BYTES);
  context.onTestFinished(() => unmount(mirror.stateDir, 'lazy'));
  await chmod(mirror.stateDir, 0o700);
  await mirror.start();
  await mirror.untilWatching();
}

async function expectAnswers(mirror: TestMirror, count = COUNT): Promise<void> {
  expect(await untilOver(mirror, PATH)).toMatchObject({ state: 'done', lines: { answered: count } });
  expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, count));
  expect(submissions(mirror)).toBe(1);
}

describe('a server that makes no batches', { concurrent: true }, () => {
  const refusals: readonly (readonly [string, FaultAct, string])[] = [
    ['without /batches (404)', noBatches, 'access'],
    ['that refuses this key (401)', unauthorized(), 'access'],
    ['that gives this key no right to it (403)', forbidden(), 'access'],
    ['without credit', insufficientQuota(), 'quota'],
  ];
  for (const [name, act, why] of refusals) {
    test(`one ${name}: said once, uploads and deletes go on; later everything is submitted once`, async (context) => {
      const mirror = await openBatchMirror(context);
      const { faults } = mirror.emulator;
      const fault = faults.add(atBatches(act));
      for (const id of ['a', 'b', 'c']) await mirror.write(`batch/${id}.jsonl`, requestLines(2));
      await untilView(mirror, PATH, ({ hold }) => hold?.why === why);
      await mirror.write('user_data/x.txt', 'x');
      await mirror.untilReport('user_data/x.txt', (report) => report?.state === 'synced');
      await rm(mirror.at('user_data/x.txt'));
      await mirror.untilReport('user_data/x.txt', (report) => report === null || report.id === null);
      const { batches, halts } = await (await mirror.daemon()).status();
      expect(halts).toEqual([]);
      expect(batches).toMatchObject({ waiting: 3, open: 0 });
      expect(timesTold(mirror, 'no batches are submitted')).toBe(1);
      expect((await mirror.run('status')).code).not.toBe(5);
      const refused = submissions(mirror);
      expect(refused).toBeLessThanOrEqual(3);
      fault.remove();
      await mirror.run('batch', 'submit', PATH);
      for (const id of ['a', 'b', 'c']) {
        expect(await untilOver(mirror, `batch/${id}.jsonl`)).toMatchObject({ state: 'done' });
      }
      expect(mirror.emulator.batches.all()).toHaveLength(3);
      expect(submissions(mirror)).toBe(refused + 3);
    });
  }
});

/** The halt names the folder; the mirror as a whole goes on. Whoever waits for the answers is told so. */
async function expectResultsHalted(mirror: TestMirror): Promise<void> {
  const { halts } = await mirror.status();
  expect(halts).toMatchObject([{ name: 'state', folder: 'results' }]);
  const { code, stdout } = await mirror.run('status');
  expect([code, stdout]).toEqual([5, expect.stringContaining('HALTED state (results)')]);
  expect(stdout).not.toMatch(/phase +halted/);
  expect((await mirror.run('batch', 'wait')).code).toBe(5);
}

describe('a results folder that takes no results', { concurrent: true }, () => {
  test('one that is a file: told, the file stays, and the answers come once it is away', async (context) => {
    const mirror = await openBatchMirror(context);
    await mirror.write('results', 'somebody else wrote this');
    await mirror.write(PATH, requestLines(COUNT));
    const view = await untilView(mirror, PATH, ({ hold, state }) => state === 'settled' && hold !== null);
    expect(view.hold?.text).toContain('it is a file');
    expect(timesTold(mirror, 'its results wait')).toBe(1);
    await expectResultsHalted(mirror);
    await rm(mirror.at('results'));
    await expectAnswers(mirror);
  });

  test.skipIf(noMounts)(
    'one that is read-only: told, nothing half, and the answers come',
    async (context) => {
      const mirror = await openBatchMirror(context);
      await mkdir(mirror.at('results'));
      mountBind(mirror.at('results'), mirror.at('results'));
      remount(mirror.at('results'), 'ro');
      context.onTestFinished(() => unmount(mirror.at('results'), 'lazy'));
      await mirror.write(PATH, requestLines(COUNT));
      const view = await untilView(mirror, PATH, ({ hold, state }) => state === 'settled' && hold !== null);
      expect(view.hold?.text).toContain('EROFS');
      expect(await resultNames(mirror)).toEqual([]);
      await mirror.write('user_data/x.txt', 'x');
      await mirror.untilReport('user_data/x.txt', (report) => report?.state === 'synced');
      remount(mirror.at('results'), 'rw');
      await expectAnswers(mirror);
    },
  );

  test.skipIf(noMounts)('one that is full: told, nothing half, and the answers come', async (context) => {
    const mirror = await openBatchMirror(context);
    await mkdir(mirror.at('results'));
    mountTmpfs(mirror.at('results'), DISK_BYTES);
    context.onTestFinished(() => unmount(mirror.at('results'), 'lazy'));
    const filler = await fill(mirror.at('results'));
    await mirror.write(PATH, bulky);
    const view = await untilView(mirror, PATH, ({ hold, state }) => state === 'settled' && hold !== null);
    expect(view.hold?.text).toContain('ENOSPC');
    expect(await resultNames(mirror)).toEqual(['filler']);
    await expectResultsHalted(mirror);
    expect(timesTold(mirror, 'its results wait')).toBe(1);
    await rm(filler);
    await expectAnswers(mirror);
  });

  test.skipIf(noMounts)(
    'a state folder that is full: nothing is lost, and the answers come',
    async (context) => {
      const mirror = await openBatchMirror(context, {
        emulator: { batchPace: { ...QUICK_PACE, workingMs: 4_000 } },
      });
      await ownDiskForState(context, mirror);
      await mirror.write(PATH, bulky);
      await untilView(mirror, PATH, ({ state }) => state === 'open');
      const filler = await fill(mirror.stateDir);
      await mirror.until(
        () => mirror.emulator.batches.all().filter(({ end }) => end !== null).length,
        (ended) => ended === 1,
      );
      const found = await mirror.until(
        async () => (await viewOf(mirror, PATH))?.hold?.text ?? JSON.stringify((await mirror.status()).halts),
        (text) => text.includes('ENOSPC'),
      );
      expect(found).toContain('ENOSPC');
      expect(await resultNames(mirror)).toEqual([]);
      await rm(filler);
      await expectAnswers(mirror);
    },
  );

  test.skipIf(noMounts)(
    'a state folder that is full before anything is submitted: no batch is made that could not be recorded',
    async (context) => {
      const mirror = await openBatchMirror(context);
      await ownDiskForState(context, mirror);
      const fault = mirror.emulator.faults.add(atBatches(forbidden()));
      await mirror.write(PATH, requestLines(COUNT));
      await untilView(mirror, PATH, ({ hold }) => hold?.why === 'access');
      const filler = await fill(mirror.stateDir);
      const refused = submissions(mirror);
      fault.remove();
      expect((await mirror.run('batch', 'submit', PATH)).code).not.toBe(0);
      await sleep(3_000);
      expect(submissions(mirror)).toBe(refused);
      await rm(filler);
      await mirror.until(
        async () => (await mirror.run('batch', 'submit', PATH)).code,
        (code) => code === 0,
      );
      expect(await untilOver(mirror, PATH)).toMatchObject({ state: 'done' });
      expect(mirror.emulator.batches.all()).toHaveLength(1);
    },
  );
});

describe('what others do, and what comes back', { concurrent: true }, () => {
  test('the input is deleted by others while its batch runs: the answers come all the same', async (context) => {
    const mirror = await openBatchMirror(context, {
      emulator: { batchPace: { ...QUICK_PACE, workingMs: 3_000 } },
    });
    await mirror.write(PATH, requestLines(COUNT));
    const { inputFileId } = await untilView(mirror, PATH, ({ status }) => status === 'in_progress');
    expect(mirror.emulator.store.remove(inputFileId)).toBe(true);
    await mirror.run('verify', '--repair');
    await expectAnswers(mirror);
    await mirror.flush();
    expect(submissions(mirror)).toBe(1);
  });

  test('the input is deleted by others before its batch is made: it is uploaded again, and there is one batch', async (context) => {
    const clock = movableClock();
    const mirror = await openBatchMirror(context, { emulator: { clock } });
    const fault = mirror.emulator.faults.add(atBatches(forbidden()));
    await mirror.write(PATH, requestLines(COUNT));
    const { inputFileId } = await untilView(mirror, PATH, ({ hold }) => hold?.why === 'access');
    expect(mirror.emulator.store.remove(inputFileId)).toBe(true);
    fault.remove();
    await mirror.run('batch', 'submit', PATH);
    await untilView(mirror, PATH, ({ hold, state }) => hold?.why === 'input' || state === 'failed');
    expect((await mirror.status()).halts).toEqual([]);
    // By its age it is no longer one that lists may not show yet.
    clock.jump(HOUR_MS);
    await mirror.run('verify', '--repair');
    await untilView(mirror, PATH, ({ state }) => state === 'done');
    expect(mirror.emulator.batches.all()).toHaveLength(1);
    expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, COUNT));
  });

  test('a batch is deleted by others: it is taken at its word, and there is no second one', async (context) => {
    const mirror = await openBatchMirror(context, {
      emulator: { batchPace: { ...QUICK_PACE, workingMs: HOUR_MS } },
    });
    await mirror.write(PATH, requestLines(COUNT));
    const { batch } = await untilView(mirror, PATH, ({ status }) => status === 'in_progress');
    mirror.emulator.batches.remove(batch ?? '');
    const view = await untilOver(mirror, PATH);
    expect(view.state).toMatch(/^(unavailable|failed|partial)$/);
    expect(view.problem).not.toBeNull();
    await mirror.flush();
    expect(submissions(mirror)).toBe(1);
  });

  test('answers with unknown and repeated custom_id: each line has one, and what is odd is told', async (context) => {
    const mirror = await openBatchMirror(context);
    await mirror.write(PATH, requestLines(COUNT, { 2: 'twice', 4: 'stranger' }));
    await expectAnswers(mirror);
    const { stdout } = await mirror.run('batch', 'show', PATH, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ state: 'done' });
    expect(mirror.logs).toContain('line-4-stranger');
    expect(mirror.logs).toContain('line-2');
    expect(await resultNames(mirror)).toEqual(['a.batch.json', 'a.output.jsonl']);
  });

  test('a line of 20 MB comes whole, and who looks meanwhile sees no half of it', async (context) => {
    const mirror = await openBatchMirror(context);
    const bytes = 20_000_000;
    const output = mirror.at('results/a.output.jsonl');
    const sizes: number[] = [];
    const looking = setInterval(() => {
      const found = statSync(output, { throwIfNoEntry: false });
      if (found !== undefined) sizes.push(found.size);
    }, 1);
    context.onTestFinished(() => clearInterval(looking));
    await mirror.write(PATH, requestLines(3, { 2: `bytes-${bytes}` }));
    await expectAnswers(mirror, 3);
    const line = (await resultLines(mirror, 'a.output.jsonl'))[1];
    expect(JSON.stringify(line).length).toBeGreaterThan(bytes);
    expect(new Set(sizes)).toEqual(new Set([statSync(output).size]));
  });

  test('a batch that fails validation names its lines, and is tried again when the bytes change', async (context) => {
    const mirror = await openBatchMirror(context, {
      config: { folders: { batch: { submit: true, check: 'basic' } } },
    });
    await mirror.write(PATH, `${requestLine('line-1')}${requestLine('line-1')}`);
    const view = await untilOver(mirror, PATH);
    expect(view).toMatchObject({ state: 'failed', status: 'failed' });
    expect(view.problem).toMatch(/line 2/);
    await mirror.stop();
    await mirror.start();
    await mirror.flush();
    expect(submissions(mirror)).toBe(1);
    await mirror.write(PATH, requestLines(2));
    await untilView(mirror, PATH, ({ state }) => state === 'done');
    expect(submissions(mirror)).toBe(2);
  });
});

describe('requests that no batch takes', { concurrent: true }, () => {
  const embeddings = (inputs: number): string => {
    const body = { model: 'embedder', input: Array.from({ length: inputs }, () => 'x') };
    const line = (id: number): string =>
      JSON.stringify({ custom_id: `line-${id}`, method: 'POST', url: '/v1/embeddings', body });
    return Array.from({ length: 26 }, (_, index) => `${line(index + 1)}\n`).join('');
  };
  const files: readonly (readonly [string, string, RegExp])[] = [
    [
      'an endpoint without batches',
      requestLine('line-1', { url: '/v1/audio/speech' }),
      /\/v1\/audio\/speech/,
    ],
    ['two models', requestLine('line-1') + requestLine('line-2', { model: 'gpt-other' }), /model/],
    ['more than 50,000 embedding inputs in all', embeddings(2000), /50,?000/],
    ['one custom_id twice', requestLine('line-1') + requestLine('line-1'), /custom_id/],
  ];
  for (const [name, content, reason] of files) {
    test(`${name}: refused before anything is sent, and mended by other bytes`, async (context) => {
      const mirror = await openBatchMirror(context);
      await mirror.write(PATH, content);
      const report = await mirror.untilReport(PATH, (each) => each?.state === 'rejected');
      expect(report?.reason).toMatch(reason);
      expect(mirror.emulator.requests.uploads()).toEqual([]);
      await mirror.write(PATH, requestLines(COUNT));
      await expectAnswers(mirror);
    });
  }

  test('requests of a model whose queue is full wait, those of another go on, and nothing is a failure', async (context) => {
    const mirror = await openBatchMirror(context, {
      emulator: { batchPace: { ...QUICK_PACE, workingMs: 2_000 }, batchQueueTokens: 150 },
    });
    const text = 'x'.repeat(400);
    for (const id of ['a', 'b']) await mirror.write(`batch/${id}.jsonl`, requestLines(1, {}, { text }));
    await mirror.write('batch/c.jsonl', requestLines(1, {}, { text, model: 'gpt-other' }));
    for (const id of ['a', 'b', 'c']) {
      expect(await untilOver(mirror, `batch/${id}.jsonl`)).toMatchObject({ state: 'done' });
    }
    const ends = mirror.emulator.batches.all().map(({ end }) => end?.status);
    expect(ends.filter((end) => end === 'completed')).toHaveLength(3);
    expect(ends).toContain('failed');
  });
});
