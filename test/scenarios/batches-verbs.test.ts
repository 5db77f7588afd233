/** What the verbs of batches say and end with, with a daemon and without one. */
import { readFile, unlink } from 'node:fs/promises';
import { describe, test } from 'vitest';
import { lostCreation } from '../support/batch-faults.ts';
import * as schemas from '../support/batch-schemas.ts';
import { forbidden, serverError } from '../support/fault-presets.ts';
import { openTestMirror, SCENARIO_TIMEOUT_MS, type TestConfig } from '../support/blackbox/mirror-process.ts';
import { batchFile, pdfFile } from '../support/blackbox/samples.ts';

const quick: TestConfig = { batches: { pollSeconds: 1, retries: 0 } };
const submitting: TestConfig = { ...quick, folders: { batch: { submit: true } } };
/** Runs until it is cancelled. */
const endless = { batchPace: { workingMs: 3_600_000 } };

/** Ids, times and places, which differ from run to run, are `…`. */
function masked(text: string): string {
  return text
    .replaceAll(/\b(batch_|file-)[0-9a-f]{8,}/g, '$1…')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/--config \S+\/config\.json/g, '--config FILE')
    .replaceAll(/ {2,}/g, '  ');
}

/** What a person reads on stderr; the log, which is JSON there, is not. */
function told(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  return masked(lines.join('\n'));
}

