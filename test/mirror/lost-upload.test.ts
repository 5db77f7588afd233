import { expect, test } from 'vitest';
import { judgeSearch, rivalsOf } from '../../src/mirror/judge/lost-upload.ts';
import type { Finding } from '../../src/mirror/judge/whose-file.ts';
import { intent, rejection } from '../manifest/samples.ts';

const file = { id: 'f', bytes: 1, createdAt: 1, expiresAt: null, filename: 'a', purpose: 'batch' };
const findings = {
  ours: { kind: 'ours', file },
  none: { kind: 'none' },
  unclear: { kind: 'unclear', files: [file], doubt: null },
} as const satisfies Record<string, Finding>;
const again = { kind: 'list-again' };

/** The whole space. `answered`: a reply named an id that another file has. */
test.each([
  { found: 'ours', answered: false, last: false, verdict: { kind: 'adopt', file } },
  { found: 'ours', answered: false, last: true, verdict: { kind: 'adopt', file } },
  { found: 'ours', answered: true, last: false, verdict: { kind: 'adopt', file } },
  { found: 'ours', answered: true, last: true, verdict: { kind: 'adopt', file } },
  { found: 'none', answered: false, last: false, verdict: again },
  { found: 'none', answered: true, last: false, verdict: again },
  { found: 'none', answered: false, last: true, verdict: { kind: 'send-anew' } },
  { found: 'none', answered: true, last: true, verdict: { kind: 'hold', rule: 'reply-of-another' } },
  { found: 'unclear', answered: false, last: false, verdict: again },
  { found: 'unclear', answered: true, last: false, verdict: again },
  { found: 'unclear', answered: false, last: true, verdict: { kind: 'hold', rule: 'look-alikes' } },
  { found: 'unclear', answered: true, last: true, verdict: { kind: 'hold', rule: 'look-alikes' } },
] as const)(
  'found: $found; answered: $answered; last listing: $last',
  ({ found, answered, last, verdict }) => {
    expect(judgeSearch(findings[found], answered, last)).toEqual(verdict);
  },
);

test('rivals are the open and the lost uploads of other paths that the same listing shows', () => {
  const lost = { ...rejection('several may be it'), rule: 'look-alikes' };
  const view = {
    intents: new Map([
      ['batch/a.jsonl', intent(1)],
      ['batch/b.jsonl', intent(2)],
      ['evals/c.jsonl', { ...intent(3), purpose: 'evals' }],
    ]),
    rejected: new Map([
      ['batch/d.jsonl', lost],
      ['batch/refused.jsonl', rejection('empty')],
      ['batch/kept.jsonl', { ...lost, rule: 'reply-contradicts', kept: file }],
    ]),
  };
  const names = (oneList: boolean): readonly string[] =>
    rivalsOf(view, 'batch/a.jsonl', 'batch', oneList).map(
      ({ startedAtMs, remoteName }) => `${startedAtMs} ${remoteName}`,
    );
  expect(names(false)).toEqual(['0 d.jsonl', '2 a.jsonl']);
  expect(names(true)).toEqual(['0 d.jsonl', '2 a.jsonl', '3 a.jsonl']);
});
