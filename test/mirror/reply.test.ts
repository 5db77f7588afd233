import { describe, expect, test } from 'vitest';
import type { RemoteFile, ReplyField } from '../../src/contract/types.ts';
import { judgeReply, type ReplyEvidence } from '../../src/mirror/judge/reply.ts';
import { rulesOf } from '../support/folder-rules.ts';

const ALL: ReadonlySet<ReplyField> = new Set(['bytes', 'purpose', 'filename', 'expires_at']);
const LIFE_SECONDS = 86_400;
const NOW = 10_000;

const TRUE: RemoteFile = {
  id: 'file-1',
  bytes: 10,
  createdAt: NOW,
  expiresAt: NOW + LIFE_SECONDS,
  filename: 'a.jsonl',
  purpose: 'batch',
};
const EVIDENCE: ReplyEvidence = {
  rules: { ...rulesOf('batch'), expiresAfterSeconds: LIFE_SECONDS },
  bytes: 10,
  reply: TRUE,
  lookedUp: 'not-asked',
  isOwned: false,
  sinceMs: NOW * 1000 - 120_000,
  trusted: ALL,
};

const LIAR = { bytes: 11 };
const SILENT = { bytes: null, createdAt: null, expiresAt: null };
const FOREVER = { expiresAt: null };
const OLD = { ...LIAR, createdAt: 5 };
const said = (what: Partial<RemoteFile>): RemoteFile => ({ ...TRUE, ...what });

describe('a reply', () => {
  test.each([
    { title: 'as it was sent', reply: {}, lookedUp: 'not-asked', kind: 'accepted' },
    { title: 'that contradicts', reply: LIAR, lookedUp: 'not-asked', kind: 'ask' },
    { title: 'that leaves the size out', reply: { bytes: null }, lookedUp: 'not-asked', kind: 'ask' },
    { title: 'that leaves its time out', reply: { createdAt: null }, lookedUp: 'not-asked', kind: 'ask' },
    { title: 'without the expiry', reply: FOREVER, lookedUp: 'not-asked', kind: 'ask' },
    { title: 'without a name', reply: { filename: null }, lookedUp: 'not-asked', kind: 'accepted' },

    { title: 'that contradicts, and the look-up does not', reply: LIAR, lookedUp: {}, kind: 'accepted' },
    { title: 'that contradicts, as the look-up does', reply: LIAR, lookedUp: LIAR, kind: 'contradicts' },
    {
      title: 'that contradicts, and the look-up says nothing more',
      reply: LIAR,
      lookedUp: SILENT,
      kind: 'contradicts',
    },
    { title: 'that contradicts, and is not shown', reply: LIAR, lookedUp: null, kind: 'contradicts' },
    {
      title: 'that leaves the size out, which the look-up contradicts',
      reply: { bytes: null },
      lookedUp: LIAR,
      kind: 'contradicts',
    },
    { title: 'that says little, and the look-up all', reply: SILENT, lookedUp: {}, kind: 'accepted' },
    {
      title: 'that leaves the size out, and is not shown',
      reply: { bytes: null },
      lookedUp: null,
      kind: 'accepted',
    },
    { title: 'of a file that was there before', reply: OLD, lookedUp: OLD, kind: 'of-another' },
    {
      title: 'of an old time that else is as it was sent',
      reply: { createdAt: 5, expiresAt: 5 + LIFE_SECONDS },
      lookedUp: 'not-asked',
      kind: 'accepted',
    },
    {
      title: 'without the expiry, as the look-up',
      reply: FOREVER,
      lookedUp: FOREVER,
      kind: 'expiry-ignored',
    },
    { title: 'without the expiry, which the look-up has', reply: FOREVER, lookedUp: {}, kind: 'accepted' },
    { title: 'without the expiry, and is not shown', reply: FOREVER, lookedUp: null, kind: 'expiry-ignored' },
    {
      title: 'with another expiry',
      reply: { expiresAt: NOW + 2 * LIFE_SECONDS },
      lookedUp: null,
      kind: 'expiry-ignored',
    },
  ] as const)('$title: $kind', ({ reply, lookedUp, kind }) => {
    const shown = lookedUp === 'not-asked' || lookedUp === null ? lookedUp : said(lookedUp);
    expect(judgeReply({ ...EVIDENCE, reply: said(reply), lookedUp: shown }).kind).toBe(kind);
  });
});

/** Each field as it should be, left out, or another one; in the reply, and in what the look-up shows. */
const words: readonly RemoteFile[] = [10, null, 11].flatMap((bytes) =>
  ['batch', null, '', 'evals'].flatMap((purpose) =>
    [NOW, null, 5].flatMap((createdAt) =>
      [NOW + LIFE_SECONDS, null, NOW].map((expiresAt) => ({ ...TRUE, bytes, purpose, createdAt, expiresAt })),
    ),
  ),
);

test('whatever reply and look-up say: an id that another file has is never recorded, and one look-up is enough', () => {
  for (const reply of words) {
    expect(judgeReply({ ...EVIDENCE, reply, isOwned: true }).kind).toBe('of-another');
    for (const lookedUp of [...words, null]) {
      const verdict = judgeReply({ ...EVIDENCE, reply, lookedUp });
      expect(verdict.kind).not.toBe('ask');
      // What both say against what was sent is never recorded.
      const bothLie = reply.bytes === 11 && (lookedUp === null || lookedUp.bytes === 11);
      if (bothLie) expect(['contradicts', 'of-another']).toContain(verdict.kind);
      if (verdict.kind === 'accepted') expect([verdict.remote.bytes, verdict.remote.id]).not.toContain(11);
    }
  }
});

test('of a server whose words are not believed, every reply is accepted at once when it says size and time', () => {
  for (const reply of words.filter(({ bytes, createdAt }) => bytes !== null && createdAt !== null))
    expect(judgeReply({ ...EVIDENCE, reply, trusted: new Set() }).kind).toBe('accepted');
});
