import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Fault } from '../../src/contract/faults.ts';
import { type Disk, realDisk } from '../../src/local/disk.ts';
import { MARKER_FILE, MARKER_TEMPORARY, RootGuard } from '../../src/local/root-guard.ts';
import { temporaryDirectory } from './fixtures.ts';

const ID = '7a4d7b0e-0d0f-4a63-a3b4-0f4f6c9a2b11';

test('an empty root is unmarked, then marked, durably and in the documented form', async () => {
  const root = temporaryDirectory();
  const guard = new RootGuard(root);
  expect(guard.look(ID)).toMatchObject({ kind: 'unmarked' });
  await guard.mark(ID);
  const device = String(fs.statSync(root).dev);
  expect(guard.look(ID)).toEqual({ kind: 'ok', device });
  expect(JSON.parse(fs.readFileSync(join(root, MARKER_FILE), 'utf8'))).toEqual({
    version: 1,
    mirrorId: ID,
    note: expect.any(String),
  });
  expect(fs.readdirSync(root)).toEqual([MARKER_FILE]);
});

test('what a killed process left of a marker is in nobody’s way, and gone once the root is marked', async () => {
  const root = temporaryDirectory();
  fs.writeFileSync(join(root, MARKER_TEMPORARY), '{ "version": 1, "mirr');
  const guard = new RootGuard(root);
  expect(guard.look(ID)).toMatchObject({ kind: 'unmarked' });
  await guard.mark(ID);
  expect(guard.look(ID)).toMatchObject({ kind: 'ok' });
  expect(fs.readdirSync(root)).toEqual([MARKER_FILE]);
});

test('a root with files but no marker is not empty', () => {
  const root = temporaryDirectory();
  fs.mkdirSync(join(root, 'batch'));
  expect(new RootGuard(root).look(ID)).toMatchObject({ kind: 'unmarked' });
});

test('marking twice is marking once; marking over another mirror is refused', async () => {
  const root = temporaryDirectory();
  const guard = new RootGuard(root);
  await guard.mark(ID);
  await guard.mark(ID);
  const other = guard.mark('other');
  await expect(other).rejects.toThrow(Fault);
  await expect(other).rejects.toMatchObject({ disposition: 'halt', halt: 'root' });
  expect(guard.look(ID).kind).toBe('ok');
  expect(guard.look('other')).toMatchObject({ kind: 'bad', reason: expect.stringContaining(ID) });
});

test.each(['', '{"version":1}', 'null', '\0\0\0'])(
  'a damaged marker (%j) is bad, and is not overwritten',
  async (content) => {
    const root = temporaryDirectory();
    fs.writeFileSync(join(root, MARKER_FILE), content);
    const guard = new RootGuard(root);
    expect(guard.look(ID)).toMatchObject({ kind: 'bad', reason: expect.stringContaining('damaged') });
    await expect(guard.mark(ID)).rejects.toMatchObject({ halt: 'root' });
    expect(fs.readFileSync(join(root, MARKER_FILE), 'utf8')).toBe(content);
  },
);

test('a missing root, and a file in its place, are bad; neither can be marked', async () => {
  const root = join(temporaryDirectory(), 'root');
  const guard = new RootGuard(root);
  expect(guard.look(ID)).toMatchObject({ kind: 'bad', reason: expect.stringContaining('ENOENT') });
  await expect(guard.mark(ID)).rejects.toMatchObject({ halt: 'root' });
  fs.writeFileSync(root, '');
  expect(guard.look(ID)).toMatchObject({ kind: 'bad', reason: expect.stringContaining('not a directory') });
});

test('the same folder on another device is bad once: who asked before has looked elsewhere', async () => {
  const root = temporaryDirectory();
  let device = 41n;
  const disk: Disk = {
    ...realDisk,
    statSync: ((path: string) =>
      Object.assign(fs.statSync(path, { bigint: true }), { dev: device })) as unknown as Disk['statSync'],
  };
  const guard = new RootGuard(root, disk);
  await guard.mark(ID);
  expect(guard.look(ID)).toEqual({ kind: 'ok', device: '41' });
  device = 42n;
  expect(guard.look(ID)).toMatchObject({ kind: 'bad', reason: expect.stringContaining('41') });
  expect(guard.look(ID)).toEqual({ kind: 'ok', device: '42' });
});

test('a marker that cannot be read is bad, never absent', () => {
  const root = temporaryDirectory();
  fs.mkdirSync(join(root, MARKER_FILE));
  expect(new RootGuard(root).look(ID)).toMatchObject({
    kind: 'bad',
    reason: expect.stringContaining('EISDIR'),
  });
});

test('looking again needs a first look', async () => {
  const root = temporaryDirectory();
  const guard = new RootGuard(root);
  await expect(new RootGuard(root).mark(ID)).resolves.toBeUndefined();
  expect(guard.lookAgain().kind).toBe('bad');
  guard.look(ID);
  expect(guard.lookAgain().kind).toBe('ok');
});
