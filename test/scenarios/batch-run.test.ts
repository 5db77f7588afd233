/** `batch run FILE`: from one file to its answers, and nothing of it twice, wherever it is cut off. */
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test, type ExpectStatic, type TestContext } from 'vitest';
import { atBatches, hangingCreation, lostCreation } from '../support/batch-faults.ts';
import * as schemas from '../support/batch-schemas.ts';
import { requestLines } from '../support/batch-lines.ts';
import {
  openTestMirror,
  SCENARIO_TIMEOUT_MS,
  type TestConfig,
  type TestMirror,
  type TestMirrorOptions,
} from '../support/blackbox/mirror-process.ts';
import type { FaultRule } from '../support/fault-injection.ts';
import { badRequest, insufficientQuota, unauthorized } from '../support/fault-presets.ts';

const quick: TestConfig = {
  api: { lookSeconds: 2 },
  batches: { pollSeconds: 1, retries: 0, lookSeconds: 2 },
};
const fast = { batchPace: { validatingMs: 50, workingMs: 300, finalizingMs: 50, cancellingMs: 50 } };
const endless = { batchPace: { ...fast.batchPace, workingMs: 3_600_000 } };

async function openRun(
  context: TestContext,
  content = requestLines(5),
  options: TestMirrorOptions = {},
): Promise<TestMirror> {
  const mirror = await openTestMirror(context, { config: quick, emulator: fast, ...options });
  await writeFile(join(mirror.folder, 'a.jsonl'), content);
  return mirror;
}

const read = async (mirror: TestMirror, name: string): Promise<string> =>
  await readFile(join(mirror.folder, name), 'utf8');

async function customIds(mirror: TestMirror, name: string): Promise<readonly string[]> {
  const lines = (await read(mirror, name)).trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
}

/** Neither here nor there is anything left but the answers. */
async function expectNothingLeft(mirror: TestMirror, expect: ExpectStatic): Promise<void> {
  expect(mirror.emulator.files(), 'remote files').toEqual([]);
  const runs = join(mirror.folder, '.local', 'state', 'files-mirror', 'runs');
  expect(await readdir(runs), 'what runs left').toEqual([]);
  const files = await readdir(mirror.folder);
  expect(
    files.filter((name) => name.endsWith('.tmp')),
    'halves of answers',
  ).toEqual([]);
}

function masked(text: string, { folder }: TestMirror): string {
  return text
    .replaceAll(/\bbatch_[0-9a-f]+/g, 'BATCH')
    .replaceAll(/ --config \S+\/config\.json/g, ' --config CONFIG')
    .replaceAll(folder, 'DIR');
}

const hang = (method: string, path: RegExp, at: 'arrival' | 'handled'): FaultRule => ({
  match: { method, path },
  act: { kind: 'hang', at },
  times: 1,
});

const ALL = ['line-1', 'line-2', 'line-3', 'line-4', 'line-5'];

