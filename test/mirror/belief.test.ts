import { expect, test } from 'vitest';
import { completed, contradictionOf } from '../../src/mirror/judge/belief.ts';
import type { RemoteFile, ReplyField } from '../../src/contract/types.ts';

const ALL: ReadonlySet<ReplyField> = new Set(['bytes', 'purpose', 'filename', 'expires_at']);
const NONE: ReadonlySet<ReplyField> = new Set();
const ASKED = { purpose: 'batch', bytes: 10 };
const SAID: RemoteFile = {
  id: 'file-1',
  bytes: 10,
  createdAt: 5,
  expiresAt: 9,
  filename: 'a.jsonl',
  purpose: 'batch',
};

test.each([
  { title: 'all as sent', said: {}, trusted: ALL, field: undefined },
  { title: 'other bytes', said: { bytes: 11 }, trusted: ALL, field: 'bytes' },
  { title: 'no bytes where some were sent', said: { bytes: 0 }, trusted: ALL, field: 'bytes' },
  { title: 'other bytes, not believed', said: { bytes: 11 }, trusted: NONE, field: undefined },
  { title: 'bytes left out', said: { bytes: null }, trusted: ALL, field: undefined },
  { title: 'another purpose', said: { purpose: 'evals' }, trusted: ALL, field: 'purpose' },
  { title: 'another purpose, not believed', said: { purpose: 'evals' }, trusted: NONE, field: undefined },
  { title: 'an empty purpose', said: { purpose: '' }, trusted: ALL, field: undefined },
  { title: 'a purpose left out', said: { purpose: null }, trusted: ALL, field: undefined },
  { title: 'another name', said: { filename: 'b.jsonl' }, trusted: ALL, field: undefined },
])('$title: contradicts by $field', ({ said, trusted, field }) => {
  expect(contradictionOf(ASKED, { ...SAID, ...said }, trusted)?.field).toBe(field);
});

test('a look-up fills in what was left out, and changes nothing that was said', () => {
  const bare = { ...SAID, bytes: null, createdAt: null, expiresAt: null, filename: null, purpose: null };
  expect(completed(bare, SAID)).toEqual(SAID);
  expect(completed(SAID, { ...SAID, bytes: 77, createdAt: 78 })).toEqual(SAID);
});
