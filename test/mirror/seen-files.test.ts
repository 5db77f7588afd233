import { expect, test } from 'vitest';
import { SeenFiles } from '../../src/mirror/memory/seen-files.ts';

const HOUR_MS = 3_600_000;

test('what a listing showed before an upload was sent is not what that made; what came later may be', () => {
  const seen = new SeenFiles();
  seen.note(['file-1'], 1_000);
  seen.note(['file-1', 'file-2'], 5_000);
  expect(seen.isOlderThan('file-1', 3_000)).toBe(true);
  expect(seen.isOlderThan('file-2', 3_000)).toBe(false);
  expect(seen.isOlderThan('file-3', 3_000)).toBe(false);
});

test('of an upload of an earlier run nothing is known', () => {
  const seen = new SeenFiles();
  seen.note(['file-1'], 1_000);
  expect(seen.isOlderThan('file-1', null)).toBe(false);
});

test('is forgotten in time', () => {
  const seen = new SeenFiles();
  seen.note(['file-1'], 0);
  seen.note([], HOUR_MS);
  expect(seen.isOlderThan('file-1', HOUR_MS)).toBe(false);
});

test('what may be of an upload that was given up is disputed as long as it is remembered', () => {
  const seen = new SeenFiles();
  seen.note(['file-1', 'file-2'], 0);
  seen.dispute(['file-1']);
  expect([seen.isDisputed('file-1'), seen.isDisputed('file-2')]).toEqual([true, false]);
  seen.note([], HOUR_MS);
  expect(seen.isDisputed('file-1')).toBe(false);
});
