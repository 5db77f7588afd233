import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { statToken } from '../../src/contract/stat-token.ts';
import { type Disk, realDisk } from '../../src/local/disk.ts';
import { createIgnoreRules } from '../../src/local/ignore-rules.ts';
import { createLocalTree } from '../../src/local/local-tree.ts';
import type { OpenWriters } from '../../src/local/open-writers.ts';
import {
  FOLDERS,
  ManualClock,
  batchRules,
  collect,
  noWriters,
  plainChecks,
  temporaryDirectory,
} from './fixtures.ts';

const ID = 'mirror-1';
const SETTLE = 2000;

async function setUp(overrides: { disk?: Disk; openWriters?: OpenWriters; root?: string } = {}) {
  const root = overrides.root ?? temporaryDirectory();
  fs.mkdirSync(join(root, 'batch'), { recursive: true });
  const clock = new ManualClock(Date.now() + 60_000);
  const disk = overrides.disk ?? realDisk;
  const rules = createIgnoreRules({ root, patterns: [], disk });
  const openWriters = overrides.openWriters ?? noWriters;
  const tree = createLocalTree({
    root,
    settleMs: SETTLE,
    clock,
    folders: FOLDERS,
    rules,
    openWriters,
    checks: plainChecks,
    disk,
  });
  await tree.markRoot(ID);
  const at = (path: string) => join(root, path);
  const write = (path: string, content = 'x') => {
    fs.mkdirSync(join(at(path), '..'), { recursive: true });
    fs.writeFileSync(at(path), content);
    return statToken(fs.lstatSync(at(path), { bigint: true }));
  };
  return { root, clock, tree, at, write, device: String(fs.statSync(root).dev) };
}

/** A disk on which one call fails for one path. */
function failing(call: keyof Disk, path: () => string, code: string): Disk {
  const real = realDisk[call] as (...args: unknown[]) => unknown;
  return {
    ...realDisk,
    [call]: (...args: unknown[]) => {
      if (args[0] === path()) throw Object.assign(new Error(`${code}: made to fail, ${call}`), { code });
      return real(...args);
    },
  };
}

describe('a look at a file', () => {
  test('that rests: its stat and size', async () => {
    const { tree, write } = await setUp();
    const stat = write('batch/deep/a.jsonl', 'hello');
    expect(await tree.look('batch/deep/a.jsonl')).toEqual({ kind: 'file', stat, sizeBytes: 5 });
    expect(await tree.statOf('batch/deep/a.jsonl')).toBe(stat);
  });

  test('that was just written: when to look again, and why', async () => {
    const { tree, write, clock } = await setUp();
    const stat = write('batch/a.jsonl');
    clock.wall = Date.now() + 400;
    const look = await tree.look('batch/a.jsonl');
    expect(look).toMatchObject({
      kind: 'changing',
      stat,
      why: expect.stringMatching(/^written 0\.\d s ago/),
    });
    if (look.kind !== 'changing') expect.fail();
    expect(look.waitMs).toBeLessThanOrEqual(SETTLE);
    clock.pass(look.waitMs);
    expect((await tree.look('batch/a.jsonl')).kind).toBe('file');
  });

  test('that a process holds open for writing: not settled, and by whom', async () => {
    const openWriters: OpenWriters = { of: async () => ({ pid: 123, name: 'cp' }) };
    const { tree, write } = await setUp({ openWriters });
    write('batch/a.jsonl');
    expect(await tree.look('batch/a.jsonl')).toMatchObject({
      kind: 'changing',
      why: 'held open for writing by pid 123 (cp)',
      waitMs: SETTLE,
    });
  });

  test('that changes while its writers are looked for: not taken', async () => {
    let path = '';
    const openWriters: OpenWriters = {
      async of() {
        fs.appendFileSync(path, 'more');
        return null;
      },
    };
    const { tree, write, at } = await setUp({ openWriters });
    write('batch/a.jsonl');
    path = at('batch/a.jsonl');
    expect(await tree.look('batch/a.jsonl')).toMatchObject({
      kind: 'changing',
      why: 'changed while being looked at',
    });
  });

  test('that may not be read: skipped, until it may', async () => {
    let denied = true;
    let path = '';
    const disk = failing('accessSync', () => (denied ? path : ''), 'EACCES');
    const { tree, write, at } = await setUp({ disk });
    write('batch/a.jsonl');
    path = at('batch/a.jsonl');
    expect(await tree.look('batch/a.jsonl')).toEqual({
      kind: 'skipped',
      reason: 'unreadable',
      detail: 'EACCES: made to fail',
    });
    denied = false;
    expect((await tree.look('batch/a.jsonl')).kind).toBe('file');
  });
});

