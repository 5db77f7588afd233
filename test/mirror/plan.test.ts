import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renewalIsDue } from '../../src/mirror/judge/expiry.ts';
import { plan, type Situation } from '../../src/mirror/judge/plan.ts';
import { rulesKey } from '../../src/mirror/judge/rejections.ts';
import type {
  Entry,
  FolderRules,
  LocalLook,
  Rejection,
  RemoteFile,
  ReplyField,
} from '../../src/contract/types.ts';

const RULES: FolderRules = {
  folder: 'batch',
  purpose: 'batch',
  expiresAfterSeconds: null,
  onExpiry: 'forget',
  renewBeforeSeconds: 1_000,
  check: 'full',
  priority: 0,
  deletes: 'mirror',
  maxBytes: 1_000_000,
};
const STAT = '10 100 100 7 1';
const OTHER_STAT = '10 200 200 7 1';
const OTHER_SIZE = '11 200 200 7 1';
const ENTRY: Entry = {
  id: 'file-1',
  purpose: 'batch',
  remoteName: 'a.jsonl',
  bytes: 10,
  sha256: 'aa',
  stat: STAT,
  uploadedAt: 1,
  createdAt: 1,
  expiresAt: null,
};
const REJECTION: Rejection = {
  stat: STAT,
  purpose: 'batch',
  rulesKey: rulesKey(RULES),
  rule: 'line',
  message: 'line 3 is bad',
  at: 1,
};
const FILE: LocalLook = { kind: 'file', stat: STAT, sizeBytes: 10 };
const ABSENT: LocalLook = { kind: 'absent', onDevice: '1' };
const TRUSTED: ReadonlySet<ReplyField> = new Set(['bytes', 'purpose', 'filename', 'expires_at']);
/** What the server said of a version that is held: it counts one byte too many. */
const KEPT: RemoteFile = {
  id: 'kept',
  bytes: 11,
  createdAt: 1,
  expiresAt: null,
  filename: 'a.jsonl',
  purpose: 'batch',
};
const HELD: Rejection = { ...REJECTION, rule: 'reply-contradicts', sha256: 'bb', kept: KEPT };
const BASE: Situation = {
  path: 'batch/a.jsonl',
  look: FILE,
  rules: RULES,
  entry: null,
  intent: null,
  rejection: null,
  inspection: null,
  needsFullRead: false,
  precheck: null,
  movedFrom: null,
  lost: false,
  nowSeconds: 10_000,
  kept: null,
  trusted: TRUSTED,
};
const read = (
  sha256: string,
  problem: { rule: string; message: string } | null = null,
): Situation['inspection'] => ({
  sha256,
  sizeBytes: 10,
  problem,
  warnings: [],
});
const file = (stat: string): LocalLook => ({ kind: 'file', stat, sizeBytes: Number(stat.split(' ')[0]) });
const OLD = { path: 'batch/old/a.jsonl', entry: ENTRY };

