import { describe, expect, test } from 'vitest';
import {
  condemned,
  discarded,
  moved,
  orphansReleased,
  rejected,
  rejectionForgotten,
  uploaded,
  versionHeld,
  type HeldVersion,
} from '../../src/mirror/judge/fold.ts';
import type {
  Change,
  Entry,
  FolderRules,
  Garbage,
  ManifestView,
  RemoteFile,
} from '../../src/contract/types.ts';

const RULES: FolderRules = {
  folder: 'batch',
  purpose: 'batch',
  expiresAfterSeconds: null,
  onExpiry: 'forget',
  renewBeforeSeconds: 0,
  check: 'full',
  priority: 0,
  deletes: 'mirror',
  maxBytes: 1_000,
};

function entry(id: string): Entry {
  return {
    id,
    purpose: 'batch',
    remoteName: 'a.jsonl',
    bytes: 10,
    sha256: 'aa',
    stat: '10 1 1 1 1',
    uploadedAt: 1,
    createdAt: 1,
    expiresAt: null,
  };
}

function remote(id: string): RemoteFile {
  return { id, bytes: 10, createdAt: 5, expiresAt: null, filename: 'a.jsonl', purpose: 'batch' };
}

const sent = { purpose: 'batch', bytes: 11 };

function garbage(hold: boolean): Garbage {
  return { path: 'batch/a.jsonl', purpose: 'batch', bytes: 10, since: 1, reason: 'mismatch', hold };
}

function view(files: Record<string, Entry>, held: Record<string, Garbage> = {}): ManifestView {
  return {
    mirrorId: 'm',
    files: new Map(Object.entries(files)),
    intents: new Map([
      [
        'batch/a.jsonl',
        {
          purpose: 'batch',
          remoteName: 'a.jsonl',
          bytes: 10,
          stat: '10 1 1 1 1',
          startedAtMs: 1,
          serverStartedAtMs: 1,
        },
      ],
    ]),
    garbage: new Map(Object.entries(held)),
    rejected: new Map(),
  };
}

