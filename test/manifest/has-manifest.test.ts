import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openManifest } from '../../src/manifest/manifest-store.ts';
import { hasManifest } from '../../src/manifest/read-manifest.ts';
import { ManualClock } from './manual-clock.ts';

function stateFolder(): string {
  const stateDir = mkdtempSync(join(tmpdir(), 'has-manifest-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  return stateDir;
}

async function makeManifest(stateDir: string): Promise<void> {
  const manifest = await openManifest({ stateDir, clock: new ManualClock(), onWarning: () => {} });
  await manifest.commit({ rejected: { 'batch/none': null } });
  await manifest.close();
}

test('none in an empty folder, nor in one that does not exist', async () => {
  const stateDir = stateFolder();
  expect(await hasManifest(stateDir)).toBe(false);
  expect(await hasManifest(join(stateDir, 'missing'))).toBe(false);
});

test('one that is there counts, also when it is damaged: that is told when it is opened', async () => {
  const stateDir = stateFolder();
  await makeManifest(stateDir);
  expect(await hasManifest(stateDir)).toBe(true);
  writeFileSync(join(stateDir, 'manifest.json'), 'damaged');
  expect(await hasManifest(stateDir)).toBe(true);
});

test('half of one is neither there nor absent', async () => {
  const stateDir = stateFolder();
  await makeManifest(stateDir);
  rmSync(join(stateDir, 'manifest.json'));
  await expect(hasManifest(stateDir)).rejects.toMatchObject({ rule: 'manifest', disposition: 'fatal' });
});
