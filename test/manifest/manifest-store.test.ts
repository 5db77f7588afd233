import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { manifestSchema } from '../../src/manifest/manifest-schema.ts';
import { openManifest } from '../../src/manifest/manifest-store.ts';
import type { ManifestOptions, ManifestStore } from '../../src/manifest/manifest-store.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import { ManualClock } from './manual-clock.ts';
import { contentOf, entry, garbage, intent, rejection } from './samples.ts';
import { SimulatedDisk } from './simulated-disk.ts';

function temporaryStateDir(): string {
  const parent = mkdtempSync(join(tmpdir(), 'files-mirror-manifest-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  return join(parent, 'nested', 'state');
}

function open(stateDir: string, more: Partial<ManifestOptions> = {}): Promise<ManifestStore> {
  return openManifest({ stateDir, clock: new ManualClock(), onWarning: () => {}, ...more });
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe('a new manifest', () => {
  test('is private, empty, and bears the id it was given or one of its own', async () => {
    const stateDir = temporaryStateDir();
    const mirrorId = '0b0c4a53-0f7e-4a0e-9d53-2f4f6a3f3a11';
    const store = await open(stateDir, { mirrorId });
    expect(store).toMatchObject({ isNew: true, mirrorId, seq: 0 });
    expect([
      modeOf(stateDir),
      modeOf(join(stateDir, 'manifest.json')),
      modeOf(join(stateDir, 'manifest.journal')),
    ]).toEqual(['700', '600', '600']);
    await store.close();

    const again = await open(stateDir, { mirrorId: '99999999-0f7e-4a0e-9d53-2f4f6a3f3a11' });
    expect(again).toMatchObject({ isNew: false, mirrorId });
    await again.close();
    const other = await open(temporaryStateDir());
    expect(other.mirrorId).toMatch(/^[0-9a-f-]{36}$/);
    await other.close();
  });
});

describe('what was committed', () => {
  test('is there after a restart, from the journal alone and from the snapshot, whatever the names are', async () => {
    const stateDir = temporaryStateDir();
    const store = await open(stateDir);
    const names = [
      'batch/a":{"b.jsonl',
      'batch/back\\',
      'batch/\n\u2028\u0000',
      'batch/📄 é',
      'batch/__proto__',
      '7',
    ];
    for (const name of names) await store.commit({ files: { [name]: entry(`id of ${name}`) } });
    await store.commit({
      intents: { 'batch/b': intent(5) },
      garbage: { ['__proto__']: garbage('batch/c') },
      rejected: { 'batch/d': rejection('"why": {') },
    });
    const before = contentOf(store);
    expect(store.files.size).toBe(names.length);
    const fromJournal = await readManifest(stateDir);
    expect(fromJournal?.seq).toBe(names.length + 1);
    expect(fromJournal === null ? null : contentOf(fromJournal)).toEqual(before);
    await store.close();
    expect(readFileSync(join(stateDir, 'manifest.journal'), 'utf8').split('\n')).toHaveLength(2);

    const again = await open(stateDir);
    expect(contentOf(again)).toEqual(before);
    expect([...again.garbage.keys()]).toEqual(['__proto__']);
    expect(again.seq).toBe(names.length + 1);
    await again.close();
  });

  test('is seen in memory only once it is durable, in the order of the commits', async () => {
    const disk = new SimulatedDisk();
    const store = await open('/state', { files: disk });
    const states: unknown[] = [];
    disk.fate = (operation) => {
      if (operation === 'sync') states.push(store.files.get('batch/a')?.id);
      return 'done';
    };
    await Promise.all(['1', '2', '3'].map((id) => store.commit({ files: { 'batch/a': entry(id) } })));
    expect(states).toEqual([undefined]);
    expect(store.files.get('batch/a')?.id).toBe('3');
  });

  test('without content is done at once and writes nothing, so that the manifest can be read again', async () => {
    const disk = new SimulatedDisk();
    const store = await open('/state', { files: disk });
    const before = disk.read('manifest.journal');
    await store.commit({});
    await store.commit({ files: {}, garbage: {} });
    expect(disk.read('manifest.journal')).toEqual(before);
    await store.commit({ files: { 'batch/absent': null } });
    expect(store.seq).toBe(1);
    expect((await readManifest('/state', disk))?.seq).toBe(1);
    await store.close();
    await expect(store.commit({ files: { 'batch/late': entry('x') } })).rejects.toThrow('closed');
  });
});

describe('a snapshot', () => {
  test('is one JSON object of the public schema, one entry a line', async () => {
    const stateDir = temporaryStateDir();
    const store = await open(stateDir);
    await store.commit({
      files: { 'batch/a': entry('1'), 'batch/b': entry('2') },
      garbage: { old: garbage('batch/a') },
    });
    await store.commit({ intents: { 'batch/c': intent(1) }, rejected: { 'batch/d': rejection('empty') } });
    await store.close();
    const text = readFileSync(join(stateDir, 'manifest.json'), 'utf8');
    const parsed = manifestSchema.parse(JSON.parse(text));
    expect(parsed).toMatchObject({
      version: 2,
      mirrorId: store.mirrorId,
      seq: 2,
      ...(contentOf(store) as object),
    });
    expect(text.split('\n')).toContain(`"batch/a":${JSON.stringify(entry('1'))},`);
    expect(text.split('\n')).toContain(`"batch/b":${JSON.stringify(entry('2'))}`);
  });

  test('shows one instant, though commits go on while it is written', async () => {
    const disk = new SimulatedDisk();
    const store = await open('/state', { files: disk });
    await store.commit({
      files: Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`batch/${i}`, entry('old')])),
    });
    const snapshot = store.snapshotNow();
    await store.commit({ files: { 'batch/0': null, 'batch/999': entry('new'), 'batch/more': entry('new') } });
    await snapshot;
    const { files, seq } = manifestSchema.parse(JSON.parse(String(disk.read('manifest.json'))));
    expect(seq).toBe(1);
    expect(Object.keys(files)).toHaveLength(1_000);
    expect(new Set(Object.values(files).map(({ id }) => id))).toEqual(new Set(['old']));
    const view = await readManifest('/state', disk);
    expect(view === null ? null : contentOf(view)).toEqual(contentOf(store));
  });

  test('is written by itself when the journal outgrows it', async () => {
    const disk = new SimulatedDisk();
    const store = await open('/state', { files: disk });
    for (let n = 0; n < 30; n += 1) {
      await store.commit({ files: { 'batch/a': entry(`${n}`, { remoteName: 'x'.repeat(50_000) }) } });
    }
    await store.snapshotNow();
    const { seq } = manifestSchema.parse(JSON.parse(String(disk.read('manifest.json'))));
    expect(seq).toBe(30);
    expect(disk.read('manifest.journal')?.length).toBeLessThan(200);
  });

  test('is written after ten quiet seconds, not sooner', async () => {
    const disk = new SimulatedDisk();
    const clock = new ManualClock();
    const store = await open('/state', { files: disk, clock });
    const snapshotSeq = (): unknown =>
      (JSON.parse(String(disk.read('manifest.json'))) as { seq: unknown }).seq;
    await store.commit({ files: { 'batch/a': entry('1') } });
    clock.advance(9_000);
    await store.commit({ files: { 'batch/b': entry('2') } });
    clock.advance(9_000);
    await new Promise(setImmediate);
    expect(snapshotSeq()).toBe(0);
    clock.advance(1_000);
    await expect.poll(snapshotSeq).toBe(2);
    await store.close();
  });

  test('of much is not rewritten at the end for a few lines, which are not lost', async () => {
    const disk = new SimulatedDisk();
    const store = await open('/state', { files: disk });
    const long = { remoteName: 'x'.repeat(2_000) };
    await store.commit({
      files: Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`batch/${i}`, entry('old', long)])),
    });
    await store.snapshotNow();
    await store.commit({ files: { 'batch/0': null, 'batch/new': entry('new') } });
    await store.close();
    const { seq } = manifestSchema.parse(JSON.parse(String(disk.read('manifest.json'))));
    expect(seq).toBe(1);
    const again = await open('/state', { files: disk });
    expect(again.seq).toBe(2);
    expect(again.files.has('batch/0')).toBe(false);
    expect(again.files.get('batch/new')?.id).toBe('new');
  });

  test('left half by a crash is no obstacle', async () => {
    const disk = new SimulatedDisk();
    const store = await open('/state', { files: disk });
    await store.commit({ files: { 'batch/a': entry('1') } });
    disk.put('manifest.json.tmp', Buffer.from('{"version":1,'));
    disk.put('manifest.journal.tmp', Buffer.from('{"ver'));
    await store.close();
    const again = await open('/state', { files: disk });
    expect(again.files.size).toBe(1);
    expect(disk.read('manifest.json.tmp')).toBeNull();
  });
});

