/** From dropped requests to answers in the folder, with the built program. */
import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { requestLines } from '../support/batch-lines.ts';
import {
  ENDLESS_PACE,
  lineIds,
  movableClock,
  openBatchMirror,
  QUICK_PACE,
  resultIds,
  resultLines,
  resultNames,
  submissions,
  submitting,
  untilOver,
  untilView,
  viewOf,
} from '../support/blackbox/batch-mirror.ts';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';

const HOUR_MS = 3_600_000;
const COUNT = 20;

describe('requests that are dropped', { concurrent: true }, () => {
  test('are answered in the results folder, whole and in the order of the input', async (context) => {
    const mirror = await openBatchMirror(context);
    await mirror.write('batch/2026/a.jsonl', requestLines(COUNT));
    const view = await untilOver(mirror, 'batch/2026/a.jsonl');
    expect(view).toMatchObject({ state: 'done', lines: { answered: COUNT, failed: 0, missing: 0 } });
    expect(await resultNames(mirror)).toEqual(['a.batch.json', 'a.output.jsonl']);
    expect(await resultIds(mirror, '2026/a.output.jsonl')).toEqual(lineIds(1, COUNT));
    // It came in another order.
    const output = mirror.emulator.files().find(({ purpose }) => purpose === 'batch_output');
    const sent = (await mirror.emulator.store.content(output?.id ?? ''))?.toString('utf8') ?? '';
    expect(sent.split('\n').slice(0, -1).sort()).toEqual(
      (await resultLines(mirror, '2026/a.output.jsonl')).map((line) => JSON.stringify(line)).sort(),
    );
    expect(JSON.parse(sent.slice(0, sent.indexOf('\n')))).not.toMatchObject({ custom_id: 'line-1' });
    expect(submissions(mirror)).toBe(1);
  });

  test('renamed, touched, dropped again, and after a restart: there is no second batch', async (context) => {
    const mirror = await openBatchMirror(context);
    const content = requestLines(3);
    await mirror.write('batch/a.jsonl', content);
    await untilOver(mirror, 'batch/a.jsonl');
    await mirror.rename('batch/a.jsonl', 'batch/b.jsonl');
    await untilView(mirror, 'batch/b.jsonl', ({ state }) => state === 'done');
    await mirror.write('batch/b.jsonl', content);
    await mirror.flush();
    await rm(mirror.at('batch/b.jsonl'));
    await mirror.untilReport('batch/b.jsonl', (report) => report === null || report.id === null);
    await mirror.write('batch/b.jsonl', content);
    await mirror.untilReport('batch/b.jsonl', (report) => report?.state === 'synced');
    await mirror.stop();
    await mirror.start();
    await mirror.flush();
    expect(await viewOf(mirror, 'batch/b.jsonl')).toMatchObject({ state: 'done' });
    expect(submissions(mirror)).toBe(1);
    expect(await resultNames(mirror)).toEqual(['a.batch.json', 'a.output.jsonl']);
  });

  test('renewed because the remote file expires: there is no second batch', async (context) => {
    const clock = movableClock();
    const mirror = await openBatchMirror(context, {
      config: { folders: { batch: { submit: true, expiresAfterSeconds: 86_400, onExpiry: 'renew' } } },
      emulator: { clock },
    });
    await mirror.write('batch/a.jsonl', requestLines(3));
    await untilOver(mirror, 'batch/a.jsonl');
    const before = (await mirror.report('batch/a.jsonl'))?.id;
    await mirror.stop();
    clock.jump(30 * HOUR_MS);
    await mirror.start();
    await mirror.run('verify', '--repair');
    await mirror.untilReport('batch/a.jsonl', (report) => report?.state === 'synced' && report.id !== before);
    await mirror.flush();
    expect(await viewOf(mirror, 'batch/a.jsonl')).toMatchObject({ state: 'done' });
    expect(submissions(mirror)).toBe(1);
  });

  test('changed bytes are a second batch, and both have their answers', async (context) => {
    const mirror = await openBatchMirror(context, { batches: { maxAtOnce: 5 } });
    await mirror.write('batch/a.jsonl', requestLines(2));
    await untilOver(mirror, 'batch/a.jsonl');
    await mirror.write('batch/a.jsonl', requestLines(4));
    await mirror.until(
      () => resultNames(mirror),
      (names) => names.includes('a.batch.1.json'),
    );
    const lengths = await Promise.all(
      ['a.output.jsonl', 'a.output.1.jsonl'].map(async (name) => (await resultIds(mirror, name)).length),
    );
    expect(lengths.toSorted((a, b) => a - b)).toEqual([2, 4]);
    expect(submissions(mirror)).toBe(2);
  });

  test('changed while its batch runs: the old one ends under names with .1, the new one under the plain ones', async (context) => {
    const mirror = await openBatchMirror(context, {
      emulator: { batchPace: { ...QUICK_PACE, workingMs: 4_000 } },
    });
    await mirror.write('batch/a.jsonl', requestLines(2));
    await untilView(mirror, 'batch/a.jsonl', ({ state }) => state === 'open');
    await mirror.write('batch/a.jsonl', requestLines(4));
    await mirror.until(
      () => resultNames(mirror),
      (names) => names.includes('a.batch.json') && names.includes('a.batch.1.json'),
    );
    expect(await resultNames(mirror)).toEqual([
      'a.batch.1.json',
      'a.batch.json',
      'a.output.1.jsonl',
      'a.output.jsonl',
    ]);
    expect(await resultIds(mirror, 'a.output.1.jsonl')).toEqual(lineIds(1, 2));
    expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, 4));
    expect(submissions(mirror)).toBe(2);
  });

  test('removed while its batch runs: the input stays until the end, the answers come, then it is deleted', async (context) => {
    const mirror = await openBatchMirror(context, {
      emulator: { batchPace: { ...QUICK_PACE, workingMs: 6_000 } },
    });
    await mirror.write('batch/a.jsonl', requestLines(3));
    const { inputFileId } = await untilView(mirror, 'batch/a.jsonl', ({ state }) => state === 'open');
    await rm(mirror.at('batch/a.jsonl'));
    await mirror.untilReport('batch/a.jsonl', (report) => report === null || report.id === null);
    const isThere = (): boolean => mirror.emulator.files().some(({ id }) => id === inputFileId);
    expect(await viewOf(mirror, 'batch/a.jsonl')).toMatchObject({ state: 'open' });
    expect(isThere()).toBe(true);
    await mirror.until(
      () => resultNames(mirror),
      (names) => names.includes('a.batch.json'),
    );
    expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, 3));
    await mirror.until(isThere, (is) => !is);
    const asked = mirror.emulator.requests
      .all()
      .find(({ method, path }) => method === 'GET' && path.endsWith('/content'));
    const deleted = mirror.emulator.requests.deletes();
    expect(deleted).toHaveLength(1);
    expect(deleted[0]?.arrivedMonotonicMs).toBeGreaterThan(asked?.arrivedMonotonicMs ?? Infinity);
  });

  test('removed while its batch runs, and onRemove is cancel: it is cancelled, then deleted', async (context) => {
    const mirror = await openBatchMirror(context, {
      batches: { onRemove: 'cancel', retries: 0 },
      emulator: { batchPace: ENDLESS_PACE },
    });
    await mirror.write('batch/a.jsonl', requestLines(3));
    const { batch } = await untilView(mirror, 'batch/a.jsonl', ({ state }) => state === 'open');
    await rm(mirror.at('batch/a.jsonl'));
    await mirror.until(
      () => mirror.emulator.files().filter(({ purpose }) => purpose === 'batch').length,
      (count) => count === 0,
    );
    const cancels = mirror.emulator.requests.all().filter(({ path }) => path.endsWith(`/${batch}/cancel`));
    expect(cancels).toHaveLength(1);
    expect(submissions(mirror)).toBe(1);
  });
});