const TABLE: readonly (readonly [string, Partial<Situation>, object])[] = [
  ['absent and unknown to us: nothing, and not a word', { look: ABSENT }, { kind: 'nothing', state: null }],
  ['absent with an entry: its delete is due', { look: ABSENT, entry: ENTRY }, { kind: 'missing' }],
  [
    'absent with an expired entry: forget it',
    { look: ABSENT, entry: { ...ENTRY, expiresAt: 9_999 } },
    { kind: 'forget' },
  ],
  [
    'absent in a folder that keeps: the remote file stays',
    { look: ABSENT, entry: ENTRY, rules: { ...RULES, deletes: 'keep' } },
    { kind: 'nothing', state: 'kept' },
  ],
  [
    'absent in a folder that is no longer configured: the remote file stays',
    { look: ABSENT, entry: ENTRY, rules: null },
    { kind: 'nothing', state: 'ignored' },
  ],
  [
    'absent after a rejection: the reason goes with it',
    { look: ABSENT, rejection: REJECTION },
    { kind: 'forget-rejection' },
  ],
  [
    'the mirrored version is back after another was rejected: the reason goes',
    { entry: ENTRY, rejection: { ...REJECTION, stat: OTHER_STAT } },
    { kind: 'forget-rejection' },
  ],
  [
    'absent in a folder that keeps, after a rejection: the reason goes',
    { look: ABSENT, entry: ENTRY, rejection: REJECTION, rules: { ...RULES, deletes: 'keep' } },
    { kind: 'forget-rejection' },
  ],
  [
    'ignored after a rejection: the reason goes',
    { look: { kind: 'ignored', rule: '*.tmp' }, rejection: REJECTION },
    { kind: 'forget-rejection' },
  ],
  [
    'unreadable after a rejection: it may still be what was refused',
    { look: { kind: 'skipped', reason: 'unreadable', detail: 'EACCES' }, rejection: REJECTION },
    { kind: 'nothing', state: 'skipped' },
  ],
  ['stat as recorded: nothing', { entry: ENTRY }, { kind: 'nothing', state: 'synced' }],
  [
    'only the device number differs (reboot): refresh',
    { entry: ENTRY, look: file('10 100 100 7 2') },
    { kind: 'refresh' },
  ],
  [
    'stat differs, same size, content unread: read it',
    { entry: ENTRY, look: file(OTHER_STAT) },
    { kind: 'inspect' },
  ],
  [
    'stat differs, same SHA-256: refresh the stat only',
    { entry: ENTRY, look: file(OTHER_STAT), inspection: read('aa') },
    { kind: 'refresh', stat: OTHER_STAT },
  ],
  [
    'stat differs, same SHA-256, though the rules now refuse it: refresh',
    { entry: ENTRY, look: file(OTHER_STAT), inspection: read('aa', { rule: 'x', message: 'x' }) },
    { kind: 'refresh' },
  ],
  [
    'other content: replace',
    { entry: ENTRY, look: file(OTHER_STAT), inspection: read('bb') },
    { kind: 'upload', why: 'changed' },
  ],
  [
    'other size, no rule needs the content: replace without reading twice',
    { entry: ENTRY, look: file(OTHER_SIZE) },
    { kind: 'upload', why: 'changed' },
  ],
  [
    'other size, rules need the content: read it',
    { entry: ENTRY, look: file(OTHER_SIZE), needsFullRead: true },
    { kind: 'inspect' },
  ],
  [
    'other content that breaks a rule: rejected, the older version stays',
    { entry: ENTRY, look: file(OTHER_STAT), inspection: read('bb', { rule: 'line', message: 'bad' }) },
    { kind: 'reject', rule: 'line' },
  ],
  ['new: upload', {}, { kind: 'upload', why: 'new' }],
  ['new, rules need the content: read it first', { needsFullRead: true }, { kind: 'inspect' }],
  [
    'new, read and accepted: upload',
    { needsFullRead: true, inspection: read('aa') },
    { kind: 'upload', why: 'new' },
  ],
  [
    'new, name or size breaks a rule: rejected unread',
    { needsFullRead: true, precheck: { rule: 'extension', message: 'x' } },
    { kind: 'reject', rule: 'extension' },
  ],
  [
    'rejected before and unchanged: not tried again',
    { rejection: REJECTION },
    { kind: 'nothing', state: 'rejected', reason: 'line 3 is bad' },
  ],
  [
    'rejected before, changed since: tried again',
    { rejection: { ...REJECTION, stat: OTHER_STAT } },
    { kind: 'upload', why: 'new' },
  ],
  [
    'rejected under other rules: tried again',
    { rejection: { ...REJECTION, rulesKey: 'batch/off/1/-' } },
    { kind: 'upload', why: 'new' },
  ],
  [
    'identity of a gone path, unread: read it before it is called a move',
    { movedFrom: OLD },
    { kind: 'inspect' },
  ],
  [
    'identity and content of a gone path, same name and purpose: move',
    { movedFrom: OLD, inspection: read('aa') },
    { kind: 'move', from: OLD.path },
  ],
  [
    'identity of a gone path but other content: upload',
    { movedFrom: OLD, inspection: read('bb') },
    { kind: 'upload', why: 'renamed' },
  ],
  [
    'other base name: upload under the new one',
    { path: 'batch/b.jsonl', movedFrom: OLD },
    { kind: 'upload', why: 'renamed' },
  ],
  [
    'other purpose: upload under the new one',
    { movedFrom: { ...OLD, entry: { ...ENTRY, purpose: 'evals' } } },
    { kind: 'upload', why: 'renamed' },
  ],
  [
    'its folder now has another purpose: replace',
    { entry: { ...ENTRY, purpose: 'evals' } },
    { kind: 'upload', why: 'purpose-changed' },
  ],
  [
    'its remote file is gone, the local one unchanged: upload it again',
    { entry: ENTRY, lost: true },
    { kind: 'upload', why: 'lost' },
  ],
  [
    'expires soon, policy renew: replace',
    { entry: { ...ENTRY, expiresAt: 10_100 }, rules: { ...RULES, onExpiry: 'renew' } },
    { kind: 'upload', why: 'renewed' },
  ],
  [
    'expires soon, policy forget: nothing',
    { entry: { ...ENTRY, expiresAt: 10_100 } },
    { kind: 'nothing', state: 'synced' },
  ],
  [
    'expired, policy forget: shown as expired',
    { entry: { ...ENTRY, expiresAt: 9_999 } },
    { kind: 'nothing', state: 'expired' },
  ],
  [
    'expired, policy forget, new content: replace',
    { entry: { ...ENTRY, expiresAt: 9_999 }, look: file(OTHER_SIZE) },
    { kind: 'upload', why: 'changed' },
  ],
  [
    'changing: look again when it can be settled',
    { look: { kind: 'changing', waitMs: 700, why: 'written 1 s ago', stat: STAT } },
    { kind: 'wait', waitMs: 700 },
  ],
  [
    'cannot be looked at: nothing is concluded',
    { look: { kind: 'unknown', reason: 'EIO' }, entry: ENTRY },
    { kind: 'nothing', state: 'held', reason: 'EIO' },
  ],
  [
    'unreadable: skipped, never absent',
    { look: { kind: 'skipped', reason: 'unreadable', detail: 'EACCES' }, entry: ENTRY },
    { kind: 'nothing', state: 'skipped' },
  ],
  [
    'newly ignored: its remote file stays',
    { look: { kind: 'ignored', rule: '*.bak' }, entry: ENTRY },
    { kind: 'nothing', state: 'ignored', reason: '*.bak' },
  ],
  ['no folder configured for it: ignored', { rules: null }, { kind: 'nothing', state: 'ignored' }],
  [
    'held: not sent again',
    { rejection: HELD, kept: KEPT },
    { kind: 'nothing', state: 'rejected', reason: HELD.message },
  ],
  [
    'held, whatever else its rules say by now',
    { rejection: HELD, kept: KEPT, rules: { ...RULES, maxBytes: 999_999 } },
    { kind: 'nothing', state: 'rejected' },
  ],
  [
    'held under another purpose: sent',
    { rejection: HELD, kept: KEPT, rules: { ...RULES, purpose: 'evals' } },
    { kind: 'upload', why: 'new' },
  ],
  [
    'held, and what was said is believed by now: recorded, not sent',
    { rejection: HELD, kept: KEPT, trusted: new Set(['purpose']) },
    { kind: 'believe', remote: KEPT, sha256: 'bb' },
  ],
  [
    'held, and what was kept is deleted by now: not sent',
    { rejection: HELD, kept: null, trusted: new Set() },
    { kind: 'nothing', state: 'rejected' },
  ],
  [
    'held, nothing was kept, touched only: read, and held on',
    { rejection: { ...HELD, rule: 'look-alikes', kept: undefined }, look: file(OTHER_STAT) },
    { kind: 'inspect' },
  ],
  [
    'held and touched only',
    { rejection: HELD, kept: KEPT, look: file(OTHER_STAT), inspection: read('bb') },
    { kind: 'refresh-hold', stat: OTHER_STAT },
  ],
  [
    'held, of other content by now: sent',
    { rejection: HELD, kept: KEPT, look: file(OTHER_STAT), inspection: read('cc') },
    { kind: 'upload' },
  ],
  [
    'held, of another size by now: sent',
    { rejection: HELD, kept: KEPT, look: file(OTHER_SIZE) },
    { kind: 'upload' },
  ],
  [
    'held and gone: what was kept passes the guards like any delete',
    { rejection: HELD, kept: KEPT, look: ABSENT },
    { kind: 'missing' },
  ],
  [
    'held and gone, in a folder that keeps remote files',
    { rejection: HELD, kept: KEPT, look: ABSENT, rules: { ...RULES, deletes: 'keep' } },
    { kind: 'nothing', state: 'kept' },
  ],
  [
    'held and gone, nothing kept: forgotten',
    { rejection: HELD, kept: null, look: ABSENT },
    { kind: 'forget-rejection' },
  ],
  [
    'an intent is open: resolve it before anything else',
    {
      look: ABSENT,
      entry: ENTRY,
      intent: {
        purpose: 'batch',
        remoteName: 'a.jsonl',
        bytes: 10,
        stat: STAT,
        startedAtMs: 1,
        serverStartedAtMs: null,
      },
    },
    { kind: 'resolve' },
  ],
];

