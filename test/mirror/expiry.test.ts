import { expect, test } from 'vitest';
import { afterExpiry } from '../../src/mirror/judge/expiry.ts';

const NOW = 1_000;

test.each([
  { title: 'the API does not know it', remote: null, kind: 'forget-if-believed' },
  { title: 'its time is over there too', remote: { expiresAt: NOW - 1 }, kind: 'forget' },
  { title: 'its time ends now', remote: { expiresAt: NOW }, kind: 'forget' },
  { title: 'it lives on there', remote: { expiresAt: NOW + 1 }, kind: 'lives' },
  { title: 'it never expires there', remote: { expiresAt: null }, kind: 'lives' },
] as const)('an entry that expired, and whose file is gone: $title', ({ remote, kind }) => {
  expect(afterExpiry(remote, NOW)).toEqual(
    kind === 'lives' ? { kind, expiresAt: remote.expiresAt } : { kind },
  );
});
