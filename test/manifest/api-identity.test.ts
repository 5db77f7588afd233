import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stateFilesIn } from '../../src/manifest/state-files.ts';
import {
  admitApi,
  judgeApi,
  readApiIdentity,
  writeApiRecord,
  type ApiIdentity,
} from '../../src/manifest/api-identity.ts';
import { openManifestOf } from '../../src/manifest/manifest-of-api.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import { ManualClock } from './manual-clock.ts';
import { contentOf, entry, garbage, intent, rejection } from './samples.ts';
import { SimulatedDisk } from './simulated-disk.ts';

const emulator: ApiIdentity = { kind: 'emulator', host: '127.0.0.1' };
const loopback: ApiIdentity = { kind: 'loopback', host: 'localhost' };
const openai: ApiIdentity = { kind: 'remote', host: 'api.openai.com' };
const gateway: ApiIdentity = { kind: 'remote', host: 'gateway.example:8443' };

let stateDir: string;
let warnings: string[];
const clock = new ManualClock();

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'fm-api-'));
  warnings = [];
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const open = (api: ApiIdentity) =>
  openManifestOf(api, { stateDir, clock, onWarning: (message) => warnings.push(message) });

describe('a manifest of one API, and another API', () => {
  test.each<[string, ApiIdentity, ApiIdentity, ReturnType<typeof judgeApi>]>([
    ['the same remote host', openai, openai, 'same'],
    ['another remote host', openai, gateway, 'refuse'],
    ['a remote API, then the emulator', openai, emulator, 'refuse'],
    ['a remote API, then a local server', openai, loopback, 'refuse'],
    ['a local server, then a remote API', loopback, openai, 'refuse'],
    ['the emulator, then a remote API', emulator, openai, 'start-over'],
    ['local servers by other names', loopback, { kind: 'loopback', host: '[::1]' }, 'same'],
    ['the emulator, then a local server', emulator, loopback, 'same'],
    ['a local server, then the emulator', loopback, emulator, 'same'],
  ])('%s', (_, recorded, configured, verdict) => {
    expect(judgeApi(recorded, configured)).toBe(verdict);
  });
});

describe('what is recorded', () => {
  test('is read back, by this user alone, and leaves nothing beside it', async () => {
    expect(await readApiIdentity(stateDir)).toBeNull();
    await writeApiRecord(stateFilesIn(stateDir), { identity: gateway, fingerprints: null });
    expect(await readApiIdentity(stateDir)).toEqual(gateway);
    expect(statSync(join(stateDir, 'api.json')).mode & 0o777).toBe(0o600);
    expect(readdirSync(stateDir)).toEqual(['api.json']);
  });

  test.each([
    '',
    '{}',
    '{"version":2,"kind":"remote","host":"a"}',
    '{"version":1,"kind":"other","host":"a"}',
    '\0\0\0',
  ])('is never guessed: %j', async (content) => {
    writeFileSync(join(stateDir, 'api.json'), content);
    await expect(readApiIdentity(stateDir)).rejects.toMatchObject({ rule: 'config', disposition: 'fatal' });
  });

  test('is the old one or the new one after a power cut at any point', async () => {
    for (let cut = 0; ; cut += 1) {
      const disk = new SimulatedDisk();
      await writeApiRecord(disk, { identity: loopback, fingerprints: null });
      let operations = 0;
      disk.fate = () => (operations++ < cut ? 'done' : 'failed');
      const failed = await writeApiRecord(disk, { identity: gateway, fingerprints: null }).then(
        () => false,
        () => true,
      );
      for (const random of [0, 0.5, 0.99]) {
        const found = await readApiIdentity(
          '/state',
          disk.afterPowerCut(() => random),
        );
        expect([loopback, gateway]).toContainEqual(found);
        if (!failed) expect(found).toEqual(gateway);
      }
      if (!failed) {
        expect(operations).toBeGreaterThan(3);
        return;
      }
    }
  });

  test('a refusal says in one line whose the manifest is, what is configured, and what can be done', async () => {
    await writeApiRecord(stateFilesIn(stateDir), { identity: openai, fingerprints: null });
    const refusal = await admitApi(stateDir, gateway).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ rule: 'config', disposition: 'fatal' });
    const { message } = refusal as Error;
    expect(message).not.toContain('\n');
    expect(message).toContain('belongs to the API at api.openai.com, but the API at gateway.example:8443 is');
    for (const way of ['OPENAI_BASE_URL', '--state-dir', join(stateDir, 'api.json')])
      expect(message).toContain(way);
  });
});

