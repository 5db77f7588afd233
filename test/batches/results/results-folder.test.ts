import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { realResultsDisk } from '../../../src/batches/results/results-disk.ts';
import { ResultsFolder } from '../../../src/batches/results/results-folder.ts';

test('a folder that several results need at once is made by one of them, and is there for all', async () => {
  const root = mkdtempSync(join(tmpdir(), 'files-mirror-results-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  await mkdir(join(root, 'batch'));
  // Each looks before any has made it.
  const { promise: allHaveLooked, resolve } = Promise.withResolvers<void>();
  let looks = 0;
  const disk = {
    ...realResultsDisk,
    mkdir: async (path: string) => {
      looks += 1;
      if (looks === 3) resolve();
      if (looks <= 3) await allHaveLooked;
      return await mkdir(path);
    },
  } as typeof realResultsDisk;
  const folder = new ResultsFolder(root, disk);
  await Promise.all(['a', 'b', 'c'].map((name) => folder.prepare(`results/${name}`, 'batch')));
  expect(await readdir(root)).toEqual(['batch', 'results']);
});