describe.concurrent('batch run', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('answers in the order of the requests, errors beside them, nothing left at the API', async (context) => {
    const { expect } = context;
    const mirror = await openRun(context, requestLines(5, { 2: 'error-400' }));
    const ran = await mirror.run('batch', 'run', 'a.jsonl');
    expect([ran.code, masked(ran.stdout, mirror)]).toEqual([
      1,
      `4 answered, 1 failed; 16 input and 24 output tokens
answers: a.output.jsonl
errors: a.errors.jsonl
nothing of it is left at the API
`,
    ]);
    expect(masked(ran.stderr, mirror)).toMatch(
      /^a\.jsonl: 5 requests, checked\n(a\.jsonl: .*\n)*submitted a\.jsonl as BATCH\na\.jsonl: (validating|in_progress), \d of 5 requests done, ends within 24 h\n/,
    );
    expect(await customIds(mirror, 'a.output.jsonl')).toEqual(['line-1', 'line-3', 'line-4', 'line-5']);
    expect(await customIds(mirror, 'a.errors.jsonl')).toEqual(['line-2']);
    await expectNothingLeft(mirror, expect);

    const again = await mirror.run('batch', 'run', 'a.jsonl');
    expect([again.code, masked(again.stderr, mirror)]).toEqual([
      64,
      'files-mirror: DIR/a.output.jsonl is there already; give another -o, or --force to replace it\n',
    ]);
    await writeFile(join(mirror.folder, 'a.jsonl'), requestLines(2));
    const forced = await mirror.run('batch', 'run', 'a.jsonl', '--force', '--json');
    expect([forced.code, forced.stderr]).toEqual([0, '']);
    expect(schemas.ran.parse(JSON.parse(forced.stdout))).toMatchObject({
      version: 1,
      state: 'done',
      path: join(mirror.folder, 'a.jsonl'),
      requests: 2,
      lines: { answered: 2, failed: 0, missing: 0 },
      output: { name: 'a.output.jsonl' },
      outputPath: join(mirror.folder, 'a.output.jsonl'),
      errorsPath: null,
      notDeleted: [],
    });
    expect(await readdir(mirror.folder), 'errors of the run before').not.toContain('a.errors.jsonl');
    await expectNothingLeft(mirror, expect);
  });

  test('lines that failed in passing are tried again, and all files of that are removed', async (context) => {
    const { expect } = context;
    const mirror = await openRun(context, requestLines(5, { 3: 'once-error-500' }), {
      config: { ...quick, batches: { ...quick.batches, retries: 1 } },
    });
    const ran = await mirror.run('batch', 'run', 'a.jsonl', '-o', 'answers.jsonl');
    expect([ran.code, ran.stdout.split('\n').slice(1, 3)]).toEqual([
      0,
      ['answers: answers.jsonl', 'nothing of it is left at the API'],
    ]);
    expect(await customIds(mirror, 'answers.jsonl')).toEqual(ALL);
    await expectNothingLeft(mirror, expect);
  });

  test('a file that the API would refuse is told by its lines, and nothing is sent', async (context) => {
    const { expect } = context;
    const mirror = await openRun(context, `${requestLines(2)}{nope\n${requestLines(1)}`);
    const ran = await mirror.run('batch', 'run', 'a.jsonl');
    expect([ran.code, ran.stdout, ran.stderr]).toEqual([
      1,
      '',
      `a.jsonl:3: not-json: unexpected \`n\` at byte 2
a.jsonl:4: custom-id-duplicate: custom_id "line-1" is already used on line 1
a.jsonl is refused; nothing was sent
`,
    ]);
    const asJson = await mirror.run('batch', 'run', 'a.jsonl', '--json');
    expect([asJson.code, asJson.stderr]).toEqual([1, '']);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ version: 1, state: 'refused', findingsTotal: 2 });
    const none = await mirror.run('batch', 'run', 'none.jsonl');
    expect([none.code, none.stderr]).toEqual([1, 'files-mirror: none.jsonl: there is no such file\n']);
    expect(mirror.emulator.requests.all()).toEqual([]);
    await expectNothingLeft(mirror, expect);
  });

  test('Ctrl-C leaves it running; a second one is told so; a changed file has two ways on; --cancel ends it', async (context) => {
    const { expect } = context;
    const mirror = await openRun(context, requestLines(5), { emulator: endless });
    const { batches } = mirror.emulator;
    const running = mirror.begin('batch', 'run', 'a.jsonl');
    await mirror.until(
      () => running.log,
      (log) => log.includes('submitted a.jsonl'),
    );
    const second = await mirror.run('batch', 'run', 'a.jsonl');
    expect([second.code, second.stderr]).toEqual([
      6,
      `files-mirror: ${mirror.folder}/a.jsonl is being run already (pid ${running.pid}); wait for that one, or stop it\n`,
    ]);
    running.signal('SIGINT');
    const stopped = await running.exit();
    expect(stopped.code).toBe(130);
    expect(masked(stopped.stderr, mirror)).toMatch(
      /\nthe batch runs on at the API; go on with: files-mirror batch run DIR\/a\.jsonl --config CONFIG\nfiles-mirror: stopped by SIGINT\n$/,
    );

    await writeFile(join(mirror.folder, 'a.jsonl'), requestLines(6));
    const changed = await mirror.run('batch', 'run', 'a.jsonl');
    expect([changed.code, masked(changed.stderr, mirror)]).toEqual([
      1,
      'files-mirror: DIR/a.jsonl has changed since its run began, which is not finished: files-mirror batch run DIR/a.jsonl --resume --config CONFIG finishes that one, with the requests as they were; files-mirror batch run DIR/a.jsonl --cancel --config CONFIG ends it, and then the new ones can be run\n',
    ]);
    const forbidden = mirror.emulator.faults.add({ act: unauthorized() });
    const noKey = await mirror.run('batch', 'run', 'a.jsonl', '--resume');
    expect(noKey.code, noKey.stderr).toBe(77);
    expect(noKey.stderr).toContain('the batch runs on at the API; go on with');
    forbidden.remove();
    const resumed = mirror.begin('batch', 'run', 'a.jsonl', '--resume');
    await mirror.until(
      () => resumed.log,
      (log) => log.includes('in_progress'),
    );
    resumed.signal('SIGINT');
    expect((await resumed.exit()).code).toBe(130);

    const cancelled = await mirror.run('batch', 'run', 'a.jsonl', '--cancel');
    expect(cancelled.code, cancelled.stderr).toBe(0);
    expect(batches.all().map(({ end }) => end?.status)).toEqual(['cancelled']);
    await expectNothingLeft(mirror, expect);
    const over = await mirror.run('batch', 'run', 'a.jsonl', '--cancel');
    expect([over.code, masked(over.stderr, mirror)]).toEqual([
      64,
      'files-mirror: no run of DIR/a.jsonl is under way\n',
    ]);
  });

  test('a key that may not is 77, no credit 5, nobody there 69; the same command goes on', async (context) => {
    const { expect } = context;
    const mirror = await openRun(context);
    const { faults } = mirror.emulator;
    const forbidden = faults.add({ act: unauthorized() });
    const noKey = await mirror.run('batch', 'run', 'a.jsonl');
    expect(noKey.code, noKey.stderr).toBe(77);
    expect(noKey.stderr).toContain('nothing was submitted yet; go on with: files-mirror batch run');
    forbidden.remove();
    const away = faults.add({ act: { kind: 'reset', at: 'arrival' } });
    const unreachable = await mirror.run('batch', 'run', 'a.jsonl');
    expect(unreachable.code, unreachable.stderr).toBe(69);
    away.remove();
    const poor = faults.add(atBatches(insufficientQuota()));
    const noCredit = await mirror.run('batch', 'run', 'a.jsonl');
    expect(noCredit.code, noCredit.stderr).toBe(5);
    expect(noCredit.stderr).toContain('nothing was submitted yet; go on with: files-mirror batch run');
    poor.remove();
    const ran = await mirror.run('batch', 'run', 'a.jsonl');
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain('going on with the run');
    expect(mirror.emulator.batches.all()).toHaveLength(1);
    await expectNothingLeft(mirror, expect);
  });

  test('what somebody else put where the answers go is not overwritten, and the answers are not lost', async (context) => {
    const { expect } = context;
    const mirror = await openRun(context);
    const running = mirror.begin('batch', 'run', 'a.jsonl');
    await mirror.until(
      () => mirror.emulator.batches.all(),
      (batches) => batches.length > 0,
    );
    await writeFile(join(mirror.folder, 'a.output.jsonl'), 'mine');
    const taken = await running.exit();
    expect(taken.code, taken.stderr).toBe(1);
    expect(taken.stderr).toContain('a.output.jsonl was put there meanwhile, and is not overwritten');
    expect(await read(mirror, 'a.output.jsonl')).toBe('mine');
    const elsewhere = await mirror.run('batch', 'run', 'a.jsonl', '-o', 'b.jsonl');
    expect(elsewhere.code, elsewhere.stderr).toBe(0);
    expect(await customIds(mirror, 'b.jsonl')).toEqual(ALL);
    expect(mirror.emulator.batches.all()).toHaveLength(1);
    await expectNothingLeft(mirror, expect);
  });

  test('what the API finds wrong is told by its lines; the mended file is a run of its own', async (context) => {
    const { expect } = context;
    const unchecked: TestConfig = { ...quick, folders: { batch: { check: 'basic' } } };
    const mirror = await openRun(context, `${requestLines(2)}{nope\n`, { config: unchecked });
    const ran = await mirror.run('batch', 'run', 'a.jsonl');
    expect([ran.code, ran.stdout.split('\n').slice(1)]).toEqual([
      1,
      [expect.stringMatching(/^line 3: /), 'nothing of it is left at the API', ''],
    ]);
    await expectNothingLeft(mirror, expect);
    await writeFile(join(mirror.folder, 'a.jsonl'), requestLines(5));
    const mended = await mirror.run('batch', 'run', 'a.jsonl');
    expect(mended.code, mended.stderr).toBe(0);
    expect(await customIds(mirror, 'a.output.jsonl')).toEqual(ALL);
    await expectNothingLeft(mirror, expect);
  });

  test('what cannot be deleted at the API is named', async (context) => {
    const { expect } = context;
    const mirror = await openRun(context);
    mirror.emulator.faults.add({ match: { method: 'DELETE' }, act: badRequest('not now') });
    const ran = await mirror.run('batch', 'run', 'a.jsonl');
    const lines = ran.stdout.trimEnd().split('\n').slice(2);
    const named = lines.map((line) => /^left at the API: (\S+): .*not now/.exec(line)?.[1]);
    expect([ran.code, new Set(named)]).toEqual([0, new Set(mirror.emulator.files().map(({ id }) => id))]);
    expect(named, 'input and output').toHaveLength(2);
  });

  test('a run whose file was moved is not paid for twice; --cancel before a submission sends nothing more', async (context) => {
    const { expect } = context;
    const mirror = await openRun(context);
    const fault = mirror.emulator.faults.add(hang('POST', /\/files$/, 'handled'));
    const running = mirror.begin('batch', 'run', 'a.jsonl');
    await mirror.until(
      () => fault.hits,
      (hits) => hits > 0,
    );
    running.signal('SIGKILL');
    await running.exit();
    await rename(join(mirror.folder, 'a.jsonl'), join(mirror.folder, 'b.jsonl'));
    const moved = await mirror.run('batch', 'run', 'b.jsonl');
    expect([moved.code, masked(moved.stderr, mirror)]).toEqual([
      1,
      'files-mirror: DIR/b.jsonl holds the requests of DIR/a.jsonl, whose run is not finished; finish that one with: files-mirror batch run DIR/a.jsonl --config CONFIG, or end it with: files-mirror batch run DIR/a.jsonl --cancel --config CONFIG\n',
    ]);
    const cancelled = await mirror.run('batch', 'run', 'a.jsonl', '--cancel');
    expect([cancelled.code, cancelled.stdout]).toEqual([
      0,
      `a.jsonl: nothing of it was submitted\nnothing of it is left at the API\n`,
    ]);
    expect(mirror.emulator.batches.all()).toEqual([]);
    await expectNothingLeft(mirror, expect);
  });

  test('a reply to the submission that is lost makes no second batch', async (context) => {
    const { expect } = context;
    for (const when of ['before', 'after'] as const) {
      const mirror = await openRun(context);
      mirror.emulator.faults.add(lostCreation(when));
      const ran = await mirror.run('batch', 'run', 'a.jsonl');
      expect(ran.code, ran.stderr).toBe(0);
      expect(mirror.emulator.batches.all()).toHaveLength(1);
      await expectNothingLeft(mirror, expect);
    }
  });
});

