import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openManifest } from '../../src/manifest/manifest-store.ts';
import type { ManifestStore } from '../../src/manifest/manifest-store.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import { ManualClock } from './manual-clock.ts';
import { entry, intent } from './samples.ts';
import { SimulatedDisk } from './simulated-disk.ts';

const fatal = { name: 'Fault', disposition: 'fatal', rule: 'manifest' };

function open(files: SimulatedDisk): Promise<ManifestStore> {
  return openManifest({ stateDir: '/state', files, clock: new ManualClock(), onWarning: () => {} });
}

/** A manifest with two entries in the snapshot and three changes in the journal. */
async function usedDisk(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  const store = await open(disk);
  await store.commit({ files: { 'batch/a': entry('file-a') } });
  await store.commit({ files: { 'batch/b': entry('file-b') } });
  await store.snapshotNow();
  await store.commit({ intents: { 'batch/c': intent(1) } });
  await store.commit({ intents: { 'batch/c': null }, files: { 'batch/c': entry('file-c') } });
  await store.commit({ files: { 'batch/d': entry('file-d') } });
  return disk;
}

function content(disk: SimulatedDisk, name: string): Buffer {
  return disk.read(name) ?? expect.unreachable(`${name} is missing`);
}

function edit(disk: SimulatedDisk, name: string, change: (text: string) => string): void {
  const before = content(disk, name).toString();
  const after = change(before);
  expect(after).not.toBe(before);
  disk.put(name, Buffer.from(after));
}

