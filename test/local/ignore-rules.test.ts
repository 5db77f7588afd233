import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Volume, createFsFromVolume } from 'memfs';
import { describe, expect, test } from 'vitest';
import type { Disk } from '../../src/local/disk.ts';
import { createIgnoreRules } from '../../src/local/ignore-rules.ts';
import { temporaryDirectory } from './fixtures.ts';

function rulesWith(ignoreFile: string | null, patterns: readonly string[] = []) {
  const volume = Volume.fromJSON(ignoreFile === null ? {} : { '/root/.filesignore': ignoreFile });
  volume.mkdirSync('/root', { recursive: true });
  const disk = createFsFromVolume(volume) as unknown as Disk;
  return { volume, rules: createIgnoreRules({ root: '/root', patterns, disk }) };
}

describe('what is ignored by default', () => {
  const { rules } = rulesWith(null);

  test.each([
    ['batch/.DS_Store', '.* (default)'],
    ['batch/.x.swp', '*.swp (default)'],
    ['batch/.notes.Ab12', '.* (default)'],
    ['batch/a.jsonl~', '*~ (default)'],
    ['batch/~$report.docx', '~$* (default)'],
    ['batch/.~lock.report.odt#', '.~lock* (default)'],
    ['batch/#a.jsonl#', '\\#*# (default)'],
    ['batch/a.tmp', '*.tmp (default)'],
    ['batch/a.part', '*.part (default)'],
    ['batch/a.jsonl.filepart', '*.filepart (default)'],
    ['batch/a.crdownload', '*.crdownload (default)'],
    ['batch/Thumbs.db', 'Thumbs.db (default)'],
    ['batch/a.jsonl.partial', '*.partial (default)'],
    ['batch/a.jsonl.aria2', '*.aria2 (default)'],
    ['batch/a.jsonl.ytdl', '*.ytdl (default)'],
    ['batch/a.jsonl.opdownload', '*.opdownload (default)'],
    ['batch/a.jsonl.!ut', '*.!ut (default)'],
    ['batch/a.jsonl.!qB', '*.!qb (default)'],
    ['batch/a.jsonl.bc!', '*.bc! (default)'],
    ['batch/a.jsonl.fdmdownload', '*.fdmdownload (default)'],
    ['batch/a.jsonl.xltd', '*.xltd (default)'],
    ['batch/a.jsonl.!sync', '*.!sync (default)'],
    ['batch/a.jsonl.SyncPart', '*.syncpart (default)'],
    ['batch/a.jsonl.SyncTemp', '*.synctemp (default)'],
    ['batch/a.unison', '*.unison (default)'],
    ['batch/a.jsonl.download/a.jsonl', '*.download (default)'],
    ['batch/a.swo', '*.swo (default)'],
    ['batch/a.jsonl___jb_tmp___', '*___jb_tmp___ (default)'],
    ['batch/a.jsonl___jb_old___', '*___jb_old___ (default)'],
    ['batch/a.temp', '*.temp (default)'],
    ['batch/A.TMP', '*.tmp (default)'],
    ['batch/A.PART', '*.part (default)'],
    ['batch/A.CrDownload', '*.crdownload (default)'],
    ['batch/A.!UT', '*.!ut (default)'],
    ['batch/THUMBS.DB', 'Thumbs.db (default)'],
    ['batch/Desktop.INI', 'desktop.ini (default)'],
    ['batch/ehthumbs.db', 'ehthumbs.db (default)'],
    ['batch/desktop.ini', 'desktop.ini (default)'],
    ['batch/.git/objects/ab', '.* (default)'],
    ['batch/old.tmp/a.jsonl', '*.tmp (default)'],
  ])('%s by %s', (path, rule) => {
    expect(rules.test(path, false)).toBe(rule);
  });

  test.each([
    'batch/a.jsonl',
    'batch/a.tmp.jsonl',
    'batch/a#b',
    'batch/#heading',
    'batch/partial',
    'batch/download',
    'batch/a.parts',
    'batch/a.bc',
    'batch/a.ut',
    'batch/template.txt',
    'batch/a.temperature',
    'batch/unison.jsonl',
    'batch/a~b',
    'batch/Thumbs.dbx',
    'batch/xThumbs.db',
  ])('not %s', (path) => {
    expect(rules.test(path, false)).toBeNull();
  });
});