describe.concurrent('without a daemon', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('nothing is there yet: list says so and ends with 0, show and wait with 1', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: quick });
    const list = await mirror.run('batch', 'list');
    expect([list.code, list.stdout, told(list.stderr)]).toEqual([
      0,
      '',
      'no daemon runs; this is what was recorded last\nno batches',
    ]);
    const asJson = await mirror.run('batch', 'list', '--json');
    expect(schemas.listed.parse(JSON.parse(asJson.stdout))).toEqual([]);
    const show = await mirror.run('batch', 'show', 'batch/a.jsonl');
    expect(show.code).toBe(1);
    expect(told(show.stderr)).toContain('files-mirror: no batch of batch/a.jsonl');
    const wait = await mirror.run('batch', 'wait', 'batch/a.jsonl');
    expect([wait.code, told(wait.stderr)]).toEqual([1, 'files-mirror: no batch of batch/a.jsonl']);
  });

  test('submit mirrors and submits in one pass, wait fetches, show tells where the answers lie', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: quick });
    await mirror.write('batch/a.jsonl', batchFile(1, 3));
    await mirror.write('batch/b.jsonl', batchFile(2, 2));
    const submit = await mirror.run('batch', 'submit', 'batch/a.jsonl');
    expect(submit.code).toBe(0);
    expect(submit.stdout).toMatch(
      /^batch\/a.jsonl: open: (validating|in_progress), 0 of 3 requests done, ends within 24 h\n$/,
    );
    expect(told(submit.stderr)).toBe(
      'no daemon runs; what is left is done by files-mirror run --config FILE, files-mirror sync --config FILE, or now, until it has ended, by files-mirror batch wait --config FILE',
    );
    const wait = await mirror.run('batch', 'wait');
    expect([wait.code, masked(wait.stdout)]).toEqual([
      0,
      'done  batch_…  batch/a.jsonl  3 answered; see results/a.output.jsonl\n',
    ]);
    const answers = (await readFile(mirror.at('results/a.output.jsonl'), 'utf8')).trim().split('\n');
    expect(answers).toHaveLength(3);
    const show = await mirror.run('batch', 'show', 'batch/a.jsonl');
    expect([show.code, masked(show.stdout)]).toEqual([
      0,
      `path  batch/a.jsonl
state  done: 3 answered; see results/a.output.jsonl
batch  batch_…
status  completed
input  file-…
requests  3 requests, /v1/chat/completions, gpt-4o-mini, about 69 input tokens
submission  UUID
wanted  TIME
created  TIME
expires  TIME
answers  results/a.output.jsonl
summary  results/a.batch.json
`,
    ]);
    const asJson = await mirror.run('batch', 'show', 'batch/a.jsonl', '--json');
    expect(schemas.shown.parse(JSON.parse(asJson.stdout))).toMatchObject({ state: 'done', requests: 3 });
    const over = await mirror.run('batch', 'wait', 'batch/a.jsonl', '--json');
    expect(over.code).toBe(0);
    expect(schemas.waited.parse(JSON.parse(over.stdout))).toMatchObject({
      outcome: 'answered',
      batches: [{ path: 'batch/a.jsonl' }],
    });
    const again = await mirror.run('batch', 'submit', 'batch/a.jsonl');
    expect([again.code, told(again.stderr)]).toEqual([
      1,
      'batch/a.jsonl: this version was submitted before (done); --again submits it once more',
    ]);
    const anew = await mirror.run('batch', 'submit', 'batch/a.jsonl', '--again', '--json');
    expect(anew.code).toBe(0);
    expect(schemas.replied.parse(JSON.parse(anew.stdout))).toMatchObject({
      replies: [{ path: 'batch/a.jsonl', done: true }],
      running: false,
    });
  });

  test('what cannot be done is one line, and 1; what makes no sense is 64', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: quick });
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.write('batch/wrong.jsonl', 'not JSON');
    await mirror.write('user_data/x.pdf', pdfFile(1));
    const refusals: readonly (readonly [readonly string[], number, string])[] = [
      [['submit', 'user_data/x.pdf'], 1, 'user_data/x.pdf: its purpose is user_data, not batch'],
      [['submit', 'batch/nope.jsonl'], 1, 'batch/nope.jsonl: it is not mirrored: it is not known'],
      [['submit', 'batch/wrong.jsonl'], 1, 'batch/wrong.jsonl: it is not mirrored: it is rejected: line 1'],
      [['cancel', 'batch/a.jsonl'], 1, 'batch/a.jsonl: it has no batch'],
      [['retry', 'batch/a.jsonl'], 1, 'batch/a.jsonl: it has no batch'],
      [['resolve', 'batch/a.jsonl'], 1, 'batch/a.jsonl: nothing about it is unknown'],
      [['list', 'batch/a.jsonl'], 64, 'files-mirror: batch list takes no path'],
      [['show'], 64, 'files-mirror: batch show wants one path'],
      [['cancel'], 64, 'files-mirror: batch cancel wants at least one path'],
      [['cancel', 'batch/a.jsonl', '--again'], 64, 'files-mirror: batch cancel has no option --again'],
      [
        ['resolve', 'batch/a.jsonl', '--none', '--batch', 'x'],
        64,
        'files-mirror: --batch and --none exclude each other',
      ],
      [['submit', '/etc/hosts'], 64, 'files-mirror: "/etc/hosts" is neither below the root'],
    ];
    for (const [args, code, text] of refusals) {
      const refused = await mirror.run('batch', ...args);
      expect(refused.code, args.join(' ')).toBe(code);
      expect(refused.stdout, args.join(' ')).toBe('');
      expect(told(refused.stderr), args.join(' ')).toContain(text);
      expect(told(refused.stderr).split('\n'), args.join(' ')).toHaveLength(1);
    }
  });

  test('submit --dry-run asks nobody and says how it reckons; with prices, what it costs', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, {
      config: { batches: { prices: { 'gpt-4o-mini': 1_000_000 } } },
    });
    await mirror.write('batch/a.jsonl', batchFile(1, 3));
    const dry = await mirror.run('batch', 'submit', '--dry-run', 'batch/a.jsonl', 'batch/b.jsonl');
    expect([dry.code, masked(dry.stdout), told(dry.stderr)]).toEqual([
      1,
      `batch/a.jsonl  3 requests, gpt-4o-mini, about 69 input tokens, input for 69.00
in all  1 file, 3 requests, gpt-4o-mini, about 69 input tokens (bytes of the texts in the bodies, divided by 4), input for 69.00
`,
      'batch/b.jsonl: there is no such file, or it cannot be read',
    ]);
    const asJson = await mirror.run('batch', 'submit', '--dry-run', 'batch/a.jsonl', '--json');
    expect(asJson.code).toBe(0);
    expect(schemas.dryRun.parse(JSON.parse(asJson.stdout)).total).toMatchObject({ requests: 3, money: 69 });
    expect(mirror.emulator.requests.all()).toEqual([]);
  });

  test('sync --wait-batches stays until the answers are there, in one line for the night', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: submitting });
    await mirror.write('batch/old.jsonl', batchFile(1, 1));
    expect((await mirror.run('sync')).code).toBe(0);
    await mirror.write('batch/a.jsonl', batchFile(2, 2));
    const night = await mirror.run('sync', '--wait-batches');
    expect([night.code, night.stdout]).toEqual([0, '1 uploaded, 1 submitted, 2 answered\n']);
    expect(await readFile(mirror.at('results/a.output.jsonl'), 'utf8')).toMatch(/\n$/);
  });

  test('sync --wait-batches is broken off cleanly, and the next one goes on', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: submitting, emulator: endless });
    await mirror.run('sync');
    await mirror.write('batch/a.jsonl', batchFile(2, 2));
    const night = mirror.begin('sync', '--wait-batches');
    await mirror.until(
      () => night.log,
      (log) => log.includes('"batch-submitted"'),
    );
    night.signal('SIGINT');
    expect((await night.exit()).code).toBe(130);
    const cancel = await mirror.run('batch', 'cancel', 'batch/a.jsonl');
    expect(cancel.code).toBe(0);
    const wait = await mirror.run('batch', 'wait', 'batch/a.jsonl', '--timeout', '60');
    expect(wait.code).toBe(1);
    expect(
      mirror.emulator.requests
        .all()
        .filter(({ method, path }) => method === 'POST' && path.endsWith('/batches')),
    ).toHaveLength(1);
  });

  test('what was too many at once waits for approve --submits', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, {
      config: { ...submitting, batches: { pollSeconds: 1, maxAtOnce: 1 } },
    });
    await mirror.run('sync');
    for (const seed of [1, 2, 3]) await mirror.write(`batch/${seed}.jsonl`, batchFile(seed, 1));
    const held = await mirror.run('sync');
    expect(held.code).toBe(5);
    expect(told(held.stderr)).toContain('HALTED mass-submit');
    expect((await mirror.run('batch', 'wait')).code).toBe(5);
    const approve = await mirror.run('approve', '--submits', '--json');
    expect(JSON.parse(approve.stdout)).toMatchObject({ version: 1 });
    expect((await mirror.run('batch', 'wait')).code).toBe(0);
    expect(await readFile(mirror.at('results/3.output.jsonl'), 'utf8')).toMatch(/\n$/);
    expect((await mirror.run('approve', '--submits', 'batch')).code).toBe(64);
  });
});

