import { Volume, createFsFromVolume } from 'memfs';
import fs from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { statToken } from '../../src/contract/stat-token.ts';
import { type Disk, realDisk } from '../../src/local/disk.ts';
import { createIgnoreRules } from '../../src/local/ignore-rules.ts';
import { scanTree } from '../../src/local/scan.ts';
import { FOLDERS, collect, temporaryDirectory } from './fixtures.ts';

const never = new AbortController().signal;

function scan(root: string, under: string | null = null, disk: Disk = realDisk) {
  const rules = createIgnoreRules({ root, patterns: [], disk });
  return collect(scanTree({ root, folders: FOLDERS, rules, disk }, under, never));
}

function tree(files: Record<string, string>): string {
  const root = temporaryDirectory();
  for (const [path, content] of Object.entries(files)) {
    fs.mkdirSync(join(root, path, '..'), { recursive: true });
    fs.writeFileSync(join(root, path), content);
  }
  return root;
}

function failingAt(path: string, code: string, call: 'opendirSync' | 'lstatSync' | 'readdirSync'): Disk {
  const fail = (at: unknown) => {
    if (at !== path) return;
    throw Object.assign(new Error(`${code}: made to fail, ${call} '${path}'`), { code });
  };
  const real = realDisk[call] as (...args: unknown[]) => unknown;
  return {
    ...realDisk,
    [call]: (...args: unknown[]) => {
      fail(args[0]);
      return real(...args);
    },
  };
}

test('regular files of configured folders come with the token of their stat', async () => {
  const root = tree({ 'batch/a.jsonl': 'aaa', 'batch/2026/11/b.jsonl': '', 'vision/c.png': 'c' });
  const items = await scan(root);
  expect(items.map((item) => `${item.kind} ${item.path}`)).toEqual([
    'file batch/2026/11/b.jsonl',
    'file batch/a.jsonl',
    'file vision/c.png',
  ]);
  const stat = statToken(fs.lstatSync(join(root, 'batch/a.jsonl'), { bigint: true }));
  expect(items[1]).toEqual({ kind: 'file', path: 'batch/a.jsonl', stat });
});

test('the first level of the root: what no folder covers, with a hint; our own files are not mentioned', async () => {
  const root = tree({
    'Batch/a.jsonl': '',
    'photos/a.png': '',
    'loose.jsonl': '',
    vision: 'a file where a folder should be',
    '.files-mirror.json': '{}',
    '.filesignore': '',
    '.files-mirror.json.tmp': 'left by a killed process',
    '.hidden/x': '',
  });
  const items = await scan(root);
  expect(items.map((item) => `${item.kind} ${item.path}`)).toEqual([
    'ignored .hidden',
    'outside Batch',
    'outside loose.jsonl',
    'outside photos',
    'outside vision',
  ]);
  expect(items[1]).toMatchObject({ hint: expect.stringContaining('did you mean "batch"?') });
});

test('links, pipes and ignored files are items with a reason; links are not followed', async () => {
  const root = tree({
    'batch/real/a.jsonl': '',
    'batch/b.tmp': '',
    'batch/.git/config': '',
    'elsewhere/x': '',
  });
  fs.symlinkSync('real', join(root, 'batch/link'));
  fs.symlinkSync('loop', join(root, 'batch/loop'));
  fs.symlinkSync(join(root, 'elsewhere'), join(root, 'vision'));
  execFileSync('mkfifo', [join(root, 'batch/pipe')]);
  const items = (await scan(root)).filter((item) => item.kind !== 'outside');
  expect(items).toMatchObject([
    { kind: 'ignored', path: 'batch/.git', rule: '.* (default)' },
    { kind: 'ignored', path: 'batch/b.tmp', rule: '*.tmp (default)' },
    { kind: 'skipped', path: 'batch/link', reason: 'symlink' },
    { kind: 'skipped', path: 'batch/loop', reason: 'symlink' },
    { kind: 'skipped', path: 'batch/pipe', reason: 'special', detail: expect.stringContaining('named pipe') },
    { kind: 'file', path: 'batch/real/a.jsonl' },
    { kind: 'skipped', path: 'vision', reason: 'symlink' },
  ]);
});

describe('names that are no UTF-8', () => {
  test('are skipped under a printable name, and valid neighbours with U+FFFD are not', async () => {
    const root = tree({ 'batch/ok.jsonl': '', 'batch/really\uFFFD.jsonl': '' });
    const bytes = (path: string) =>
      Buffer.concat([Buffer.from(`${root}/batch/`), Buffer.from(path, 'latin1')]);
    fs.writeFileSync(bytes('bad\xff.jsonl'), '');
    fs.writeFileSync(bytes('bad\xfe.jsonl'), '');
    fs.mkdirSync(bytes('dir\xff'));
    fs.writeFileSync(bytes('dir\xff/inside.jsonl'), '');
    expect(await scan(root)).toMatchObject([
      { kind: 'skipped', path: 'batch/bad\\xFE.jsonl', reason: 'not-utf8' },
      { kind: 'skipped', path: 'batch/bad\\xFF.jsonl', reason: 'not-utf8' },
      { kind: 'skipped', path: 'batch/dir\\xFF', reason: 'not-utf8' },
      { kind: 'file', path: 'batch/ok.jsonl' },
      { kind: 'file', path: 'batch/really\uFFFD.jsonl' },
    ]);
  });
});

