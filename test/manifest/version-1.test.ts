import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { NO_BATCH_MEMORY } from '../../src/contract/batch.ts';
import { openManifest } from '../../src/manifest/manifest-store.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import { ManualClock } from './manual-clock.ts';
import { entry, seededRandom } from './samples.ts';
import { SimulatedDisk } from './simulated-disk.ts';

const mirrorId = '0b0c4a53-0f7e-4a0e-9d53-2f4f6a3f3a11';
const json = 'manifest.json';
const journal = 'manifest.journal';

const open = (files: SimulatedDisk) =>
  openManifest({ stateDir: '/state', files, clock: new ManualClock(), onWarning: () => {} });

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

function sealedLine(openObject: string): string {
  return `${openObject},"crc32":"${checksum(openObject)}"}\n`;
}

/** What the first release has left: one entry in the snapshot, another in the journal. */
async function firstRelease(): Promise<SimulatedDisk> {
  const content =
    `{"version":1,"mirrorId":"${mirrorId}","seq":1,"attempts":[],"files":{\n` +
    `"batch/a":${JSON.stringify(entry('file-a'))}\n},"intents":{\n},"garbage":{\n},"rejected":{\n`;
  const header = `{"version":1,"mirrorId":"${mirrorId}","base":1`;
  const line = `{"seq":2,"durable":1,"at":1000,"files":${JSON.stringify({ 'batch/b': entry('file-b') })}`;
  const disk = new SimulatedDisk();
  disk.put(json, Buffer.from(`${content}},"crc32":"${checksum(content)}"}\n`));
  disk.put(journal, Buffer.from(sealedLine(header) + sealedLine(line)));
  await disk.syncDirectory();
  return disk;
}

const versionsOf = (disk: SimulatedDisk): unknown[] =>
  [json, journal].map((name) => /"version":(\d+)/.exec(String(disk.read(name)))?.[1]);

test('a manifest of version 1 is read, stays as it is until something changes, and is of version 2 from then on', async () => {
  const disk = await firstRelease();
  expect([...((await readManifest('/state', disk))?.files.keys() ?? [])]).toEqual(['batch/a', 'batch/b']);
  const looked = await open(disk);
  expect(looked).toMatchObject({ mirrorId, seq: 2, isNew: false, batchMemory: NO_BATCH_MEMORY });
  expect(versionsOf(disk)).toEqual(['1', '1']);
  await looked.commit({ files: { 'batch/c': entry('file-c') } });
  expect(versionsOf(disk)).toEqual(['2', '2']);
  await looked.close();
  const again = await open(disk);
  expect([...again.files.keys()]).toEqual(['batch/a', 'batch/b', 'batch/c']);
  await again.close();
});

test('a power cut while it becomes version 2 loses nothing, and leaves no change of version 2 behind a header of version 1', async () => {
  const random = seededRandom(1);
  for (let operations = 0; operations < 30; operations += 1) {
    const disk = await firstRelease();
    const store = await open(disk);
    let asked = 0;
    disk.fate = () => ((asked += 1) <= operations ? 'done' : 'failed');
    const isDurable = await store
      .commit({ batchMemory: { ...NO_BATCH_MEMORY, submitFolders: ['batch'] } })
      .then(
        () => true,
        () => false,
      );
    const left = disk.afterPowerCut(random);
    if (versionsOf(left)[1] === '1') expect(String(left.read(journal))).not.toContain('submitFolders');
    const again = await open(left);
    expect([...again.files.keys()]).toEqual(['batch/a', 'batch/b']);
    if (isDurable) expect(again.batchMemory.submitFolders).toEqual(['batch']);
    await again.close();
  }
});