const MOMENTS: readonly (readonly [string, FaultRule])[] = [
  ['before the reply to the upload', hang('POST', /\/files$/, 'handled')],
  ['before the reply to the submission, which was stored', hangingCreation()],
  ['before the submission was stored', hang('POST', /\/batches$/, 'arrival')],
  ['while it runs', hang('GET', /\/batches/, 'arrival')],
  ['while its answers are fetched', hang('GET', /\/content$/, 'arrival')],
  ['while its remote files are deleted', hang('DELETE', /\/files\//, 'handled')],
];

/** After however many kills: one upload that counts, one batch, all answers, nothing left. */
async function expectOnce(mirror: TestMirror, expect: ExpectStatic): Promise<void> {
  const ran = await mirror.run('batch', 'run', 'a.jsonl');
  expect(ran.code, ran.stderr).toBe(0);
  expect(await customIds(mirror, 'a.output.jsonl')).toEqual(ALL);
  expect(mirror.emulator.batches.all(), 'batches').toHaveLength(1);
  await expectNothingLeft(mirror, expect);
}

describe.concurrent('kill -9, and the same command again', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  for (const [moment, rule] of MOMENTS) {
    test(moment, async (context) => {
      const { expect } = context;
      const mirror = await openRun(context);
      const fault = mirror.emulator.faults.add(rule);
      const running = mirror.begin('batch', 'run', 'a.jsonl');
      await mirror.until(
        () => fault.hits,
        (hits) => hits > 0,
      );
      running.signal('SIGKILL');
      await running.exit();
      await expectOnce(mirror, expect);
      expect(mirror.emulator.requests.uploads(), 'uploads').toHaveLength(1);
    });
  }

  test('again and again, a little later each time', async (context) => {
    const { expect } = context;
    const mirror = await openRun(context);
    for (let afterMs = 200; ; afterMs += 150) {
      const running = mirror.begin('batch', 'run', 'a.jsonl');
      await Promise.race([running.exited, sleep(afterMs)]);
      if (!running.isRunning) break;
      running.signal('SIGKILL');
      await running.exit();
    }
    expect(await customIds(mirror, 'a.output.jsonl')).toEqual(ALL);
    expect(mirror.emulator.batches.all(), 'batches').toHaveLength(1);
    await expectNothingLeft(mirror, expect);
  });
});
