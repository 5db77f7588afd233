import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UsageError } from '../../src/cli/verb.ts';
import { mirrorPathOf } from '../../src/cli/path-argument.ts';
import type { FolderRules } from '../../src/contract/types.ts';

let root: string;
beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'files-mirror-path-')));
  mkdirSync(join(root, 'batch', 'batch'), { recursive: true });
  writeFileSync(join(root, 'batch', 'a.jsonl'), '');
  writeFileSync(join(root, 'batch', 'batch', 'inner.jsonl'), '');
  symlinkSync(root, `${root}-link`);
});
afterAll(() => {
  rmSync(root, { recursive: true });
  rmSync(`${root}-link`);
});

const folders = [{ folder: 'batch' }, { folder: 'evals' }] as FolderRules[];
const resolved = (argument: string, cwd: string) => mirrorPathOf(argument, { root, folders }, cwd);

test('a mirror path is taken as it is, from wherever', () => {
  expect(resolved('batch/a.jsonl', '/')).toBe('batch/a.jsonl');
  expect(resolved('batch//2026/./b.jsonl', '/tmp')).toBe('batch/2026/b.jsonl');
  expect(resolved('evals/not-there', root)).toBe('evals/not-there');
});

test('a file below the root is found, absolute or from the current folder, through links too', () => {
  expect(resolved(join(root, 'batch', 'a.jsonl'), '/')).toBe('batch/a.jsonl');
  expect(resolved('a.jsonl', join(root, 'batch'))).toBe('batch/a.jsonl');
  expect(resolved('./batch/a.jsonl', root)).toBe('batch/a.jsonl');
  expect(resolved('../batch/a.jsonl', join(root, 'evals'))).toBe('batch/a.jsonl');
  expect(resolved(`${root}-link/batch/a.jsonl`, '/')).toBe('batch/a.jsonl');
});

test('when both could be meant, the one that exists is', () => {
  expect(resolved('batch/inner.jsonl', join(root, 'batch'))).toBe('batch/batch/inner.jsonl');
  expect(resolved('batch/a.jsonl', join(root, 'batch'))).toBe('batch/a.jsonl');
  expect(resolved('batch/none', join(root, 'batch'))).toBe('batch/none');
});

test.each(['a.jsonl', '/etc/passwd', '..', 'unknown/a', 'batch/../../x'])(
  '%s is no path of the mirror',
  (argument) => {
    expect(() => resolved(argument, '/tmp')).toThrow(UsageError);
  },
);
