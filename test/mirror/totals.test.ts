import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isWithin } from '../../src/contract/mirror-path.ts';
import { replacedBy } from '../../src/contract/replaced.ts';
import { identityKey } from '../../src/contract/stat-token.ts';
import type { Change, Entry, FolderRules } from '../../src/contract/types.ts';
import { expiryWantsLook, isExpired } from '../../src/mirror/judge/expiry.ts';
import { IdentityIndex } from '../../src/mirror/memory/identity-index.ts';
import { Renewals } from '../../src/mirror/memory/renewals.ts';
import { Totals } from '../../src/mirror/memory/totals.ts';
import { entry, garbage } from '../manifest/samples.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { Memory } from '../support/sim/sim-manifest.ts';

const PATHS = ['batch/a', 'batch/x/a', 'batch/x/y/b', 'batch/xy', 'evals/a', 'evals/x/c'];
const TREES = ['batch', 'batch/x', 'batch/x/y', 'evals', 'evals/x', 'batch/a', 'nowhere'];
const FOLDERS: ReadonlyMap<string, FolderRules> = new Map([
  ['batch', rulesOf('batch', { onExpiry: 'forget' })],
  ['evals', rulesOf('evals', { onExpiry: 'renew', renewBeforeSeconds: 4_000 })],
]);

/** Without equal ids: no manifest has an id twice. */
const someEntry = fc.record({
  bytes: fc.nat(1_000),
  createdAt: fc.nat(1_000),
  expiresAt: fc.option(fc.nat(20_000)),
  inode: fc.nat(4),
  size: fc.nat(1),
});
const someChange = fc.record({
  files: fc.dictionary(fc.constantFrom(...PATHS), fc.option(someEntry)),
  garbage: fc.dictionary(
    fc.constantFrom('g1', 'g2', 'g3'),
    fc.option(fc.record({ bytes: fc.nat(1_000), hold: fc.boolean() })),
  ),
});

type SomeChange = typeof someChange extends fc.Arbitrary<infer T> ? T : never;

let count = 0;

function changeOf({ files, garbage: ids }: SomeChange): Change {
  const entryOf = ({
    inode,
    size,
    ...part
  }: typeof someEntry extends fc.Arbitrary<infer T> ? T : never): Entry =>
    entry(`file-${(count += 1)}`, { ...part, stat: `${size} 1 1 ${inode} 1` });
  const values = <T, U>(record: Record<string, T | null>, make: (value: T) => U): Record<string, U | null> =>
    Object.fromEntries(Object.entries(record).map(([key, each]) => [key, each === null ? null : make(each)]));
  return {
    files: values(files, entryOf),
    garbage: values(ids, (part) => ({ ...garbage('batch/g'), ...part })),
  };
}

/** A memory that changes while the followers go through it, a few entries at a time. `readyAfter`: changes before that. */
async function followed(before: readonly Change[], after: readonly Change[], perTurn: number) {
  const memory = new Memory('m');
  for (const change of before) memory.apply(change);
  const later = [...after];
  const next = (): void => {
    const change = later.shift();
    if (change === undefined) return;
    const replaced = replacedBy(memory, change);
    memory.apply(change);
    totals.apply(change, replaced);
    renewals.apply(change, replaced);
    index.apply(change, replaced, 0);
  };
  const pause = async (): Promise<void> => next();
  const totals = new Totals(memory, pause, perTurn);
  const renewals = new Renewals(memory, FOLDERS, pause, perTurn);
  const index = new IdentityIndex(memory, pause, perTurn);
  next();
  await Promise.all([totals.ready(), renewals.ready(), index.ready()]);
  while (later.length > 0) next();
  return { memory, totals, renewals, index };
}

const changes = fc.array(someChange, { maxLength: 12 });

test('whatever changes, and however slowly all entries were gone through: the totals are the sums over all', async () => {
  await fc.assert(
    fc.asyncProperty(
      changes,
      changes,
      fc.integer({ min: 1, max: 4 }),
      fc.nat(20_000),
      async (a, b, perTurn, now) => {
        const { memory, totals, renewals } = await followed(a.map(changeOf), b.map(changeOf), perTurn);
        const entries = [...memory.files.values()];
        const ids = [...memory.garbage.values()];
        const sum = (all: readonly { bytes: number }[]): number =>
          all.reduce((bytes, each) => bytes + each.bytes, 0);
        expect(totals.ownedBytes()).toBe(sum(entries) + sum(ids));
        expect(totals.heldGarbage).toBe(ids.filter(({ hold }) => hold).length);
        for (const tree of TREES) {
          const within = [...memory.files.keys()].filter((path) => isWithin(path, tree));
          expect(totals.entriesWithin(tree)).toBe(within.length);
        }
        const times = entries.map(({ expiresAt }) => expiresAt ?? 0).filter((at) => at > now);
        const next = totals.nextExpiry(now);
        expect(next?.expiresAt ?? Infinity).toBe(Math.min(...times));
        if (next !== null) expect(memory.files.get(next.path)?.expiresAt).toBe(next.expiresAt);
        const due = new Set([...totals.expiring(-Infinity, now), ...renewals.due(-Infinity, now)]);
        const expected = [...memory.files].filter(([path, each]) => {
          const rules = FOLDERS.get(path.slice(0, 5));
          return rules !== undefined && expiryWantsLook(path, each, rules, now);
        });
        expect([...due].toSorted()).toEqual(expected.map(([path]) => path).toSorted());
        const lately = [...memory.files].filter(
          ([, each]) => isExpired(each, now) && !isExpired(each, now - 900),
        );
        expect([...totals.expiring(now - 900, now)].toSorted()).toEqual(
          lately.map(([path]) => path).toSorted(),
        );
      },
    ),
  );
});

test('whatever changes: an id has the path whose entry has it, and a file is found where its identity was recorded', async () => {
  await fc.assert(
    fc.asyncProperty(
      changes,
      changes,
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      async (a, b, perTurn, links) => {
        count = 0;
        const ofOne = (change: Change): Change => (links ? change : onInodesOfTheirOwn(change));
        const make = (change: SomeChange): Change => ofOne(changeOf(change));
        const { memory, index } = await followed(a.map(make), b.map(make), perTurn);
        for (const [path, { id, stat }] of memory.files) {
          expect(index.ownerOf(id)).toBe(path);
          const other = index.otherPathOf('batch/new', stat);
          // Of several links to one file any may be meant, and none once the last one that was recorded is gone.
          if (!links) expect(other).toBe(path);
          else if (other !== null)
            expect(identityKey(memory.files.get(other)?.stat ?? '')).toBe(identityKey(stat));
        }
        for (let id = 0; id <= count; id += 1) {
          const owner = index.ownerOf(`file-${id}`);
          if (owner !== null) expect(memory.files.get(owner)?.id).toBe(`file-${id}`);
        }
      },
    ),
  );
});

function onInodesOfTheirOwn(change: Change): Change {
  const files = Object.entries(change.files ?? {}).map(([path, each]) => {
    const stat = `${each?.bytes} 1 1 ${PATHS.indexOf(path)} 1`;
    return [path, each === null ? null : { ...each, stat }] as const;
  });
  return { ...change, files: Object.fromEntries(files) };
}