describe('what cannot be listed', () => {
  test('a directory is one item, and the others go on', async () => {
    const root = tree({ 'batch/a.jsonl': '', 'batch/locked/b.jsonl': '', 'vision/c.png': '' });
    const items = await scan(root, null, failingAt(`${root}/batch/locked`, 'EACCES', 'opendirSync'));
    expect(items).toMatchObject([
      { kind: 'file', path: 'batch/a.jsonl' },
      { kind: 'unlistable', path: 'batch/locked', reason: 'EACCES: made to fail' },
      { kind: 'file', path: 'vision/c.png' },
    ]);
  });

  test('a file that may not be looked at is unknown, not absent', async () => {
    const root = tree({ 'batch/a.jsonl': '', 'batch/b.jsonl': '' });
    const items = await scan(root, null, failingAt(`${root}/batch/b.jsonl`, 'EIO', 'lstatSync'));
    expect(items).toMatchObject([{ kind: 'file' }, { kind: 'unlistable', path: 'batch/b.jsonl' }]);
  });

  test('the root makes every folder unknown', async () => {
    const root = tree({ 'batch/a.jsonl': '' });
    const items = await scan(root, null, failingAt(root, 'EIO', 'readdirSync'));
    expect(items.map((item) => `${item.kind} ${item.path}`)).toEqual(
      FOLDERS.map((folder) => `unlistable ${folder}`),
    );
  });

  test('a directory that vanished is nothing', async () => {
    const root = tree({ 'batch/a.jsonl': '', 'batch/gone/b.jsonl': '' });
    const items = await scan(root, null, failingAt(`${root}/batch/gone`, 'ENOENT', 'opendirSync'));
    expect(items.map((item) => item.path)).toEqual(['batch/a.jsonl']);
  });
});

describe('a scan below a path', () => {
  const files = {
    'batch/a.jsonl': '',
    'batch/x/b.jsonl': '',
    'batch/x/y/c.jsonl': '',
    'batch/.h/d': '',
    'other/e': '',
  };

  test.each([
    ['batch/x', ['file batch/x/b.jsonl', 'file batch/x/y/c.jsonl']],
    ['batch/x/b.jsonl', ['file batch/x/b.jsonl']],
    ['batch', ['file batch/a.jsonl', 'file batch/x/b.jsonl', 'file batch/x/y/c.jsonl', 'ignored batch/.h']],
    ['batch/nothing', []],
    ['batch/nothing/below', []],
    ['batch/a.jsonl/below', ['file batch/a.jsonl']],
    ['batch/.h/d', ['ignored batch/.h']],
    ['other/e', ['outside other']],
    ['other', ['outside other']],
  ])('%s', async (under, expected) => {
    const items = await scan(tree(files), under);
    expect(items.map((item) => `${item.kind} ${item.path}`).toSorted()).toEqual(expected);
  });

  test('does not pass through a link', async () => {
    const root = tree(files);
    fs.symlinkSync('x', join(root, 'batch/link'));
    expect(await scan(root, 'batch/link/y')).toMatchObject([{ kind: 'skipped', path: 'batch/link' }]);
  });
});

test.runIf(process.platform === 'linux')(
  'an aborted scan throws the reason and leaves no directory open',
  async () => {
    const root = tree(Object.fromEntries(Array.from({ length: 1500 }, (_, index) => [`batch/${index}`, ''])));
    const rules = createIgnoreRules({ root, patterns: [] });
    const abort = new AbortController();
    const open = () => fs.readdirSync('/proc/self/fd').length;
    const before = open();
    const iterate = async () => {
      for await (const batch of scanTree({ root, folders: FOLDERS, rules }, null, abort.signal)) {
        expect(batch.length).toBeGreaterThan(0);
        abort.abort(new Error('enough'));
      }
    };
    await expect(iterate()).rejects.toThrow('enough');
    expect(open()).toBe(before);
  },
);

test('a large tree is walked in slices: the event loop runs in between', async () => {
  const volume = Volume.fromJSON({});
  for (let index = 0; index < 3000; index++) {
    volume.mkdirSync(`/root/batch/${index % 30}`, { recursive: true });
    volume.writeFileSync(`/root/batch/${index % 30}/${index}.jsonl`, '');
  }
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 0);
  const items = await scan('/root', null, createFsFromVolume(volume) as unknown as Disk);
  clearInterval(counting);
  expect(items).toHaveLength(3000);
  expect(turns).toBeGreaterThan(1);
});
