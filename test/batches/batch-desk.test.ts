import { describe, expect, test } from 'vitest';
import { DeskBench, faultOf } from './desk-bench.ts';
import { batchOf, recordOf } from './record-sample.ts';

const A = 'batch/a.jsonl';
const never = new AbortController().signal;

describe('from a file to its answers', () => {
  test('submitted once, watched, fetched, written, told', async () => {
    const bench = new DeskBench();
    bench.start();
    bench.drop(A);
    await bench.seconds(1);
    expect(bench.posts).toHaveLength(1);
    expect(bench.posts[0]?.metadata).toMatchObject({ files_mirror_path: A, files_mirror_mirror: 'mirror' });
    bench.set(bench.batches[0]!.id, {
      status: 'completed',
      outputFileId: 'file-out',
      counts: { total: 10, completed: 10, failed: 0 },
    });
    const outcome = bench.desk!.wait([A], never);
    await bench.seconds(60);
    expect(await outcome).toBe('answered');
    expect(bench.desk!.show(A)).toMatchObject({
      state: 'done',
      status: 'completed',
      results: { output: 'results/o' },
    });
    expect(bench.events.map(({ kind }) => kind)).toEqual([
      'batch-submitted',
      'batch-ended',
      'results-written',
    ]);
    await bench.desk!.stop();
  });

  test('300 open batches cost at most 70 requests in an hour', async () => {
    const bench = new DeskBench();
    for (let index = 0; index < 300; index += 1) {
      const batch = batchOf({ id: `b${index}`, status: 'validating', inputFileId: `file-${index}` });
      bench.batches.push(batch);
      const path = `batch/${index}.jsonl`;
      bench.files.set(path, { id: `file-${index}`, purpose: 'batch', sha256: `sha-${index}` });
      const record = {
        path,
        sha256: `sha-${index}`,
        inputFileId: `file-${index}`,
        state: 'open' as const,
        batch,
      };
      bench.records.set(`s${index}`, recordOf(record));
    }
    bench.start({ maxOpen: 300 });
    await bench.seconds(60);
    for (const { id } of bench.batches.slice()) bench.set(id, { status: 'in_progress' });
    await bench.seconds(3_540);
    expect(bench.requests).toBeGreaterThan(30);
    expect(bench.requests).toBeLessThanOrEqual(70);
    bench.set('b7', {
      status: 'completed',
      outputFileId: 'o',
      counts: { total: 1, completed: 1, failed: 0 },
    });
    await bench.seconds(600);
    expect(bench.stateOf('batch/7.jsonl')).toBe('done');
    await bench.desk!.stop();
  });

  test('a status that nobody knows is watched for days, and acted upon when it ends', async () => {
    const bench = new DeskBench();
    bench.start();
    bench.drop(A);
    await bench.seconds(1);
    bench.set(bench.batches[0]!.id, { status: 'dreaming' });
    await bench.seconds(2 * 86_400);
    expect(bench.desk!.show(A)).toMatchObject({ state: 'open', status: 'dreaming', late: true });
    bench.set(bench.batches[0]!.id, { status: 'completed', outputFileId: 'o' });
    await bench.seconds(601);
    expect(bench.stateOf(A)).toBe('done');
    await bench.desk!.stop();
  });
});

describe('a POST without an answer', () => {
  test('that was stored is found by its UUID, and not sent again', async () => {
    const bench = new DeskBench();
    bench.start();
    bench.refusals.push(faultOf('timeout', 'unknown'));
    bench.drop(A);
    await bench.seconds(0);
    bench.begin(bench.posts[0]!);
    await bench.seconds(3_600);
    expect(bench.posts).toHaveLength(1);
    expect(bench.events).toContainEqual(expect.objectContaining({ kind: 'batch-submitted', found: true }));
    await bench.desk!.stop();
  });

  test('that was not stored is sent once more, after three looks over lookSeconds, under the same UUID', async () => {
    const bench = new DeskBench();
    bench.start({ lookSeconds: 600 });
    bench.refusals.push(faultOf('timeout', 'unknown'));
    bench.drop(A);
    await bench.seconds(595);
    expect(bench.posts).toHaveLength(1);
    await bench.seconds(30);
    expect(bench.posts.map(({ metadata }) => metadata['files_mirror_submission'])).toEqual([
      bench.posts[0]?.metadata['files_mirror_submission'],
      bench.posts[0]?.metadata['files_mirror_submission'],
    ]);
    await bench.desk!.stop();
  });

  test('a twin that turns up within the hour is cancelled, and a person is told', async () => {
    const bench = new DeskBench();
    bench.start({ lookSeconds: 60 });
    bench.refusals.push(faultOf('timeout', 'unknown'));
    bench.drop(A);
    await bench.seconds(200);
    const twin = bench.begin(bench.posts[0]!);
    await bench.seconds(700);
    expect(bench.batches.find(({ id }) => id === twin.id)?.status).toBe('cancelled');
    expect(bench.warnings().join()).toContain(twin.id);
    expect(bench.desk!.show(A)?.twins).toEqual([twin.id]);
    await bench.desk!.stop();
  });

  test('a list that fails keeps it held, by name; a second POST without an answer waits for a person', async () => {
    const bench = new DeskBench();
    bench.start({ lookSeconds: 60 });
    bench.refusals.push(faultOf('timeout', 'unknown'), faultOf('timeout', 'unknown'));
    bench.listFault = faultOf('network');
    bench.drop(A);
    await bench.seconds(7_200);
    expect(bench.posts).toHaveLength(1);
    expect(bench.desk!.show(A)?.hold?.text).toContain('the server says network');
    bench.listFault = null;
    await bench.seconds(86_400);
    expect(bench.posts).toHaveLength(2);
    expect(bench.desk!.show(A)?.hold?.text).toContain('batch resolve');
    expect(await bench.desk!.wait([A], never)).toBe('halted');
    await bench.desk!.resolve(A, 'none');
    await bench.seconds(10);
    expect([bench.posts.length, bench.stateOf(A)]).toEqual([3, 'open']);
    await bench.desk!.stop();
  });
});

