/** Every file that is not mirrored is named with its reason, those that a person must see to first; and no exit code hides one. */
import { chmod, symlink, unlink } from 'node:fs/promises';
import { describe, test } from 'vitest';
import type { MirrorStatus, PathReport } from '../../src/contract/report.ts';
import {
  openTestMirror,
  SCENARIO_TIMEOUT_MS,
  type TestMirrorOptions,
} from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';

/** For permissions to mean something to a superuser. */
const WITHOUT_OVERRIDE: TestMirrorOptions =
  process.getuid?.() === 0 ? { withoutCapabilities: ['dac_override', 'dac_read_search'] } : {};

interface LastKnown {
  readonly problems: readonly PathReport[];
  readonly problemsTotal: number;
  readonly problemGroups: MirrorStatus['problemGroups'];
}

describe.concurrent('status', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('names refused files first, however many others wait, and counts the rest of each state', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.start();
    await (await mirror.daemon()).pause();
    for (let n = 0; n < 1_500; n += 1) await mirror.write(`user_data/waits/${n}.txt`, `${n}`);
    for (let n = 0; n < 300; n += 1) await mirror.write(`user_data/empty/${n}.txt`, '');
    await (await mirror.daemon()).rescan();
    await mirror.untilStatus(({ counts }) => counts.rejected === 300 && counts.pending === 1_500);

    const { stdout } = await mirror.run('status');
    const problems = stdout.split('\n\n').at(-1)?.trimEnd().split('\n') ?? [];
    expect(
      problems.slice(0, 20).every((line) => /^rejected {2}user_data\/empty\/.*: .*empty/.test(line)),
    ).toBe(true);
    expect(problems[20]).toMatch(/^rejected +… and 280 more/);
    expect(problems[21]).toMatch(/^pending +user_data\/waits\//);
    expect(problems.at(-1)).toMatch(/^pending +… and 1495 more/);

    const status = JSON.parse((await mirror.run('status', '--json')).stdout) as MirrorStatus;
    expect(status.problemGroups).toEqual([
      { state: 'rejected', needs: 'person', count: 300 },
      { state: 'pending', needs: 'time', count: 1_500 },
    ]);
    expect(status.problemsTotal).toBe(1_800);
    expect(status.problems).toHaveLength(1_000);
    expect(status.problems.filter(({ state }) => state === 'rejected')).toHaveLength(300);
    expect(status.problems[0]).toMatchObject({ state: 'rejected', needs: 'person' });
  });

  test('without a daemon still names what was refused, and why', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/good.jsonl', batchFile(1));
    await mirror.write('batch/wrong.jsonl', 'not JSON');
    for (let n = 10; n < 35; n += 1) await mirror.write(`user_data/${n}.txt`, '');
    await mirror.sync();

    const { code, stdout } = await mirror.run('status');
    expect(code).toBe(3);
    expect(stdout).toMatch(/^rejected {2}batch\/wrong\.jsonl: line 1/m);
    expect(stdout).toMatch(/^rejected {2}user_data\/10\.txt: /m);
    expect(stdout).toMatch(/^rejected {2}… and 6 more/m);
    const known = JSON.parse((await mirror.run('status', '--json')).stdout) as LastKnown;
    expect(known.problemGroups).toEqual([{ state: 'rejected', needs: 'person', count: 26 }]);
    expect(known.problemsTotal).toBe(26);
    expect(known.problems).toHaveLength(26);
    expect(known.problems[0]).toMatchObject({ path: 'batch/wrong.jsonl', state: 'rejected' });
  });
});

describe.concurrent('exit codes', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('a file that cannot be read makes plan, sync and flush end with 1', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, WITHOUT_OVERRIDE);
    await mirror.write('batch/good.jsonl', batchFile(1));
    await mirror.write('batch/secret.jsonl', batchFile(2));
    await chmod(mirror.at('batch/secret.jsonl'), 0o000);
    const { code, result } = await mirror.sync();
    expect(result.problems).toMatchObject([
      { path: 'batch/secret.jsonl', state: 'skipped', needs: 'person' },
    ]);
    expect(code).toBe(1);
    expect((await mirror.run('plan')).code).toBe(1);
    await mirror.start();
    expect((await mirror.run('flush')).code).toBe(1);
  });

  test('so does a folder that cannot be listed', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, WITHOUT_OVERRIDE);
    await mirror.write('batch/inner/a.jsonl', batchFile(1));
    await mirror.sync();
    await chmod(mirror.at('batch/inner'), 0o000);
    context.onTestFinished(() => chmod(mirror.at('batch/inner'), 0o755));
    expect((await mirror.sync()).code).toBe(1);
    await mirror.start();
    expect((await mirror.run('flush')).code).toBe(1);
  });

  test('what is left alone on purpose does not: links, ignored files, folders of no purpose', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/good.jsonl', batchFile(1));
    await symlink('good.jsonl', mirror.at('batch/link.jsonl'));
    await mirror.write('batch/litter.tmp', 'x');
    await mirror.write('elsewhere/a.txt', 'x');
    const { code, result } = await mirror.sync();
    expect(new Map(result.problems.map(({ path, needs }) => [path, needs]))).toEqual(
      new Map([
        ['batch/link.jsonl', 'nothing'],
        ['batch/litter.tmp', 'nothing'],
        ['elsewhere', 'nothing'],
      ]),
    );
    expect(code).toBe(0);
    expect((await mirror.run('plan')).code).toBe(0);
    await mirror.start();
    expect((await mirror.run('flush')).code).toBe(0);
    await unlink(mirror.at('batch/link.jsonl'));
  });
});