describe('the upload attempts of the last minute', () => {
  test('survive a restart, from the journal and from the snapshot; an open one counts as just ended', async () => {
    const disk = new SimulatedDisk();
    const clock = new ManualClock();
    const startMs = clock.wallMs();
    const store = await open('/state', { files: disk, clock });
    await store.commit({ intents: { 'batch/old': intent(startMs) } });
    await store.commit({ intents: { 'batch/old': null } });
    clock.advance(40_000);
    await store.commit({
      intents: { 'batch/a': intent(startMs + 40_000), 'batch/b': intent(startMs + 40_000) },
    });
    clock.advance(1_000);
    await store.commit({ intents: { 'batch/a': null }, files: { 'batch/a': entry('1') } });
    clock.advance(1_000);
    await store.commit({ intents: { 'batch/b': intent(startMs + 42_000) } });
    clock.advance(20_000);
    expect(store.recentAttempts()).toEqual([]);

    const expected = [startMs + 41_000, startMs + 42_000, startMs + 62_000];
    const crashed = await open('/state', { files: disk.afterPowerCut(() => 0), clock });
    expect(crashed.recentAttempts()).toEqual(expected);
    await store.close();
    const restarted = await open('/state', { files: disk, clock });
    expect(restarted.recentAttempts()).toEqual(expected);
    await restarted.commit({ intents: { 'batch/b': null } });
    await restarted.close();
    clock.advance(60_999);
    expect((await open('/state', { files: disk, clock })).recentAttempts()).toEqual([startMs + 62_000]);
    clock.advance(1);
    expect((await open('/state', { files: disk, clock })).recentAttempts()).toEqual([]);
  });

  test('count as ended now when the wall clock was set back', async () => {
    const disk = new SimulatedDisk();
    const clock = new ManualClock();
    const store = await open('/state', { files: disk, clock });
    for (const path of ['batch/a', 'batch/b']) {
      await store.commit({ intents: { [path]: intent(1) } });
      await store.commit({ intents: { [path]: null } });
      clock.setWall(clock.wallMs() - 86_400_000);
    }
    await store.close();
    const nowMs = clock.wallMs();
    expect((await open('/state', { files: disk, clock })).recentAttempts()).toEqual([nowMs, nowMs]);
  });
});