describe('what is left at the API when the answers are here', { concurrent: true }, () => {
  const cases = [
    { cleanUp: 'none', left: ['batch', 'batch', 'batch_output', 'batch_output', 'batch_output'] },
    { cleanUp: 'results', left: ['batch'] },
    { cleanUp: 'all', left: [] },
  ] as const;
  for (const { cleanUp, left } of cases) {
    test(`with cleanUp ${cleanUp}: ${left.length === 0 ? 'nothing' : left.join(', ')}, also after a restart`, async (context) => {
      const mirror = await openBatchMirror(context, {
        batches: { cleanUp },
        config: { folders: { batch: { submit: true, onExpiry: 'forget' } } },
      });
      const others = await mirror.addForeign('batch', 'b.jsonl', requestLines(2));
      await mirror.write('batch/a.jsonl', requestLines(4, { 2: 'once-error-500' }));
      expect(await untilOver(mirror, 'batch/a.jsonl')).toMatchObject({ state: 'done' });
      const purposes = (): readonly string[] =>
        mirror.emulator
          .files()
          .filter(({ id }) => id !== others)
          .map(({ purpose }) => purpose)
          .sort();
      await mirror.until(purposes, (found) => found.join() === left.join());
      await mirror.stop();
      await mirror.start();
      await mirror.flush();
      expect(purposes()).toEqual(left);
      expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, 4));
      expect(mirror.emulator.files().map(({ id }) => id)).toContain(others);
      expect(submissions(mirror)).toBe(2);
    });
  }
});