describe('the decision table', () => {
  test.each(TABLE)('%s', (_title, part, expected) => {
    expect(plan({ ...BASE, ...part })).toMatchObject(expected);
  });
});

const anySituation: fc.Arbitrary<Situation> = fc.record({
  path: fc.constantFrom('batch/a.jsonl', 'batch/b.jsonl', 'batch/x/a.jsonl'),
  look: fc.constantFrom<LocalLook>(
    ABSENT,
    FILE,
    file(OTHER_STAT),
    file(OTHER_SIZE),
    { kind: 'unknown', reason: 'EIO' },
    { kind: 'ignored', rule: 'x' },
    { kind: 'skipped', reason: 'symlink', detail: '' },
    { kind: 'changing', waitMs: 5, why: '', stat: STAT },
  ),
  rules: fc.constantFrom(
    RULES,
    { ...RULES, onExpiry: 'renew' as const },
    { ...RULES, deletes: 'keep' as const },
    null,
  ),
  entry: fc.constantFrom(
    null,
    ENTRY,
    { ...ENTRY, expiresAt: 9_000 },
    { ...ENTRY, expiresAt: 20_000 },
    { ...ENTRY, purpose: 'evals' },
  ),
  intent: fc.constant(null),
  rejection: fc.constantFrom(null, REJECTION, { ...REJECTION, stat: OTHER_STAT }, HELD),
  inspection: fc.constantFrom(null, read('aa'), read('bb'), read('bb', { rule: 'r', message: 'm' })),
  needsFullRead: fc.boolean(),
  precheck: fc.constantFrom(null, { rule: 'extension', message: 'm' }),
  movedFrom: fc.constantFrom(null, OLD),
  lost: fc.boolean(),
  nowSeconds: fc.constant(10_000),
  kept: fc.constantFrom(null, KEPT),
  trusted: fc.constantFrom(TRUSTED, new Set<ReplyField>()),
});