function lineEdit(change: (lines: string[]) => void): (text: string) => string {
  return (text) => {
    const lines = text.split('\n');
    change(lines);
    return lines.join('\n');
  };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'files-mirror-damage-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

interface Case {
  readonly name: string;
  readonly damage: (disk: SimulatedDisk) => void | Promise<void>;
  /** Must be in the message, beside the file and what to do. */
  readonly says: RegExp;
}

const json = 'manifest.json';
const journal = 'manifest.journal';

const cases: readonly Case[] = [
  {
    name: 'a snapshot cut in the middle',
    damage: (d) => d.put(json, content(d, json).subarray(0, 300)),
    says: /manifest\.json is damaged.*Restore/,
  },
  {
    name: 'a snapshot cut by one byte',
    damage: (d) => d.put(json, content(d, json).subarray(0, -1)),
    says: /manifest\.json.*Restore/,
  },
  {
    name: 'an emptied snapshot',
    damage: (d) => d.put(json, Buffer.alloc(0)),
    says: /manifest\.json is empty/,
  },
  {
    name: 'a snapshot of NULs',
    damage: (d) => d.put(json, Buffer.alloc(content(d, json).length)),
    says: /manifest\.json is damaged/,
  },
  {
    name: 'a snapshot with a page of NULs',
    damage: (d) => d.put(json, Buffer.from(content(d, json)).fill(0, 200, 264)),
    says: /manifest\.json/,
  },
  {
    name: 'a snapshot that is something else',
    damage: (d) => d.put(json, Buffer.from('hello\n')),
    says: /not valid JSON/,
  },
  {
    name: 'a snapshot of JSON that is no manifest',
    damage: (d) => d.put(json, Buffer.from('{"version":1}')),
    says: /not a valid manifest/,
  },
  {
    name: 'a snapshot that is null',
    damage: (d) => d.put(json, Buffer.from('null\n')),
    says: /not a valid manifest/,
  },
  {
    name: 'a snapshot of a newer version',
    damage: (d) => edit(d, json, (t) => t.replace('"version":2', '"version":3')),
    says: /newer files-mirror \(format 3\).*Run that version/,
  },
  {
    name: 'a newer snapshot laid out otherwise',
    damage: (d) => d.put(json, Buffer.from('{\n  "mirrorId": "x", "version": 3 }')),
    says: /newer files-mirror \(format 3\)/,
  },
  {
    name: 'a newer snapshot that is not JSON',
    damage: (d) => d.put(json, Buffer.from('{"version":7}\nfiles\n')),
    says: /newer files-mirror \(format 7\)/,
  },
  {
    name: 'a snapshot with one character edited',
    damage: (d) => edit(d, json, (t) => t.replace('file-a', 'file-x')),
    says: /checksum.*remove its last field `crc32`/,
  },
  {
    name: 'a snapshot reformatted with its checksum',
    damage: (d) => edit(d, json, (t) => JSON.stringify(JSON.parse(t), null, 2)),
    says: /checksum/,
  },
  {
    name: 'a handwritten snapshot with an unknown field',
    damage: (d) => edit(d, json, (t) => JSON.stringify({ ...JSON.parse(t), crc32: undefined, extra: 1 })),
    says: /not a valid manifest.*extra/,
  },
  {
    name: 'a journal without a snapshot',
    damage: (d) => d.remove(json),
    says: /manifest\.json is missing.*adopt/,
  },
  {
    name: 'a snapshot without a journal',
    damage: (d) => d.remove(journal),
    says: /manifest\.journal is missing.*crc32/,
  },
  {
    name: 'an emptied journal',
    damage: (d) => d.put(journal, Buffer.alloc(0)),
    says: /manifest\.journal is empty/,
  },
  {
    name: 'a journal of NULs',
    damage: (d) => d.put(journal, Buffer.alloc(content(d, journal).length)),
    says: /manifest\.journal is damaged/,
  },
  {
    name: 'a journal without its header',
    damage: (d) =>
      edit(
        d,
        journal,
        lineEdit((l) => l.shift()),
      ),
    says: /not a journal header/,
  },
  {
    name: 'a journal with an edited header',
    damage: (d) => edit(d, journal, (t) => t.replace('"base":2', '"base":1')),
    says: /not a journal header/,
  },
  {
    name: 'a journal of a newer version',
    damage: (d) => edit(d, journal, (t) => t.replace('"version":2', '"version":3')),
    says: /manifest\.journal was written by a newer/,
  },
  {
    name: 'a journal with a damaged line in the middle',
    damage: (d) =>
      edit(
        d,
        journal,
        lineEdit((l) => (l[2] = `${l[2]}`.replace('file-c', 'file-x'))),
      ),
    says: /damaged in the middle: change 4 is lost/,
  },
  {
    name: 'a journal with a line missing',
    damage: (d) =>
      edit(
        d,
        journal,
        lineEdit((l) => l.splice(2, 1)),
      ),
    says: /change 5 stands where change 4 belongs/,
  },
  {
    name: 'a journal with a line twice',
    damage: (d) =>
      edit(
        d,
        journal,
        lineEdit((l) => l.splice(2, 0, `${l[1]}`)),
      ),
    says: /change 3 stands where change 4 belongs/,
  },
  {
    name: 'a journal with lines exchanged',
    damage: (d) =>
      edit(
        d,
        journal,
        lineEdit((l) => l.splice(1, 2, `${l[2]}`, `${l[1]}`)),
      ),
    says: /change 4 stands where change 3 belongs/,
  },
  {
    name: 'the journal of another mirror',
    damage: async (d) => d.put(journal, content(await usedDisk(), journal)),
    says: /belongs to another mirror/,
  },
];

describe('a manifest that cannot be used never counts as empty', () => {
  test.for(cases)('$name', async ({ damage, says }) => {
    const disk = await usedDisk();
    await damage(disk);
    const before = [disk.read(json), disk.read(journal)];
    const opened = open(disk);
    await expect(opened).rejects.toMatchObject(fatal);
    await expect(opened).rejects.toThrow(says);
    await expect(opened).rejects.toThrow(/^\/state\/manifest\.\w+ .*; nothing was changed or sent\. [^\n]+$/);
    await expect(readManifest('/state', disk)).rejects.toMatchObject(fatal);
    expect([disk.read(json), disk.read(journal)]).toEqual(before);
  });

  test('whatever byte is another one: a refusal that says what to do, or all that was durable', async () => {
    const disk = await usedDisk();
    const good = { [json]: content(disk, json), [journal]: content(disk, journal) };
    const whole = JSON.stringify([...((await readManifest('/state', disk))?.files ?? [])]);
    for (const [name, bytes] of Object.entries(good)) {
      for (let at = 0; at < bytes.length; at += 1) {
        for (const byte of [0x00, 0x22, 0x2c, 0x7b, bytes.readUInt8(at) ^ 1]) {
          const bad = Buffer.from(bytes);
          bad.writeUInt8(byte, at);
          disk.put(name, bad);
          const read = await readManifest('/state', disk).catch((error: Error) => error);
          if (read instanceof Error) {
            expect(read, `${name} at ${at}`).toMatchObject(fatal);
            expect(read.message).toMatch(/^\/state\/manifest\.\w+ .*; nothing was changed or sent\. [^\n]+$/);
          } else if (name === json) expect(JSON.stringify([...(read?.files ?? [])])).toBe(whole);
        }
      }
      disk.put(name, bytes);
    }
  });

  test('a journal from before the snapshot, or from after a later one', async () => {
    const disk = await usedDisk();
    const old = { json: content(disk, json), journal: content(disk, journal) };
    const store = await open(disk);
    await store.commit({ files: { 'batch/e': entry('file-e') } });
    await store.close();
    const fresh = { json: content(disk, json), journal: content(disk, journal) };
    disk.put(json, old.json);
    await expect(open(disk)).rejects.toThrow(/begins after change 6, but manifest\.json ends with change 2/);
    disk.put(json, fresh.json);
    disk.put(journal, old.journal);
    await expect(open(disk)).rejects.toThrow(/ends with change 5, before manifest\.json \(6\)/);
    disk.put(journal, fresh.journal);
    expect((await open(disk)).files.size).toBe(5);
  });

  test('a state folder that is a file', async () => {
    const stateDir = join(temporaryFolder(), 'state');
    writeFileSync(stateDir, 'a file');
    const opened = openManifest({ stateDir, clock: new ManualClock(), onWarning: () => {} });
    await expect(opened).rejects.toMatchObject(fatal);
    await expect(opened).rejects.toThrow(/cannot use .*state.*another stateDir/);
  });

  test('a state folder on a disk that cannot be written', async () => {
    const disk = new SimulatedDisk();
    disk.errorCode = 'EROFS';
    disk.fate = () => 'failed';
    await expect(open(disk)).rejects.toMatchObject(fatal);
    await expect(open(disk)).rejects.toThrow(/cannot use \/state: .*EROFS.*mount its disk writable/);
  });
});

describe('what is no damage', () => {
  test.for<{ name: string; tear: (journalBytes: Buffer) => Buffer }>([
    { name: 'a last line cut', tear: (bytes) => bytes.subarray(0, -20) },
    { name: 'a last line without its newline', tear: (bytes) => bytes.subarray(0, -1) },
    {
      name: 'a last line that was never written',
      tear: (bytes) => Buffer.from(bytes).fill(0, bytes.length - 50),
    },
  ])('a torn tail is healed silently: $name', async ({ tear }) => {
    const disk = await usedDisk();
    disk.put(journal, tear(content(disk, journal)));
    const view = await readManifest('/state', disk);
    expect(view?.seq).toBe(4);
    const store = await open(disk);
    expect([...store.files.keys()]).toEqual(['batch/a', 'batch/b', 'batch/c']);
    expect(content(disk, journal).toString().split('\n')).toHaveLength(4);
    expect(content(disk, journal).at(-1)).toBe(0x0a);
    await store.commit({ files: { 'batch/new': entry('file-new') } });
    const again = await open(disk.afterPowerCut(() => 0));
    expect([...again.files.keys()]).toEqual(['batch/a', 'batch/b', 'batch/c', 'batch/new']);
  });

  test('a change without content, as 0.1.0 could write it, changes nothing', async () => {
    const disk = await usedDisk();
    const line = '{"seq":6,"durable":5,"at":1,';
    const sealed = `${line},"crc32":"${crc32(line).toString(16).padStart(8, '0')}"}\n`;
    disk.put(journal, Buffer.concat([content(disk, journal), Buffer.from(sealed)]));
    const before = (await readManifest('/state', disk))?.files.size;
    const store = await open(disk);
    expect(store.seq).toBe(6);
    expect(store.files.size).toBe(before);
  });

  test('rubbish after the last good line is dropped', async () => {
    const disk = await usedDisk();
    disk.put(
      journal,
      Buffer.concat([content(disk, journal), Buffer.alloc(5_000), Buffer.from('\nrubbish\n')]),
    );
    expect((await open(disk)).seq).toBe(5);
  });

  test('a group of which only the end reached the disk was never durable', async () => {
    const disk = await usedDisk();
    const store = await open(disk);
    const durableBytes = content(disk, journal).length;
    await Promise.all(['x', 'y', 'z'].map((id) => store.commit({ files: { [`batch/${id}`]: entry(id) } })));
    const torn = Buffer.from(content(disk, journal));
    disk.put(journal, torn.fill(0, durableBytes, durableBytes + 100));
    expect((await open(disk)).seq).toBe(5);
  });

  test('a snapshot edited by a person who removed the checksum is checked, taken, and sealed again', async () => {
    const disk = await usedDisk();
    edit(disk, json, (text) => {
      const { crc32: _removed, ...rest } = JSON.parse(text) as Record<string, unknown>;
      return JSON.stringify({ ...rest, files: { 'batch/b': entry('file-b') } }, null, 2);
    });
    const store = await open(disk);
    expect([...store.files.keys()]).toEqual(['batch/b', 'batch/c', 'batch/d']);
    expect(content(disk, json).toString()).toMatch(/"crc32":"[0-9a-f]{8}"\}\n$/);
    await disk.remove(journal);
    edit(disk, json, (text) => text.replace(/,"crc32".*/, '}'));
    expect((await open(disk)).seq).toBe(5);
  });

  test('the sample of the design, written by hand, is a manifest', async () => {
    const disk = new SimulatedDisk();
    const sections = {
      files: { 'batch/a.jsonl': entry('file-abc') },
      intents: {},
      garbage: {},
      rejected: {},
    };
    const mirrorId = '0b0c4a53-0f7e-4a0e-9d53-2f4f6a3f3a11';
    disk.put(json, Buffer.from(JSON.stringify({ version: 1, mirrorId, seq: 4711, ...sections })));
    expect(await open(disk)).toMatchObject({ mirrorId, seq: 4711, isNew: false });
  });
});

describe('reading without the lock', () => {
  test('finds nothing where nothing is', async () => {
    expect(await readManifest('/state', new SimulatedDisk())).toBeNull();
    expect(await readManifest(join(tmpdir(), 'files-mirror-that-is-not-there'))).toBeNull();
  });

  test('starts over when a snapshot is finished between its two files', async () => {
    const disk = await usedDisk();
    const store = await open(disk);
    const openFile = disk.open.bind(disk);
    let opened = 0;
    disk.open = async (name, mode) => {
      // The third opening is the journal's: the first two tell whether the files change meanwhile.
      if (mode === 'read' && (opened += 1) === 4) {
        await store.commit({ files: { 'batch/late': entry('late') } });
        await store.snapshotNow();
      }
      return openFile(name, mode);
    };
    const view = await readManifest('/state', disk);
    expect(view?.files.has('batch/late')).toBe(true);
    expect(opened).toBeGreaterThan(4);
  });
});