describe('lines that fail', { concurrent: true }, () => {
  test('429 and 500 are tried again as a batch of their own and merged; 400 is final', async (context) => {
    const mirror = await openBatchMirror(context);
    await mirror.write(
      'batch/a.jsonl',
      requestLines(8, { 2: 'once-error-429', 3: 'error-400', 5: 'once-error-500', 7: 'once-missing' }),
    );
    const view = await untilOver(mirror, 'batch/a.jsonl');
    expect(view).toMatchObject({ state: 'partial', lines: { answered: 7, failed: 1, missing: 0 } });
    expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, 8).filter((id) => id !== 'line-3'));
    expect(await resultLines(mirror, 'a.errors.jsonl')).toMatchObject([
      { custom_id: 'line-3', response: { status_code: 400 } },
    ]);
    expect(submissions(mirror)).toBe(2);
    const again = mirror.emulator.files().find(({ filename }) => filename === 'a.retry-1.jsonl');
    const lines = requestLines(8, { 2: 'once-error-429', 5: 'once-error-500', 7: 'once-missing' }).split(
      '\n',
    );
    expect((await mirror.emulator.store.content(again?.id ?? ''))?.toString('utf8')).toBe(
      [1, 4, 6].map((index) => `${lines[index]}\n`).join(''),
    );
  });

  test('what fails again is final after `retries`, and named', async (context) => {
    const mirror = await openBatchMirror(context, { batches: { retries: 2 } });
    await mirror.write('batch/a.jsonl', requestLines(3, { 2: 'error-503', 3: 'missing' }));
    const view = await untilOver(mirror, 'batch/a.jsonl');
    expect(view).toMatchObject({ state: 'partial', generation: 2 });
    expect(view.lines).toEqual({ answered: 1, failed: 1, missing: 1 });
    expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(['line-1']);
    expect(await resultIds(mirror, 'a.errors.jsonl')).toContain('line-2');
    expect(submissions(mirror)).toBe(3);
  });

  test('a batch that expires: what was answered is there, the rest is tried again', async (context) => {
    const clock = movableClock();
    const mirror = await openBatchMirror(context, { emulator: { batchPace: ENDLESS_PACE, clock } });
    await mirror.write('batch/a.jsonl', requestLines(10));
    await untilView(mirror, 'batch/a.jsonl', ({ status }) => status === 'in_progress');
    clock.jump(25 * HOUR_MS);
    await untilView(
      mirror,
      'batch/a.jsonl',
      ({ generation, status }) => generation === 1 && status === 'in_progress',
    );
    clock.jump(25 * HOUR_MS);
    const view = await untilOver(mirror, 'batch/a.jsonl');
    expect(view.state).toBe('partial');
    const { answered = 0, failed = 0 } = view.lines ?? {};
    expect(answered).toBeGreaterThan(4);
    expect(answered + failed).toBe(10);
    expect(await resultIds(mirror, 'a.output.jsonl')).toHaveLength(answered);
    expect(await resultLines(mirror, 'a.errors.jsonl')).toMatchObject(
      Array.from({ length: failed }, () => ({ error: { code: 'batch_expired' } })),
    );
    expect(submissions(mirror)).toBe(2);
  });

  test('a batch that is cancelled: what was answered is there, the rest is final', async (context) => {
    const clock = movableClock();
    const mirror = await openBatchMirror(context, { emulator: { batchPace: ENDLESS_PACE, clock } });
    await mirror.write('batch/a.jsonl', requestLines(10));
    await untilView(mirror, 'batch/a.jsonl', ({ status }) => status === 'in_progress');
    clock.jump(16 * HOUR_MS);
    expect((await mirror.run('batch', 'cancel', 'batch/a.jsonl')).code).toBe(0);
    const view = await untilOver(mirror, 'batch/a.jsonl');
    expect(view).toMatchObject({ state: 'partial', status: 'cancelled', lines: { answered: 3, failed: 7 } });
    const ids = await resultIds(mirror, 'a.output.jsonl');
    expect(ids).toEqual(lineIds(1, 10).filter((id) => ids.includes(id)));
    expect(await resultIds(mirror, 'a.errors.jsonl')).toHaveLength(7);
    expect(submissions(mirror)).toBe(1);
  });
});