describe.concurrent('with a daemon', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('a dropped file is submitted, listed while it runs, cancelled by hand, and tried again', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: submitting, emulator: endless });
    await mirror.start();
    await mirror.flush();
    await mirror.write('batch/a.jsonl', batchFile(1, 4));
    await mirror.until(
      async () => (await mirror.run('batch', 'list')).stdout,
      (text) => text.includes('in_progress'),
    );
    const list = await mirror.run('batch', 'list');
    expect([list.code, masked(list.stdout), told(list.stderr)]).toEqual([
      0,
      'open  batch_…  batch/a.jsonl  in_progress, 0 of 4 requests done, ends within 24 h\n',
      '',
    ]);
    const asJson = await mirror.run('batch', 'list', '--json');
    expect(schemas.listed.parse(JSON.parse(asJson.stdout))).toMatchObject([{ state: 'open' }]);
    const late = await mirror.run('batch', 'wait', '--timeout', '1');
    expect([late.code, told(late.stderr)]).toEqual([
      1,
      'files-mirror: not all batches ended within 1 s: 1 batch is left',
    ]);
    const cancel = await mirror.run('batch', 'cancel', 'batch/a.jsonl', '--json');
    expect(cancel.code).toBe(0);
    expect(schemas.replied.parse(JSON.parse(cancel.stdout))).toEqual({
      version: 1,
      replies: [{ path: 'batch/a.jsonl', done: true, text: 'its batch will be cancelled' }],
      running: true,
    });
    const wait = await mirror.run('batch', 'wait', 'batch/a.jsonl', '--json');
    expect(wait.code).toBe(1);
    expect(schemas.waited.parse(JSON.parse(wait.stdout)).outcome).toBe('failed');
    const over = await mirror.run('batch', 'cancel', 'batch/a.jsonl');
    expect([over.code, told(over.stderr)]).toEqual([
      1,
      expect.stringMatching(/^batch\/a\.jsonl: its batch is over \((failed|partial)\)$/),
    ]);
    const retry = await mirror.run('batch', 'retry', 'batch/a.jsonl');
    expect([retry.code, told(retry.stderr)]).toEqual([0, '']);
    const show = await mirror.run('batch', 'show', 'batch/nope.jsonl');
    expect([show.code, told(show.stderr)]).toEqual([1, 'files-mirror: no batch of batch/nope.jsonl']);
    const resolve = await mirror.run('batch', 'resolve', 'batch/nope.jsonl', '--json');
    expect(resolve.code).toBe(1);
    expect(schemas.replied.parse(JSON.parse(resolve.stdout)).replies).toEqual([
      { path: 'batch/nope.jsonl', done: false, text: 'nothing about it is unknown' },
    ]);
  });

  test('wait waits for what was just dropped, by name and for all; a name without a file is told at once', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: submitting });
    await mirror.start();
    await mirror.flush();
    await mirror.write('batch/a.jsonl', batchFile(1, 2));
    await mirror.untilReport('batch/a.jsonl', (report) => report !== null);
    const named = await mirror.run('batch', 'wait', 'batch/a.jsonl');
    expect([named.code, masked(named.stdout)]).toEqual([
      0,
      'done  batch_…  batch/a.jsonl  2 answered; see results/a.output.jsonl\n',
    ]);
    await mirror.write('batch/b.jsonl', batchFile(2, 2));
    const all = await mirror.run('batch', 'wait');
    expect([all.code, masked(all.stdout)]).toEqual([
      0,
      'done  batch_…  batch/b.jsonl  2 answered; see results/b.output.jsonl\n',
    ]);
    const none = await mirror.run('batch', 'wait', 'batch/none.jsonl');
    expect([none.code, told(none.stderr)]).toEqual([1, 'files-mirror: no batch of batch/none.jsonl']);
  });

  test('a person says what became of a submission whose reply was lost: its batch, or that there is none', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: submitting, emulator: endless });
    const { faults } = mirror.emulator;
    faults.add({ ...lostCreation('after'), times: 1 });
    const blind = faults.add({ match: { method: 'GET', path: /\/batches$/ }, act: serverError('arrival') });
    await mirror.start();
    await mirror.flush();
    await mirror.write('batch/a.jsonl', batchFile(1, 2));
    await mirror.until(
      async () => (await mirror.run('batch', 'list')).stdout,
      (text) => text.includes('whether it was begun is not known'),
    );
    const problem = await mirror.run('status');
    expect(problem.stdout).toMatch(
      /^batch submitting {2}batch\/a\.jsonl: .*whether it was begun is not known/m,
    );
    const look = await mirror.run('batch', 'resolve', 'batch/a.jsonl');
    expect([look.code, look.stdout]).toEqual([0, 'batch/a.jsonl: it is looked for in the list now\n']);
    const wrong = await mirror.run('batch', 'resolve', 'batch/a.jsonl', '--batch', 'batch_0');
    expect([wrong.code, told(wrong.stderr)]).toEqual([1, 'batch/a.jsonl: the API knows no batch batch_0']);
    const stored = mirror.emulator.batches.all().map(({ id }) => id);
    expect(stored).toHaveLength(1);
    const right = await mirror.run('batch', 'resolve', 'batch/a.jsonl', '--batch', stored[0] ?? '');
    expect([right.code, masked(right.stdout)]).toEqual([0, 'batch/a.jsonl: its batch is batch_…\n']);
    await mirror.write('batch/b.jsonl', batchFile(2, 2));
    faults.add({ ...lostCreation('before'), times: 1 });
    await mirror.until(
      async () => (await mirror.run('batch', 'show', 'batch/b.jsonl')).stdout,
      (text) => text.includes('whether it was begun is not known'),
    );
    const none = await mirror.run('batch', 'resolve', 'batch/b.jsonl', '--none', '--json');
    expect(none.code).toBe(0);
    expect(schemas.replied.parse(JSON.parse(none.stdout)).replies).toEqual([
      { path: 'batch/b.jsonl', done: true, text: 'it will be submitted again' },
    ]);
    blind.remove();
    await mirror.until(
      () => mirror.emulator.batches.all().length,
      (count) => count === 2,
    );
  });

  test('the flood is a halt of status, and is let go', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, {
      config: { ...submitting, batches: { pollSeconds: 1, maxAtOnce: 1 } },
    });
    await mirror.start();
    await mirror.flush();
    for (const seed of [1, 2, 3]) await mirror.write(`batch/${seed}.jsonl`, batchFile(seed, 1));
    await mirror.untilStatus(({ halts }) => halts.some(({ name }) => name === 'mass-submit'));
    const status = await mirror.run('status');
    expect(status.code).toBe(5);
    expect(status.stdout).toMatch(/HALTED mass-submit, for .*\n/);
    const approve = await mirror.run('approve', '--submits');
    expect(approve.code).toBe(0);
    expect(approve.stdout).toMatch(/^released \d batch(es)?\n$/);
    expect((await mirror.run('batch', 'wait', '--timeout', '60')).code).toBe(0);
    expect((await mirror.run('status')).code).toBe(0);
  });
});

