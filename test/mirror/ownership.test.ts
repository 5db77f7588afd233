import { describe, expect, test } from 'vitest';
import type { Change, FileId, Garbage, ManifestView } from '../../src/contract/types.ts';
import { doubleOwners, givenIds } from '../../src/mirror/judge/ownership.ts';
import { IdentityIndex } from '../../src/mirror/memory/identity-index.ts';
import { Ledger } from '../../src/mirror/memory/ledger.ts';
import { entry, garbage } from '../manifest/samples.ts';

const A = 'batch/a.jsonl';
const B = 'batch/b.jsonl';
const OLD = garbage('batch/old.jsonl');

/** A and B are mirrored as `a` and `b`; `g` is garbage. */
function view(): ManifestView & { readonly garbage: Map<FileId, Garbage> } {
  return {
    mirrorId: 'm1',
    files: new Map([
      [A, entry('a')],
      [B, entry('b')],
    ]),
    garbage: new Map([['g', OLD]]),
    intents: new Map(),
    rejected: new Map(),
  };
}

function problems(change: Change): readonly string[] {
  const now = view();
  const index = new IdentityIndex(now, async () => {});
  return doubleOwners(change, { ...now, ownerOf: (id) => index.ownerOf(id) });
}

describe('changes that give each id to one', () => {
  test.each<{ title: string; change: Change }>([
    { title: 'a new file', change: { files: { 'batch/c.jsonl': entry('c') } } },
    { title: 'a replaced one', change: { files: { [A]: entry('a2') }, garbage: { a: garbage(A) } } },
    { title: 'a touched one', change: { files: { [A]: entry('a', { stat: '1 2 3 4 5' }) } } },
    { title: 'a moved one', change: { files: { [A]: null, 'batch/c.jsonl': entry('a') } } },
    { title: 'two that changed places', change: { files: { [A]: entry('b'), [B]: entry('a') } } },
    { title: 'one that is to be deleted', change: { files: { [A]: null }, garbage: { a: garbage(A) } } },
    {
      title: 'one that was kept aside and is believed',
      change: { files: { [A]: entry('g') }, garbage: { g: null, a: garbage(A) } },
    },
    { title: 'garbage that is let go', change: { garbage: { g: { ...OLD, hold: false } } } },
    { title: 'garbage that is gone', change: { garbage: { g: null } } },
  ])('$title', ({ change }) => {
    expect(problems(change)).toEqual([]);
  });
});

describe('changes that would give an id to two', () => {
  test.each<{ title: string; change: Change; problem: string }>([
    {
      title: 'an entry’s as garbage',
      change: { garbage: { a: garbage(A) } },
      problem: `a (${A}, the garbage list)`,
    },
    {
      title: 'garbage as an entry’s',
      change: { files: { [A]: entry('g') } },
      problem: `g (${A}, the garbage list)`,
    },
    { title: 'an entry’s to another', change: { files: { [A]: entry('b') } }, problem: `b (${A}, ${B})` },
    {
      title: 'a new one to two',
      change: { files: { [A]: entry('c'), [B]: entry('c') } },
      problem: `c (${A}, ${B})`,
    },
    {
      title: 'a new one to one, and as garbage',
      change: { files: { [A]: entry('c') }, garbage: { c: OLD } },
      problem: `c (${A}, the garbage list)`,
    },
    {
      title: 'a moved one to two',
      change: { files: { [A]: null, 'batch/c.jsonl': entry('a'), 'batch/d.jsonl': entry('a') } },
      problem: 'a (batch/c.jsonl, batch/d.jsonl)',
    },
  ])('$title', ({ change, problem }) => {
    expect(problems(change)).toEqual([problem]);
  });
});

test('only the ids that a change gives to somebody are looked at: not what was there before', () => {
  const asked: FileId[] = [];
  const now = view();
  now.garbage.set('a', OLD);
  const before = { ...now, ownerOf: (id: FileId) => (asked.push(id), null) };
  const touched: Change = {
    files: { [A]: entry('a', { stat: '1 2 3 4 5' }), [B]: null },
    garbage: { a: { ...OLD, hold: true } },
  };
  expect(givenIds(touched, before)).toEqual(new Set());
  expect(doubleOwners(touched, before)).toEqual([]);
  expect(asked).toEqual([]);
});

describe('the ledger', () => {
  /** `write`: what becomes of a change that is to be written. */
  function ledgerOver(write: () => Promise<void>): { ledger: Ledger; fatal: unknown[]; written: Change[] } {
    const fatal: unknown[] = [];
    const written: Change[] = [];
    const now = view();
    const manifest = {
      ...now,
      commit: async (change: Change) => {
        written.push(change);
        await write();
      },
    };
    const ledger = new Ledger(
      manifest as never,
      {} as never,
      {} as never,
      (fault) => fatal.push(fault),
      new IdentityIndex(now, async () => {}),
    );
    return { ledger, fatal, written };
  }

  test('ends the engine before it writes that an id is an entry’s and garbage, whoever asked for it', async () => {
    const both: Change = { garbage: { a: garbage(A) } };
    for (const act of ['commit', 'tryCommit', 'record'] as const) {
      const { ledger, fatal, written } = ledgerOver(async () => {});
      const done = ledger[act](both, new AbortController().signal);
      await expect(done).rejects.toMatchObject({
        disposition: 'fatal',
        message: expect.stringContaining(`a (${A}, the garbage list)`) as string,
      });
      expect(fatal).toHaveLength(1);
      expect(written).toEqual([]);
    }
  });

  test('ends it too when two changes that are under way together give the same id to two', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { ledger, fatal, written } = ledgerOver(() => promise);
    const first = ledger.commit({ files: { 'batch/c.jsonl': entry('c') } });
    await expect(ledger.commit({ files: { 'batch/d.jsonl': entry('c') } })).rejects.toMatchObject({
      disposition: 'fatal',
    });
    resolve();
    await first;
    expect([fatal.length, written.length]).toEqual([1, 1]);
  });

  test('tries again what could not be written, without taking it for a second owner', async () => {
    const ledger = ledgerOver(async () => {
      throw new TypeError('no');
    }).ledger;
    const change: Change = { files: { 'batch/c.jsonl': entry('c') } };
    await expect(ledger.commit(change)).rejects.toThrow('no');
    await expect(ledger.commit(change)).rejects.toThrow('no');
  });
});