describe('plan, for every situation', () => {
  test('is total and deterministic', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        expect(plan(situation)).toEqual(plan(situation));
      }),
    );
  });

  test('wants a delete only for a file that is surely absent, in a folder that mirrors deletes', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        if (plan(situation).kind !== 'missing') return;
        expect(situation.look.kind).toBe('absent');
        expect(situation.entry ?? situation.kept).not.toBeNull();
        expect(situation.rules?.deletes).toBe('mirror');
      }),
    );
  });

  test('never asks for content that was read already, so planning ends', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        if (situation.inspection !== null) expect(plan(situation).kind).not.toBe('inspect');
      }),
    );
  });

  test('is at rest after what it asked for was done', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const action = plan(situation);
        if (action.kind !== 'upload' || situation.rules === null) return;
        const entry: Entry = {
          ...ENTRY,
          purpose: situation.rules.purpose,
          stat: action.stat,
          expiresAt: 90_000,
        };
        const after = plan({ ...situation, entry, rejection: null, movedFrom: null, lost: false });
        expect(after).toMatchObject({ kind: 'nothing', state: 'synced' });
      }),
    );
  });
});

test('renewals of files that expire together are spread over half the lead time', () => {
  const rules: FolderRules = { ...RULES, onExpiry: 'renew', renewBeforeSeconds: 86_400 };
  const entry: Entry = { ...ENTRY, expiresAt: 1_000_000 };
  const dueAt = (path: string): number => {
    let at = 900_000;
    while (!renewalIsDue(path, entry, rules, at)) at += 60;
    return at;
  };
  const times = Array.from({ length: 1_000 }, (_, index) => dueAt(`batch/file-${index}.jsonl`));
  const perMinute = Map.groupBy(times, (at) => at);
  expect(Math.max(...times)).toBeLessThanOrEqual(1_000_000 - 43_200 + 60);
  expect(Math.min(...times)).toBeGreaterThanOrEqual(1_000_000 - 86_400);
  expect(Math.max(...[...perMinute.values()].map((each) => each.length))).toBeLessThan(15);
});

test('a lead time as long as the life of a file does not renew it for ever: half of the life is the most', () => {
  const rules: FolderRules = { ...RULES, onExpiry: 'renew', renewBeforeSeconds: 86_400 };
  const entry: Entry = { ...ENTRY, createdAt: 100_000, expiresAt: 103_600 };
  for (const path of ['batch/a.jsonl', 'batch/b.jsonl', 'batch/c.jsonl']) {
    expect(renewalIsDue(path, entry, rules, 100_000 + 1_799)).toBe(false);
    expect(renewalIsDue(path, entry, rules, 103_600 - 900)).toBe(true);
  }
});
