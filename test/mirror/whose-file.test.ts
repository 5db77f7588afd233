import { describe, expect, test } from 'vitest';
import type { ListDoubt } from '../../src/contract/ports.ts';
import type { Intent, RemoteFile, ReplyField } from '../../src/contract/types.ts';
import { earliestCreationMs, findingOf, fitOf, type Fit } from '../../src/mirror/judge/whose-file.ts';

const ALL: ReadonlySet<ReplyField> = new Set(['bytes', 'purpose', 'filename', 'expires_at']);
const allBut = (field: ReplyField): ReadonlySet<ReplyField> =>
  new Set([...ALL].filter((each) => each !== field));

/** Sent at second 10,000 of the server's clock. */
const INTENT: Intent = {
  purpose: 'batch',
  remoteName: 'a "b".jsonl',
  bytes: 10,
  stat: '10 1 1 1 1',
  startedAtMs: 9_000_000,
  serverStartedAtMs: 10_000_000,
};
const OURS: RemoteFile = {
  id: 'ours',
  bytes: 10,
  createdAt: 10_001,
  expiresAt: null,
  filename: 'a "b".jsonl',
  purpose: 'batch',
};

const rows: readonly (readonly [
  title: string,
  file: Partial<RemoteFile>,
  trusted: ReadonlySet<ReplyField>,
  fit: Fit,
])[] = [
  ['as it was sent', {}, ALL, 'fits'],
  ['the name as it travelled', { filename: 'a %22b%22.jsonl' }, ALL, 'fits'],
  ['another name', { filename: 'b.jsonl' }, ALL, 'other'],
  ['another name, of a server that renames', { filename: 'b.jsonl' }, allBut('filename'), 'fits'],
  ['another size', { bytes: 11 }, ALL, 'other'],
  ['another size, of a server that rewrites', { bytes: 11 }, allBut('bytes'), 'fits'],
  ['another purpose', { purpose: 'evals' }, ALL, 'other'],
  ['another purpose, of a server that has its own', { purpose: 'evals' }, allBut('purpose'), 'fits'],
  ['no size', { bytes: null }, ALL, 'fits'],
  ['no purpose', { purpose: null }, ALL, 'fits'],
  ['an empty purpose', { purpose: '' }, ALL, 'fits'],
  ['no name: it may be any file of that size', { filename: null }, ALL, 'perhaps'],
  ['no time: it may be an old one', { createdAt: null }, ALL, 'perhaps'],
  ['nothing said at all: nobody’s', { filename: null, bytes: null, createdAt: null }, ALL, 'other'],
  ['neither name nor size, but a time', { filename: null, bytes: null }, ALL, 'perhaps'],
  ['no size, of a server that renames', { filename: 'b', bytes: null }, allBut('filename'), 'perhaps'],
  ['no name and another size', { filename: null, bytes: 11 }, ALL, 'other'],
  ['made 30 s earlier, by another clock', { createdAt: 9_970 }, ALL, 'fits'],
  ['made 30 s later, by another clock', { createdAt: 10_030 }, ALL, 'fits'],
  ['made two minutes earlier', { createdAt: 9_880 }, ALL, 'fits'],
  ['made longer ago', { createdAt: 9_879 }, ALL, 'other'],
];

test.each(rows)('a listed file with %s', (_title, file, trusted, fit) => {
  expect(fitOf(INTENT, { ...OURS, ...file }, trusted)).toBe(fit);
});

test('an upload before any reply may be older than its start by a quarter of an hour', () => {
  expect(earliestCreationMs({ ...INTENT, serverStartedAtMs: null })).toBe(9_000_000 - 900_000);
});

describe('what a listing says', () => {
  const other: RemoteFile = { ...OURS, id: 'other', filename: 'b.jsonl' };
  const twin: RemoteFile = { ...OURS, id: 'twin' };
  const nameless: RemoteFile = { ...OURS, id: 'nameless', filename: null };

  const idless = (file: Partial<RemoteFile>): ListDoubt => ({
    kind: 'unreadable',
    problem: '"id" is missing',
    file: {
      bytes: 10,
      createdAt: 10_001,
      expiresAt: null,
      filename: OURS.filename,
      purpose: 'batch',
      ...file,
    },
  });
  const cut: ListDoubt = { kind: 'cut', why: 'it says that more follows' };
  const silent = { bytes: null, createdAt: null, filename: null, purpose: null };

  test.each([
    { title: 'nothing that could be it', listed: [other], doubts: [], kind: 'none' },
    { title: 'one that fits', listed: [other, OURS], doubts: [], kind: 'ours' },
    { title: 'two that fit', listed: [OURS, twin], doubts: [], kind: 'unclear' },
    { title: 'one that fits, and one that might', listed: [OURS, nameless], doubts: [], kind: 'unclear' },
    { title: 'one that might', listed: [nameless, other], doubts: [], kind: 'unclear' },
    { title: 'one without an id, named like it', listed: [other], doubts: [idless({})], kind: 'unclear' },
    { title: 'one without an id, and one that fits', listed: [OURS], doubts: [idless({})], kind: 'unclear' },
    { title: 'an old one without an id', listed: [], doubts: [idless({ createdAt: 5 })], kind: 'none' },
    { title: 'an entry that says nothing', listed: [OURS], doubts: [idless(silent)], kind: 'ours' },
    { title: 'nothing, and the rest cannot be had', listed: [other], doubts: [cut], kind: 'unclear' },
    { title: 'one that fits, and the rest cannot be had', listed: [OURS], doubts: [cut], kind: 'ours' },
  ] as const)('$title: $kind', ({ listed, doubts, kind }) => {
    expect(findingOf(INTENT, [], listed, doubts, ALL, () => false).kind).toBe(kind);
  });

  test('one that fits another upload of ours as well is not decided yet', () => {
    const rival: Intent = { ...INTENT, bytes: 700 };
    const unsized: RemoteFile = { ...OURS, bytes: null };
    expect(findingOf(INTENT, [rival], [OURS], [], ALL, () => false).kind).toBe('ours');
    expect(findingOf(INTENT, [rival], [unsized], [], ALL, () => false).kind).toBe('unclear');
    expect(findingOf(INTENT, [], [unsized], [], ALL, () => false).kind).toBe('ours');
  });

  test('one that may be of an upload that was given up is not ours, and not nobody’s', () => {
    expect(findingOf(INTENT, [], [OURS], [], ALL, (id) => id === OURS.id).kind).toBe('unclear');
  });
});