/** After a version was held. */
function viewHeld(held: HeldVersion): ManifestView {
  const change = versionHeld(view({}), held);
  const present = <T>(part: Readonly<Record<string, T | null>> | undefined): Map<string, T> =>
    new Map(Object.entries(part ?? {}).flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
  return { ...view({}), garbage: present(change.garbage), rejected: present(change.rejected) };
}

/** The ids that entries and the garbage list hold after the change. */
function owned(before: ManifestView, change: Change): string[] {
  const files = new Map(before.files);
  for (const [path, each] of Object.entries(change.files ?? {})) {
    if (each === null) files.delete(path);
    else files.set(path, each);
  }
  const ids = new Set(before.garbage.keys());
  for (const [id, each] of Object.entries(change.garbage ?? {})) {
    if (each === null) ids.delete(id);
    else ids.add(id);
  }
  return [...[...files.values()].map(({ id }) => id), ...ids].sort();
}

const UPLOAD = {
  path: 'batch/a.jsonl',
  stat: '10 2 2 2 1',
  sha256: 'bb',
  remote: remote('new'),
  rules: RULES,
  supersedes: null,
  now: 9,
};

describe('an outcome as one record', () => {
  test('a replace owns the new id and hands the old one to the garbage list', () => {
    const before = view({ 'batch/a.jsonl': entry('old') });
    const change = uploaded(before, UPLOAD);
    expect(owned(before, change)).toEqual(['new', 'old']);
    expect(change.garbage?.['old']).toMatchObject({ reason: 'replaced', hold: false });
    expect(change.intents).toEqual({ 'batch/a.jsonl': null });
  });

  test('a rename under another name takes the old path’s entry over', () => {
    const before = view({ 'evals/a.jsonl': entry('old') });
    const change = uploaded(before, {
      ...UPLOAD,
      supersedes: { path: 'evals/a.jsonl', entry: entry('old') },
    });
    expect(change.files?.['evals/a.jsonl']).toBeNull();
    expect(owned(before, change)).toEqual(['new', 'old']);
  });

  test('a new file at the old path keeps its own entry, whatever was renamed away from there', () => {
    const before = view({ 'evals/a.jsonl': entry('newer') });
    const change = uploaded(before, {
      ...UPLOAD,
      supersedes: { path: 'evals/a.jsonl', entry: entry('old') },
    });
    expect(change.files).not.toHaveProperty(['evals/a.jsonl']);
    expect(owned(before, change)).toEqual(['new', 'newer']);
  });

  test('an id that was kept aside and is adopted after all is no garbage any more', () => {
    const before = view({}, { new: garbage(true) });
    const change = uploaded(before, UPLOAD);
    expect(change.garbage).toEqual({ new: null });
    expect(owned(before, change)).toEqual(['new']);
  });

  test('a move keeps the id, and changes places with what was at the new path', () => {
    const before = view({ 'batch/x/a.jsonl': entry('moved'), 'batch/a.jsonl': entry('there') });
    const change = moved(before, 'batch/x/a.jsonl', 'batch/a.jsonl', '10 3 3 3 1');
    expect(change.files?.['batch/x/a.jsonl']).toMatchObject({ id: 'there' });
    expect(change.files?.['batch/a.jsonl']).toMatchObject({ id: 'moved', stat: '10 3 3 3 1' });
    expect(owned(before, change)).toEqual(['moved', 'there']);
    const alone = view({ 'batch/x/a.jsonl': entry('moved') });
    expect(moved(alone, 'batch/x/a.jsonl', 'batch/a.jsonl', '10 3 3 3 1').files).toMatchObject({
      'batch/x/a.jsonl': null,
    });
  });

  test('a delete hands the id to the garbage list and nothing else', () => {
    const before = view({ 'batch/a.jsonl': entry('gone') });
    const change = condemned(before, 'batch/a.jsonl', 9);
    expect(change.files).toEqual({ 'batch/a.jsonl': null });
    expect(change.garbage?.['gone']).toMatchObject({ reason: 'deleted', hold: false });
  });

  describe('a version that is held', () => {
    const path = 'batch/a.jsonl';
    const held = {
      path,
      stat: '10 1 1 1 1',
      rules: RULES,
      rule: 'reply-contradicts',
      message: 'm',
      sha256: 'aa',
      kept: { ...remote('odd'), bytes: 99 },
      now: 9,
    };

    test('has its id on hold and its intent closed, in one record', () => {
      const change = versionHeld(view({}), held);
      expect(change.garbage?.['odd']).toMatchObject({ path, bytes: 10, hold: true });
      expect(change.rejected?.[path]).toMatchObject({ sha256: 'aa', kept: held.kept });
      expect(change.intents).toEqual({ [path]: null });
      expect(change.files).toBeUndefined();
    });

    const ends: readonly [title: string, end: (before: ManifestView) => Change][] = [
      ['its record is cleared', (before) => rejectionForgotten(before, path)],
      ['its file is gone', (before) => condemned(before, path, 9)],
      ['another version is refused', (before) => rejected(before, { ...held, rule: 'empty' })],
      [
        'another version is held',
        (before) => versionHeld(before, { ...held, kept: { ...remote('odder'), bytes: 98 } }),
      ],
      [
        'another version is uploaded',
        (before) =>
          uploaded(before, {
            path,
            stat: '10 2 2 2 1',
            sha256: 'bb',
            remote: remote('next'),
            rules: RULES,
            supersedes: null,
            now: 9,
          }),
      ],
    ];
    test.each(ends)('gives its id free when %s', (_title, end) => {
      const before = viewHeld(held);
      expect(end(before).garbage?.['odd']).toMatchObject({ hold: false });
    });

    test('has its id taken over when it is believed after all', () => {
      const { stat, sha256, kept, rules, now } = held;
      const change = uploaded(viewHeld(held), {
        path,
        stat,
        sha256,
        remote: kept,
        rules,
        supersedes: null,
        now,
      });
      expect(change.files?.[path]).toMatchObject({ id: 'odd', bytes: 10 });
      expect(change.garbage).toEqual({ odd: null });
      expect(change.rejected).toEqual({ [path]: null });
    });
  });

  test('a void attempt is garbage, and its intent is answered', () => {
    const change = discarded('batch/a.jsonl', remote('void'), sent, 'void', 9);
    expect(change.garbage?.['void']).toMatchObject({ hold: false });
    expect(change.intents).toEqual({ 'batch/a.jsonl': null });
  });

  test('a rejection clears the intent but never the older version', () => {
    const before = view({ 'batch/a.jsonl': entry('older') });
    const change = rejected(before, {
      path: 'batch/a.jsonl',
      stat: '0 1 1 1 1',
      rules: RULES,
      rule: 'empty',
      message: 'empty',
      now: 9,
    });
    expect(change.files).toBeUndefined();
    expect(change.intents).toEqual({ 'batch/a.jsonl': null });
  });

  test('releasing orphans touches only what was kept aside', () => {
    const before = view({}, { held: garbage(true), moving: garbage(false) });
    expect(orphansReleased(before)).toEqual({ garbage: { held: garbage(false) } });
  });

  test('an id that was only found by its looks is not released, whoever asks', () => {
    const found: Garbage = { ...garbage(true), reason: 'orphan' };
    expect(orphansReleased(view({}, { found }))).toBeNull();
  });
});