describe('a look at what is no regular file', () => {
  test('links and pipes are skipped, and what lies behind a link, too', async () => {
    const { tree, at, write } = await setUp();
    write('batch/real/a.jsonl');
    fs.symlinkSync('real', at('batch/link'));
    fs.symlinkSync('nowhere', at('batch/dangling'));
    execFileSync('mkfifo', [at('batch/pipe')]);
    expect(await tree.look('batch/link')).toMatchObject({ kind: 'skipped', reason: 'symlink' });
    expect(await tree.look('batch/dangling')).toMatchObject({ kind: 'skipped', reason: 'symlink' });
    expect(await tree.look('batch/link/a.jsonl')).toMatchObject({ kind: 'skipped', reason: 'symlink' });
    expect(await tree.look('batch/pipe')).toMatchObject({ kind: 'skipped', reason: 'special' });
    expect(await tree.statOf('batch/link')).toBeNull();
  });

  test('a directory in the place of a file means that the file is gone', async () => {
    const { tree, at, device } = await setUp();
    fs.mkdirSync(at('batch/a.jsonl'));
    expect(await tree.look('batch/a.jsonl')).toEqual({ kind: 'absent', onDevice: device });
  });

  test.each(['batch/../secret', 'batch//a', './batch/a', 'batch/a\0b', ''])('%j is no path', async (path) => {
    const { tree } = await setUp();
    expect(await tree.look(path)).toMatchObject({ kind: 'skipped', reason: 'name' });
  });

  test('a path longer than the system allows is skipped', async () => {
    const { tree } = await setUp();
    expect(await tree.look(`batch/${'x'.repeat(300)}`)).toMatchObject({ kind: 'skipped', reason: 'name' });
  });

  test('a name that is no UTF-8 is found under its printable form', async () => {
    const { tree, root } = await setUp();
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/batch/`), Buffer.from([0x61, 0xff])]), '');
    expect(await tree.look('batch/a\\xFF')).toMatchObject({ kind: 'skipped', reason: 'not-utf8' });
    expect(await tree.look('batch/a\\xFE')).toMatchObject({ kind: 'absent' });
  });
});

describe('what is not for the mirror', () => {
  test('is ignored by name or by folder, once it exists', async () => {
    const { tree, write } = await setUp();
    for (const path of ['batch/a.tmp', 'batch/.git/config', 'photos/a.png', 'loose']) {
      expect(await tree.look(path)).toMatchObject({ kind: 'absent' });
      write(path);
    }
    expect(await tree.look('batch/a.tmp')).toEqual({ kind: 'ignored', rule: '*.tmp (default)' });
    expect(await tree.look('batch/.git/config')).toEqual({ kind: 'ignored', rule: '.* (default)' });
    expect(await tree.look('photos/a.png')).toEqual({
      kind: 'ignored',
      rule: 'photos is no configured folder',
    });
    expect(await tree.look('loose')).toMatchObject({ kind: 'ignored' });
  });
});

describe('absence', () => {
  test('is told with the device of the nearest directory above', async () => {
    const { tree, device } = await setUp();
    expect(await tree.look('batch/gone.jsonl')).toEqual({ kind: 'absent', onDevice: device });
    expect(await tree.look('batch/gone/deeper/a.jsonl')).toEqual({ kind: 'absent', onDevice: device });
    expect(await tree.look('vision/a.png')).toEqual({ kind: 'absent', onDevice: device });
  });

  test('below a file is absence', async () => {
    const { tree, write } = await setUp();
    write('batch/a');
    expect(await tree.look('batch/a/b.jsonl')).toMatchObject({ kind: 'absent' });
  });

  test('is unknown when the marker is gone, another one, or the root is', async () => {
    const { tree, root, at } = await setUp();
    fs.renameSync(at('.files-mirror.json'), at('kept'));
    expect(await tree.look('batch/a')).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('no marker'),
    });
    fs.writeFileSync(at('.files-mirror.json'), '{"version":1,"mirrorId":"other"}');
    expect(await tree.look('batch/a')).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('other'),
    });
    fs.renameSync(at('kept'), at('.files-mirror.json'));
    expect(await tree.look('batch/a')).toMatchObject({ kind: 'absent' });
    fs.renameSync(root, `${root}-away`);
    expect(await tree.look('batch/a')).toMatchObject({ kind: 'unknown' });
    fs.renameSync(`${root}-away`, root);
    expect(await tree.look('batch/a')).toMatchObject({ kind: 'absent' });
  });

  test('is unknown before the root was ever verified', async () => {
    const { root, clock } = await setUp();
    const rules = createIgnoreRules({ root, patterns: [] });
    const fresh = createLocalTree({
      root,
      settleMs: 0,
      clock,
      folders: FOLDERS,
      rules,
      openWriters: noWriters,
      checks: plainChecks,
    });
    expect(await fresh.look('batch/a')).toMatchObject({ kind: 'unknown' });
    await fresh.lookRoot(ID);
    expect(await fresh.look('batch/a')).toMatchObject({ kind: 'absent' });
  });

  test.each(['EACCES', 'EIO', 'ESTALE'])('is unknown when a directory above fails with %s', async (code) => {
    let path = '';
    const { tree, at } = await setUp({ disk: failing('lstatSync', () => path, code) });
    path = at('batch/locked');
    expect(await tree.look('batch/locked/a.jsonl')).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining(code),
    });
    expect(await tree.statOf('batch/locked/a.jsonl')).toBeNull();
  });

  test('is unknown when the root was mounted between the look and its verification', async () => {
    let looks = 0;
    let root = '';
    const disk: Disk = {
      ...realDisk,
      statSync: ((path: string, options: { bigint: true }) => {
        const stat = fs.statSync(path, options);
        // The first look at the root sees what lay below the mount point.
        return path === root && (looks += 1) === 1 ? Object.assign(stat, { dev: 999_999n }) : stat;
      }) as unknown as Disk['statSync'],
    };
    const tree = await setUp({ disk });
    root = tree.root;
    expect(await tree.tree.look('batch/a')).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('mounted'),
    });
    expect(await tree.tree.look('batch/a')).toMatchObject({ kind: 'absent' });
  });
});

describe('a purpose folder', () => {
  test('is ok when it can be listed', async () => {
    const { tree, device } = await setUp();
    expect(await tree.lookFolder('batch')).toEqual({ kind: 'ok', device });
  });

  test('is gone only below the right root', async () => {
    const { tree, at } = await setUp();
    expect(await tree.lookFolder('vision')).toEqual({ kind: 'gone' });
    fs.writeFileSync(at('.files-mirror.json'), 'damaged');
    expect(await tree.lookFolder('vision')).toMatchObject({ kind: 'unknown' });
  });

  test('is unknown when it is a link, a file, or cannot be listed', async () => {
    let path = '';
    const { tree, at } = await setUp({ disk: failing('opendirSync', () => path, 'EACCES') });
    fs.symlinkSync('batch', at('vision'));
    fs.writeFileSync(at('fine-tune'), '');
    expect(await tree.lookFolder('vision')).toMatchObject({ kind: 'unknown' });
    expect(await tree.lookFolder('fine-tune')).toMatchObject({ kind: 'unknown' });
    path = at('batch');
    expect(await tree.lookFolder('batch')).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('EACCES'),
    });
  });

  test('is created below the root, once, and never the root itself', async () => {
    const { tree, at, root } = await setUp();
    await tree.createFolder('vision');
    await tree.createFolder('vision');
    expect(fs.statSync(at('vision')).isDirectory()).toBe(true);
    fs.rmSync(root, { recursive: true });
    await expect(tree.createFolder('vision')).rejects.toMatchObject({ disposition: 'retry', rule: 'io' });
    expect(fs.existsSync(root)).toBe(false);
  });
});

describe('a scan', () => {
  test('applies an ignore file that appeared since', async () => {
    const { tree, write } = await setUp();
    write('batch/a.csv');
    const never = new AbortController().signal;
    expect(await collect(tree.scan(null, never))).toMatchObject([{ kind: 'file' }]);
    write('.filesignore', '*.csv\n');
    expect(await collect(tree.scan('batch', never))).toMatchObject([
      { kind: 'ignored', rule: '*.csv (.filesignore)' },
    ]);
  });

  test('names an ignore file that can no longer be read; a look at it has nothing to say', async () => {
    const { tree, write, at } = await setUp();
    write('.filesignore', '*.csv\n');
    write('batch/a.csv');
    const never = new AbortController().signal;
    await collect(tree.scan(null, never));
    fs.rmSync(at('.filesignore'));
    fs.mkdirSync(at('.filesignore'));
    expect(await collect(tree.scan(null, never))).toMatchObject([
      {
        kind: 'skipped',
        path: '.filesignore',
        reason: 'unreadable',
        detail: expect.stringContaining('stay in force') as string,
      },
      { kind: 'ignored', rule: '*.csv (.filesignore)' },
    ]);
    fs.rmdirSync(at('.filesignore'));
    write('.filesignore', '*.csv\n');
    expect(await collect(tree.scan(null, never))).toMatchObject([{ kind: 'ignored' }]);
    expect(await tree.look('.filesignore')).toMatchObject({ kind: 'absent' });
  });

  test('of everything tells what it cost', async () => {
    const { tree, clock, write } = await setUp();
    write('batch/a.jsonl');
    const never = new AbortController().signal;
    for await (const _ of tree.scan('batch', never)) clock.pass(5);
    expect(tree.lastScanMs()).toBe(0);
    for await (const _ of tree.scan(null, never)) clock.pass(5);
    expect(tree.lastScanMs()).toBe(5);
  });
});

test('what the rules say of name and content comes from the checks', async () => {
  const { tree, write } = await setUp();
  const stat = write('batch/a.jsonl', '!refused');
  const { signal } = new AbortController();
  expect(await tree.inspect('batch/a.jsonl', stat, batchRules, signal)).toMatchObject({
    problem: { rule: 'content' },
    warnings: ['saw 8 of 8'],
  });
  expect(tree.precheck('batch/a.bad', 1, batchRules)).toMatchObject({ rule: 'extension' });
  expect(tree.precheck('batch/a.jsonl', 1, batchRules)).toBeNull();
  expect(tree.needsFullRead(batchRules)).toBe(true);
  expect(tree.needsFullRead({ ...batchRules, check: 'off' })).toBe(false);
});