describe('what is not submitted by itself', { concurrent: true }, () => {
  test('what was there before `submit` was switched on, until batch submit', async (context) => {
    const mirror = await openTestMirror(context, { emulator: { batchPace: QUICK_PACE } });
    await mirror.write('batch/old.jsonl', requestLines(2));
    await mirror.start();
    await mirror.flush();
    await mirror.stop();
    await mirror.configure(submitting());
    await mirror.start();
    await mirror.flush();
    await mirror.write('batch/new.jsonl', requestLines(2));
    await untilOver(mirror, 'batch/new.jsonl');
    expect(submissions(mirror)).toBe(1);
    expect(await resultNames(mirror)).toEqual(['new.batch.json', 'new.output.jsonl']);
    expect((await mirror.run('batch', 'submit', 'batch/old.jsonl')).code).toBe(0);
    expect(await untilOver(mirror, 'batch/old.jsonl')).toMatchObject({ state: 'done' });
    expect(submissions(mirror)).toBe(2);
  });

  test('what adopt takes over', async (context) => {
    const mirror = await openTestMirror(context, {
      config: submitting(),
      emulator: { batchPace: QUICK_PACE },
    });
    const content = requestLines(2);
    await mirror.emulator.store.add({ purpose: 'batch', filename: 'a.jsonl', content });
    await mirror.write('batch/a.jsonl', content);
    expect((await mirror.run('adopt')).code).toBe(0);
    await mirror.start();
    await mirror.flush();
    await mirror.write('batch/b.jsonl', requestLines(3));
    await untilOver(mirror, 'batch/b.jsonl');
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
    expect(submissions(mirror)).toBe(1);
    expect((await viewOf(mirror, 'batch/a.jsonl'))?.state).toBe('wanted');
  });

  test('a flood, until it is approved; a restart changes nothing', async (context) => {
    const mirror = await openBatchMirror(context, { batches: { maxAtOnce: 2 } });
    for (let index = 1; index <= 6; index += 1)
      await mirror.write(`batch/${index}.jsonl`, requestLines(index));
    await mirror.untilStatus(
      ({ halts, counts }) => halts.some(({ name }) => name === 'mass-submit') && counts.synced === 6,
    );
    const before = submissions(mirror);
    expect(before).toBeLessThanOrEqual(2);
    await mirror.stop();
    await mirror.start();
    await mirror.untilStatus(({ halts }) => halts.some(({ name }) => name === 'mass-submit'));
    expect(submissions(mirror)).toBe(before);
    expect((await mirror.run('approve', '--submits')).code).toBe(0);
    for (let index = 1; index <= 6; index += 1) await untilOver(mirror, `batch/${index}.jsonl`);
    expect(submissions(mirror)).toBe(6);
    expect((await mirror.status()).halts).toEqual([]);
  });
});

describe('sync', { concurrent: true }, () => {
  test('submits what is new and goes; another one fetches what has ended', async (context) => {
    const mirror = await openTestMirror(context, {
      config: submitting(),
      emulator: { batchPace: QUICK_PACE },
    });
    expect((await mirror.run('sync')).code).toBe(0);
    await mirror.write('batch/a.jsonl', requestLines(4));
    expect((await mirror.run('sync')).code).toBe(0);
    expect(submissions(mirror)).toBe(1);
    await mirror.until(
      () => mirror.emulator.batches.all().filter(({ end }) => end !== null).length,
      (ended) => ended === 1,
    );
    expect((await mirror.run('sync')).code).toBe(0);
    expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, 4));
    expect(submissions(mirror)).toBe(1);
  });

  test('with --wait-batches stays for the answers, and says with its code whether lines failed', async (context) => {
    const mirror = await openTestMirror(context, {
      config: submitting({ retries: 0 }),
      emulator: { batchPace: QUICK_PACE },
    });
    expect((await mirror.run('sync')).code).toBe(0);
    await mirror.write('batch/a.jsonl', requestLines(4));
    expect((await mirror.run('sync', '--wait-batches')).code).toBe(0);
    expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, 4));
    await mirror.write('batch/b.jsonl', requestLines(4, { 2: 'error-400' }));
    expect((await mirror.run('sync', '--wait-batches')).code).toBe(1);
    expect(await resultIds(mirror, 'b.output.jsonl')).toEqual(['line-1', 'line-3', 'line-4']);
  });
});