describe('opening a manifest for an API', () => {
  const everything = {
    files: { 'batch/a.jsonl': entry('file-a') },
    intents: { 'batch/b.jsonl': intent(1) },
    garbage: { 'file-old': garbage('batch/a.jsonl') },
    rejected: { 'batch/c.jsonl': rejection('empty') },
  };
  const nothing = { files: {}, intents: {}, garbage: {}, rejected: {} };

  async function mirroredToEmulator(): Promise<string> {
    const manifest = await open(emulator);
    await manifest.commit(everything);
    await manifest.close();
    return manifest.mirrorId;
  }

  /** Folders that hold what was set aside. */
  const asides = () => readdirSync(stateDir).filter((name) => name.startsWith('before-'));

  test('records the first one, older state included, and keeps the first local one', async () => {
    await (await open(loopback)).close();
    expect(await readApiIdentity(stateDir)).toEqual(loopback);
    rmSync(join(stateDir, 'api.json'));
    await (await open(emulator)).close();
    await (await open(loopback)).close();
    expect(await readApiIdentity(stateDir)).toEqual(emulator);
    expect(warnings).toEqual([]);
  });

  test('refused, it changes nothing', async () => {
    const manifest = await open(openai);
    await manifest.commit(everything);
    await manifest.close();
    const before = readdirSync(stateDir).map((name) => [name, readFileSync(join(stateDir, name), 'utf8')]);
    await expect(open(loopback)).rejects.toMatchObject({ rule: 'config' });
    expect(readdirSync(stateDir).map((name) => [name, readFileSync(join(stateDir, name), 'utf8')])).toEqual(
      before,
    );
  });

  test('from the emulator to a real one: the old manifest is kept aside, and the same mirror starts over', async () => {
    const mirrorId = await mirroredToEmulator();
    const manifest = await open(openai);
    expect(manifest.mirrorId).toBe(mirrorId);
    expect(contentOf(manifest)).toEqual(nothing);
    await manifest.close();
    expect(await readApiIdentity(stateDir)).toEqual(openai);
    const [aside, ...more] = asides();
    expect(more).toEqual([]);
    expect(aside).toMatch(/^before-api\.openai\.com-\d{8}T\d{9}Z$/);
    const kept = await readManifest(join(stateDir, aside ?? ''));
    expect(kept?.mirrorId).toBe(mirrorId);
    expect(kept === null ? null : contentOf(kept)).toEqual(everything);
    expect(statSync(join(stateDir, aside ?? '')).mode & 0o777).toBe(0o700);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('every file is uploaded there, and nothing is deleted');
    expect(warnings[0]).toContain(join(stateDir, aside ?? ''));

    const later = await open(openai);
    await later.commit({ files: { 'batch/a.jsonl': entry('file-real') } });
    await later.close();
    await (await open(openai)).close();
    expect((await readManifest(stateDir))?.files.get('batch/a.jsonl')?.id).toBe('file-real');
    expect(asides()).toHaveLength(1);
  });

  test('from the emulator to a real one before anything was mirrored: nothing to keep, nothing to say', async () => {
    await (await open(emulator)).close();
    await (await open(openai)).close();
    expect(await readApiIdentity(stateDir)).toEqual(openai);
    expect([asides(), warnings]).toEqual([[], []]);
  });

  test('starting over goes on where it was broken off', async () => {
    const mirrorId = await mirroredToEmulator();
    // The manifest is emptied, but the new identity cannot be written.
    mkdirSync(join(stateDir, 'api.json.tmp'));
    await expect(open(openai)).rejects.toMatchObject({ disposition: 'fatal' });
    expect(await readApiIdentity(stateDir)).toEqual(emulator);
    rmSync(join(stateDir, 'api.json.tmp'), { recursive: true });
    const manifest = await open(openai);
    expect(contentOf(manifest)).toEqual(nothing);
    await manifest.close();
    expect((await readManifest(stateDir))?.mirrorId).toBe(mirrorId);
    expect(await readApiIdentity(stateDir)).toEqual(openai);
    expect(asides()).toHaveLength(1);
  });

  test('more than one record can hold is forgotten as well', async () => {
    const manifest = await open(emulator);
    const files = Object.fromEntries(
      Array.from({ length: 11_000 }, (_, index) => [`batch/${index}.jsonl`, entry(`file-${index}`)]),
    );
    await manifest.commit({ files });
    await manifest.close();
    const empty = await open(openai);
    expect(empty.files.size).toBe(0);
    await empty.close();
    expect((await readManifest(join(stateDir, asides()[0] ?? '')))?.files.size).toBe(11_000);
    expect(existsSync(join(stateDir, 'api.json.tmp'))).toBe(false);
  });
});