describe('what a server refuses', () => {
  test.each(['batches-auth', 'no-batches', 'batches-quota'])(
    '%s holds all submissions, said once, until it is over',
    async (rule) => {
      const bench = new DeskBench();
      bench.refusals.push(...Array.from({ length: 5 }, () => faultOf(rule)));
      bench.start();
      bench.drop(A);
      bench.drop('batch/b.jsonl');
      await bench.seconds(2_000);
      expect(bench.warnings()).toHaveLength(1);
      expect(bench.posts).toHaveLength(6 + 1);
      expect([bench.stateOf(A), bench.stateOf('batch/b.jsonl')]).toEqual(['open', 'open']);
      await bench.desk!.stop();
    },
  );

  test('a request that is refused for good is not sent again, unless a person wants that', async () => {
    const bench = new DeskBench();
    bench.refusals.push(faultOf('server-400', 'refused', 'skip'));
    bench.start();
    bench.drop(A);
    await bench.seconds(86_400);
    expect([bench.posts.length, bench.stateOf(A)]).toEqual([1, 'failed']);
    await bench.desk!.retry([A]);
    await bench.seconds(1);
    expect([bench.posts.length, bench.stateOf(A)]).toEqual([2, 'open']);
    await bench.desk!.stop();
  });

  test('an input that cannot be found yet is asked for again, for lookSeconds', async () => {
    const bench = new DeskBench();
    bench.refusals.push(faultOf('no-such-file'), faultOf('no-such-file'));
    bench.start();
    bench.drop(A);
    await bench.seconds(60);
    expect([bench.posts.length, bench.stateOf(A)]).toEqual([3, 'open']);
    bench.refusals.push(...Array.from({ length: 100 }, () => faultOf('no-such-file')));
    bench.drop('batch/b.jsonl');
    await bench.seconds(3_600);
    expect(bench.desk!.show('batch/b.jsonl')).toMatchObject({
      state: 'failed',
      problem: expect.stringContaining('cannot find its input'),
    });
    await bench.desk!.stop();
  });

  test('a full queue: the same file again when one of that model ends', async () => {
    const bench = new DeskBench();
    bench.start({ pollSeconds: 5 });
    bench.drop(A);
    bench.drop('batch/b.jsonl');
    await bench.seconds(1);
    const [first, second] = bench.batches.map(({ id }) => id);
    bench.set(first!, { status: 'in_progress' });
    const problems = [{ code: 'token_limit_exceeded', message: 'full', line: null, param: null }];
    bench.set(second!, { status: 'failed', problems });
    await bench.seconds(20);
    expect(bench.desk!.show('batch/b.jsonl')).toMatchObject({
      state: 'wanted',
      attempt: 2,
      hold: { why: 'queue' },
    });
    bench.set(first!, { status: 'completed', outputFileId: 'o' });
    await bench.seconds(10);
    expect(bench.posts.at(-1)?.metadata).toMatchObject({
      files_mirror_path: 'batch/b.jsonl',
      files_mirror_attempt: '2',
    });
    await bench.desk!.stop();
  });
});

describe('a person', () => {
  test('approves a flood', async () => {
    const bench = new DeskBench();
    bench.start({ maxAtOnce: 2 });
    for (const name of ['a', 'b', 'c']) bench.drop(`batch/${name}.jsonl`);
    await bench.seconds(1);
    expect(bench.posts.length).toBeLessThanOrEqual(2);
    expect(bench.kinds('halted')).toHaveLength(1);
    expect(await bench.desk!.wait(null, never)).toBe('halted');
    await bench.desk!.approveSubmits();
    await bench.seconds(1);
    expect(bench.posts).toHaveLength(3);
    expect(bench.kinds('resumed')).toHaveLength(1);
    await bench.desk!.stop();
  });

  test('submits what was there before, and may not submit twice', async () => {
    const bench = new DeskBench();
    bench.files.set('old/a.jsonl', { id: 'file-1', purpose: 'batch', sha256: 'sha-1' });
    bench.files.set('docs/a.pdf', { id: 'file-2', purpose: 'user_data', sha256: 'sha-2' });
    bench.start();
    await bench.seconds(1);
    const replies = await bench.desk!.submit(['old/a.jsonl', 'docs/a.pdf', 'batch/none.jsonl']);
    expect(replies.map(({ done }) => done)).toEqual([true, false, false]);
    await bench.seconds(1);
    expect(bench.posts).toHaveLength(1);
    expect(await bench.desk!.submit(['old/a.jsonl'])).toMatchObject([
      { done: false, text: expect.stringContaining('runs already') },
    ]);
    await bench.desk!.stop();
  });

  test('pauses: nothing is submitted, what runs is watched', async () => {
    const bench = new DeskBench();
    bench.held = 'paused by a person';
    bench.start();
    bench.drop(A);
    await bench.seconds(3_600);
    expect(bench.posts).toHaveLength(0);
    expect(bench.desk!.show(A)?.hold).toMatchObject({ why: 'paused', text: 'paused by a person' });
    bench.held = null;
    await bench.seconds(61);
    expect(bench.posts).toHaveLength(1);
    await bench.desk!.stop();
  });
});
