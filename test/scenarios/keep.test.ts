import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';

describe('drop folders: deletes.mode keep', { concurrent: true }, () => {
  test('a folder that is emptied keeps its remote files, unhalted; its neighbours mirror deletes', async (context) => {
    const mirror = await openTestMirror(context, {
      config: { folders: { batch: { deletes: { mode: 'keep' } } } },
    });
    const drops = Array.from({ length: 15 }, (_, n) => `batch/${n}.jsonl`);
    for (const [n, path] of drops.entries()) await mirror.write(path, batchFile(n));
    await mirror.write('user_data/a.txt', 'a');
    await mirror.write('user_data/b.txt', 'b');
    await mirror.start();
    await mirror.expectConverged({ posts: 17 });

    for (const path of drops) await rm(mirror.at(path));
    await rm(mirror.at('user_data/a.txt'));
    await mirror.untilConverged({ posts: 17, deletes: 1, keeps: drops });
    const { halts, counts } = await mirror.status();
    expect(halts).toEqual([]);
    expect(counts).toMatchObject({ kept: 15, synced: 1 });
    const kept = await mirror.report('batch/3.jsonl');
    expect(kept).toMatchObject({
      state: 'kept',
      reason: expect.stringContaining('keeps remote files') as string,
    });
    expect((await mirror.run('id', 'batch/3.jsonl')).stdout).toBe(`${kept?.id}\n`);
  });

  test('the same file dropped again is known, and stays known over a restart', async (context) => {
    const mirror = await openTestMirror(context, {
      config: { folders: { batch: { deletes: { mode: 'keep' } } } },
    });
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.start();
    await mirror.expectConverged({ posts: 1 });
    await rm(mirror.at('batch/a.jsonl'));
    await mirror.untilReport('batch/a.jsonl', (report) => report?.state === 'kept');
    await mirror.stop();
    await mirror.start();
    await mirror.untilReport('batch/a.jsonl', (report) => report?.state === 'kept');
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.untilReport('batch/a.jsonl', (report) => report?.state === 'synced');
    await mirror.expectConverged({ posts: 1, deletes: 0 });
  });

  test('everything keeps but one folder that mirrors; its purpose is mapped', async (context) => {
    const mirror = await openTestMirror(context, {
      config: {
        deletes: { mode: 'keep' },
        folders: { docs: { purpose: 'user_data', deletes: { mode: 'mirror' } } },
      },
    });
    const purposes = { docs: 'user_data', assistants: 'assistants' };
    await mirror.write('docs/a.txt', 'a');
    await mirror.write('docs/b.txt', 'b');
    await mirror.write('assistants/c.txt', 'c');
    expect((await mirror.sync()).code).toBe(0);
    await rm(mirror.at('docs/a.txt'));
    await rm(mirror.at('assistants/c.txt'));
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 3, deletes: 1, keeps: ['assistants/c.txt'], purposes });
  });

  test('keep that is taken back: what is gone is deleted, under the guards', async (context) => {
    const keep = { folders: { user_data: { deletes: { mode: 'keep' as const } } } };
    const mirror = await openTestMirror(context, { config: keep });
    for (const name of ['a', 'b', 'c']) await mirror.write(`user_data/${name}.txt`, name);
    expect((await mirror.sync()).code).toBe(0);
    await rm(mirror.at('user_data/a.txt'));
    expect((await mirror.sync()).code).toBe(0);
    await mirror.configure({});
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 3, deletes: 1 });
  });
});
