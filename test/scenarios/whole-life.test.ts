/**
 * The whole life of a folder of two hundred files: filled, changed, renamed, emptied in parts, left alone while no
 * daemon runs, and caught up with. Lived twice: by the watcher alone, and by rescans alone. The oracle is asked
 * after every step, and nothing else asks for a scan.
 */
import { appendFile, rm } from 'node:fs/promises';
import { describe, test } from 'vitest';
import { openTestMirror, type TestConfig, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { mixedTree } from '../support/blackbox/mixed-tree.ts';
import { batchFile, fineTuneFile, pdfFile } from '../support/blackbox/samples.ts';

/** Two lives on two cores take some 15 s; this is for a machine that is busy otherwise. */
const LIFE_TIMEOUT_MS = 180_000;
const STEP_TIMEOUT_MS = 60_000;

/** Changes the folder and says what must be asked of the server for it. */
type Step = (mirror: TestMirror) => Promise<{ readonly posts: number; readonly deletes: number }>;

const numbers = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

const STEPS: readonly Step[] = [
  async (mirror) => {
    for (const n of numbers(0, 10))
      await mirror.write(`batch/2026/${n % 4}/jobs-${n}.jsonl`, batchFile(1000 + n));
    for (const n of numbers(0, 5)) await mirror.write(`fine-tune/set-${n}.jsonl`, fineTuneFile(1000 + n));
    for (const n of numbers(0, 5)) await appendFile(mirror.at(`user_data/tables/table-${n}.csv`), '1,1\n');
    await mirror.write('user_data/empty-0.txt', 'not empty any more');
    return { posts: 21, deletes: 20 };
  },
  async (mirror) => {
    await mirror.rename('assistants/papers', 'assistants/library/papers');
    for (const n of numbers(0, 3)) await mirror.rename(`evals/eval-${n}.jsonl`, `evals/sub/eval-${n}.jsonl`);
    for (const n of numbers(3, 6)) await mirror.rename(`evals/eval-${n}.jsonl`, `evals/renamed-${n}.jsonl`);
    return { posts: 3, deletes: 3 };
  },
  async (mirror) => {
    for (const n of numbers(0, 5)) {
      await mirror.rename(`assistants/library/papers/paper-${n}.pdf`, `user_data/paper-${n}.pdf`);
    }
    return { posts: 5, deletes: 5 };
  },
  async (mirror) => {
    await rm(mirror.at('vision/1'), { recursive: true });
    for (const n of numbers(10, 20)) await rm(mirror.at(`fine-tune/set-${n}.jsonl`));
    await rm(mirror.at('user_data/empty-1.txt'));
    return { posts: 0, deletes: 20 };
  },
  async (mirror) => {
    await mirror.stop();
    for (const n of numbers(10, 15))
      await mirror.write(`batch/2026/${n % 4}/jobs-${n}.jsonl`, batchFile(2000 + n));
    await mirror.rename('vision/2', 'vision/two');
    await mirror.rename('user_data/plain-0', 'user_data/not-plain');
    await mirror.rename('user_data/plain-1', 'assistants/plain.md');
    for (const n of numbers(15, 20)) await rm(mirror.at(`user_data/tables/table-${n}.csv`));
    for (const n of numbers(0, 5)) await mirror.write(`assistants/new-${n}.pdf`, pdfFile(3000 + n));
    await mirror.start();
    return { posts: 12, deletes: 12 };
  },
];

const LIVES: readonly { readonly title: string; readonly config: TestConfig }[] = [
  { title: 'by the watcher alone', config: { watch: { mode: 'native', rescanSeconds: 0 } } },
  { title: 'by rescans alone', config: { watch: { mode: 'off', rescanSeconds: 0.5 } } },
];

describe.concurrent('whole life', { timeout: LIFE_TIMEOUT_MS }, () => {
  for (const { title, config } of LIVES) {
    test(title, async (context) => {
      const { expect } = context;
      const files = mixedTree();
      expect(files.size).toBe(200);
      const mirror = await openTestMirror(context, { config });
      await mirror.start();
      for (const [path, content] of files) await mirror.write(path, content);
      await mirror.untilConverged({ posts: 198, deletes: 0 }, STEP_TIMEOUT_MS);

      for (const step of STEPS) {
        mirror.emulator.requests.clear();
        const counts = await step(mirror);
        await mirror.untilConverged(counts, STEP_TIMEOUT_MS);
        // Asked for a scan, it finds nothing more.
        await mirror.expectConverged(counts);
      }

      await mirror.stop();
      mirror.emulator.requests.clear();
      for (const pass of ['first', 'second']) {
        expect(await mirror.sync(), `the ${pass} sync`).toMatchObject({
          code: 0,
          result: { problems: [], halts: [] },
        });
      }
      await mirror.expectConverged({ posts: 0, deletes: 0 });
    });
  }
});

describe.concurrent('sync', { timeout: LIFE_TIMEOUT_MS }, () => {
  test('mirrors everything in one pass, and the second time finds nothing to do', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    for (const n of numbers(0, 30)) await mirror.write(`user_data/${n % 3}/${n}.pdf`, pdfFile(n));
    expect(await mirror.sync()).toMatchObject({ code: 0 });
    await mirror.expectConverged({ posts: 30, deletes: 0 });
    mirror.emulator.requests.clear();
    const { code, stdout } = await mirror.run('sync');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'nothing to do\n' });
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });
});