test('a pattern of the configuration takes a default back, and names itself where it ignores', () => {
  const { rules } = rulesWith(null, ['!*.tmp', '*.bak']);
  expect(rules.test('batch/a.tmp', false)).toBeNull();
  expect(rules.test('batch/a.bak', false)).toBe('*.bak (watch.ignore)');
  expect(rules.test('batch/a.part', false)).toBe('*.part (default)');
  expect(rules.test('batch/A.TMP', false)).toBe('*.tmp (default)');
  expect(rules.test('batch/A.PART', false)).toBe('*.part (default)');
  expect(rules.test('batch/A.BAK', false)).toBeNull();
});

test('the ignore file has the last word, in gitignore syntax', () => {
  const { rules } = rulesWith('\uFEFF# comment\r\nbatch/old/\r\n!keep.bak\r\n/batch/*.csv\r\n', ['*.bak']);
  expect(rules.test('batch/keep.bak', false)).toBeNull();
  expect(rules.test('batch/other.bak', false)).toBe('*.bak (watch.ignore)');
  expect(rules.test('batch/old', true)).toBe('batch/old/ (.filesignore)');
  expect(rules.test('batch/old', false)).toBeNull();
  expect(rules.test('batch/old/deep/a.jsonl', false)).toBe('batch/old/ (.filesignore)');
  expect(rules.test('batch/a.csv', false)).toBe('/batch/*.csv (.filesignore)');
  expect(rules.test('batch/sub/a.csv', false)).toBeNull();
});

test('case counts: A.txt and a.txt are two files', () => {
  const { rules } = rulesWith('A.txt\n');
  expect(rules.test('batch/A.txt', false)).not.toBeNull();
  expect(rules.test('batch/a.txt', false)).toBeNull();
});

test('reload tells whether the rules changed, and applies them', () => {
  const { rules, volume } = rulesWith(null);
  expect(rules.reload()).toBe(false);
  volume.writeFileSync('/root/.filesignore', '*.csv\n');
  expect(rules.test('batch/a.csv', false)).toBeNull();
  expect(rules.reload()).toBe(true);
  expect(rules.test('batch/a.csv', false)).toBe('*.csv (.filesignore)');
  expect(rules.reload()).toBe(false);
  volume.unlinkSync('/root/.filesignore');
  expect(rules.reload()).toBe(true);
  expect(rules.test('batch/a.csv', false)).toBeNull();
});

test('an ignore file that cannot be read leaves the rules as they were, and says so until it can be', () => {
  const { rules, volume } = rulesWith('*.csv\n');
  expect(rules.trouble()).toBeNull();
  volume.unlinkSync('/root/.filesignore');
  volume.mkdirSync('/root/.filesignore');
  expect(rules.reload()).toBe(false);
  expect(rules.test('batch/a.csv', false)).toBe('*.csv (.filesignore)');
  expect(rules.trouble()).toMatch(/^EISDIR: .*; the rules it held before stay in force$/);
  // Whoever watches starts over, which tells it.
  expect(rules.revision()).toBe(1);
  rules.reload();
  expect(rules.revision()).toBe(1);
  volume.rmdirSync('/root/.filesignore');
  volume.writeFileSync('/root/.filesignore', '*.csv\n');
  expect(rules.reload()).toBe(false);
  expect([rules.trouble(), rules.revision()]).toEqual([null, 2]);
});

test('the answers stay the same over more tests than one matcher serves', () => {
  const { rules } = rulesWith('*.csv\n');
  for (let index = 0; index < 12_000; index++) {
    const path = `batch/${index}.${index % 2 === 0 ? 'csv' : 'jsonl'}`;
    if ((rules.test(path, false) === null) !== (index % 2 === 1)) expect.fail(path);
  }
});

test('an ignore file that cannot be read is never taken for an empty one', () => {
  const volume = Volume.fromJSON({});
  volume.mkdirSync('/root/.filesignore', { recursive: true });
  const disk = createFsFromVolume(volume) as unknown as Disk;
  expect(() => createIgnoreRules({ root: '/root', patterns: [], disk })).toThrow(
    /\.filesignore cannot be read/,
  );
});

describe('an ignore file that says nothing that can be understood stops the start', () => {
  test.each([
    ['is a link to nowhere', (path: string) => symlinkSync('nowhere', path)],
    ['is a pipe', (path: string) => void execFileSync('mkfifo', [path])],
    [
      'is UTF-16, as older Windows shells write it',
      (path: string) => writeFileSync(path, '\ufeff*.log\n', 'utf16le'),
    ],
    ['is UTF-16 without a mark', (path: string) => writeFileSync(path, '*.log\n', 'utf16le')],
  ])('%s', (_what, make) => {
    const root = temporaryDirectory();
    make(join(root, '.filesignore'));
    expect(() => createIgnoreRules({ root, patterns: [] })).toThrow(/\.filesignore cannot be read/);
  });
});