describe.concurrent('what other verbs say of batches', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('status, list, id, plan, doctor and orphans know an open batch, up and down', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: submitting, emulator: endless });
    const before = await mirror.run('plan');
    expect([before.code, before.stdout]).toEqual([0, '']);
    await mirror.run('sync');
    await mirror.write('batch/a.jsonl', batchFile(1, 4));
    const plan = await mirror.run('plan');
    expect(plan.code).toBe(2);
    expect(plan.stdout).toMatch(
      /^\+ batch\/a\.jsonl \(.*\): new file\nbatch submit batch\/a\.jsonl: after its upload\n$/,
    );
    await mirror.start();
    await mirror.until(
      async () => (await mirror.run('list')).stdout,
      (text) => text.includes('[batch open: in_progress, 0 of 4 requests done, ends within 24 h]'),
    );
    const up = await mirror.run('status');
    expect(up.code).toBe(0);
    expect(up.stdout).toMatch(/^batches +1 open, 0 of 4 requests done$/m);
    expect(up.stdout).toMatch(/^polling +next poll (now|within \d+ m?s), soonest end within 24 h$/m);
    const status = JSON.parse((await mirror.run('status', '--json')).stdout) as { batches: unknown };
    expect(schemas.totals.parse(status.batches)).toMatchObject({ open: 1, requests: 4 });
    const id = JSON.parse((await mirror.run('id', 'batch/a.jsonl', '--json')).stdout) as { batch: unknown };
    expect(schemas.batchView.parse(id.batch)).toMatchObject({ state: 'open' });
    const doctor = await mirror.run('doctor');
    expect(doctor.stdout).toMatch(/^ok {4}\/batches: answers, and the key may use it$/m);
    expect(doctor.stdout).toMatch(
      /^ok {4}batches: what comes into batch\/ is submitted; at most 50 open, 1900 an hour, 20 new at once$/m,
    );
    expect(doctor.stdout).toMatch(/^ok {4}results: written into .*\/root\/results$/m);
    // The remote file of what is gone here stays as long as its batch runs, and it is said why.
    await unlink(mirror.at('batch/a.jsonl'));
    await mirror.until(
      async () => (await mirror.run('orphans')).stdout,
      (text) => /in use by batch batch_\w+ of batch\/a\.jsonl/.test(text),
    );
    await mirror.stop();
    const down = await mirror.run('status');
    expect(down.code).toBe(3);
    expect(down.stdout).toMatch(/^batches +1 open, \d of 4 requests done$/m);
    const watched = await mirror.run('plan', '--json');
    expect(JSON.parse(watched.stdout)).toMatchObject({ batches: [{ op: 'watch', path: 'batch/a.jsonl' }] });
  });

  test('doctor names a server without /batches and a key without the right to it, and what to do', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: submitting });
    const listing = { method: 'GET', path: /\/batches$/ } as const;
    const absent = mirror.emulator.faults.add({
      match: listing,
      act: { kind: 'respond', status: 404, body: { error: { message: 'Not Found' } } },
    });
    const without = await mirror.run('doctor');
    expect(without.code).toBe(0);
    expect(without.stdout).toMatch(
      /^warn {2}\/batches: .*; set folders\.NAME\.submit to false, or use a server with \/batches; uploads go on meanwhile$/m,
    );
    absent.remove();
    mirror.emulator.faults.add({ match: listing, act: forbidden() });
    expect((await mirror.run('doctor')).stdout).toMatch(
      /^warn {2}\/batches: .*; give the key the right to use batches; uploads go on meanwhile$/m,
    );
  });

  test('a results folder that is a file is named by doctor', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: submitting });
    await mirror.write('results', 'a file of somebody');
    const doctor = await mirror.run('doctor');
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(/^fail {2}results: .*\/root\/results is a file; make it writable/m);
  });
});
