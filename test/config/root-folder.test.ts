import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { checkRoot, createRoot } from '../../src/config/root-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-mirror-root-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const configFor = async (root: string) =>
  (await loadConfig({ flags: { root }, env: {}, cwd: folder, homeDir: '/h' })).config;

test('a root must be a folder that is there', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(checkRoot(folder)).resolves.toBeUndefined();
  await expect(checkRoot(join(folder, 'none'))).rejects.toThrow(
    `the root ${join(folder, 'none')} does not exist; mount it, or create it with: \`files-mirror init\``,
  );
  await expect(checkRoot(join(folder, 'file'))).rejects.toThrow(
    `the root ${join(folder, 'file')} is a file; give a folder with --root`,
  );
  await expect(checkRoot(join(folder, 'file', 'below'))).rejects.toThrow('a part of its path is a file');
});

test('createRoot creates what is missing, and nothing the second time', async () => {
  const root = join(folder, 'deep', 'root');
  mkdirSync(join(root, 'batch'), { recursive: true });
  const created = await createRoot(await configFor(root));
  expect(created).toHaveLength(5);
  expect(readdirSync(root)).toEqual(['assistants', 'batch', 'evals', 'fine-tune', 'user_data', 'vision']);
  expect(await createRoot(await configFor(root))).toEqual([]);
});

test('createRoot says what is in the way', async () => {
  writeFileSync(join(folder, 'batch'), '');
  await expect(createRoot(await configFor(folder))).rejects.toThrow(
    `cannot create ${join(folder, 'batch')}: a file is in its place`,
  );
});
