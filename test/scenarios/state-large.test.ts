import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { statToken } from '../../src/contract/stat-token.ts';
import { openTestMirror, SCENARIO_TIMEOUT_MS, type TestMirror } from '../support/blackbox/mirror-process.ts';

const ENTRIES = 30_000;
const MAX_RESIDENT_KB = 300 * 1024;

/** Files on disk, at the API, and in the manifest, as if they had been mirrored long ago. */
async function prepare(mirror: TestMirror): Promise<void> {
  const content = 'x\n';
  const sha256 = createHash('sha256').update(content).digest('hex');
  const mirrorId = randomUUID();
  const files: Record<string, unknown> = {};
  for (let index = 0; index < ENTRIES; index += 1) {
    const folder = `user_data/${index % 100}`;
    if (index < 100) mkdirSync(mirror.at(folder), { recursive: true });
    const path = `${folder}/${index}.txt`;
    writeFileSync(mirror.at(path), content);
    const filename = `${index}.txt`;
    const { id } = await mirror.emulator.store.add({ purpose: 'user_data', filename, content });
    files[path] = {
      id,
      purpose: 'user_data',
      remoteName: filename,
      bytes: content.length,
      sha256,
      stat: statToken(statSync(mirror.at(path), { bigint: true })),
      uploadedAt: 1_760_000_000,
      createdAt: 1_760_000_000,
      expiresAt: null,
    };
  }
  writeFileSync(mirror.at('.files-mirror.json'), JSON.stringify({ version: 1, mirrorId, note: '' }));
  mkdirSync(mirror.stateDir, { mode: 0o700 });
  const manifest = {
    version: 1,
    mirrorId,
    seq: ENTRIES,
    attempts: [],
    files,
    intents: {},
    garbage: {},
    rejected: {},
  };
  writeFileSync(`${mirror.stateDir}/manifest.json`, JSON.stringify(manifest));
}

function peakResidentKb(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

test.skipIf(process.platform !== 'linux')(
  'C16: a manifest of 30,000 entries: the first new file goes at once, memory stays bounded, nothing known is sent',
  async (context) => {
    const mirror = await openTestMirror(context, { emulator: { discard: true } });
    await prepare(mirror);
    await mirror.write('user_data/new.txt', 'new');
    const startedMs = performance.now();
    await mirror.start();
    await mirror.until(
      () => mirror.emulator.files().length,
      (files) => files === ENTRIES + 1,
    );
    // 5 s are promised for 100,000 on an idle machine.
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    const { counts } = await mirror.untilStatus(({ phase }) => phase === 'idle');
    expect(counts.synced).toBe(ENTRIES + 1);
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
    expect(mirror.emulator.requests.deletes()).toEqual([]);
    expect(peakResidentKb(mirror.process.pid)).toBeLessThan(MAX_RESIDENT_KB);
    await mirror.stop();
  },
  SCENARIO_TIMEOUT_MS,
);
