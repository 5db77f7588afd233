import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { tally } from '../../src/mirror/judge/guards.ts';
import { MissingFiles, type Missing } from '../../src/mirror/memory/missing-files.ts';

const PATHS = ['batch/a', 'batch/b', 'batch/c', 'evals/a', 'evals/b'];

const somePath = fc.constantFrom(...PATHS);
const someFacts = fc.record(
  {
    otherDevice: fc.boolean(),
    approved: fc.boolean(),
    trip: fc.constantFrom(null, { folder: null }),
    inDoubt: fc.boolean(),
    livesOn: fc.boolean(),
    isTold: fc.boolean(),
  },
  { requiredKeys: [] },
);
const someAct = fc.oneof(
  fc.record({ act: fc.constant('add'), path: somePath, otherDevice: fc.boolean(), livesOn: fc.boolean() }),
  fc.record({ act: fc.constant('set'), path: somePath, facts: someFacts }),
  fc.record({ act: fc.constantFrom('delete', 'ripen', 'came', 'forgotten'), path: somePath }),
);
type SomeAct = typeof someAct extends fc.Arbitrary<infer T> ? T : never;

function perform(missing: MissingFiles, newcomers: Set<string>, act: SomeAct): void {
  const { path } = act;
  if ('facts' in act) missing.set(path, act.facts);
  else if ('livesOn' in act) {
    if (missing.has(path)) return;
    missing.add(path, 0, { otherDevice: act.otherDevice, livesOn: act.livesOn });
    newcomers.delete(path);
  } else if (act.act === 'delete') missing.delete(path);
  else if (act.act === 'ripen') missing.ripen(path);
  else if (act.act === 'came') {
    missing.came(path);
    if (missing.size > 0) newcomers.add(path);
  } else {
    missing.forgotten(path);
    newcomers.delete(path);
  }
}

test('whatever happens, it is counted and listed as if all missing files were gone through', () => {
  fc.assert(
    fc.property(fc.array(someAct, { maxLength: 60 }), (acts) => {
      const missing = new MissingFiles();
      const newcomers = new Set<string>();
      for (const act of acts) perform(missing, newcomers, act);
      const all = [...missing.values()];
      const present = all.filter(({ livesOn }) => !livesOn);
      const counted = [...missing.counts()].filter(([, { count }]) => count > 0);
      expect(new Map(counted)).toEqual(new Map([...tally(present)].filter(([, { count }]) => count > 0)));
      expect(missing.size).toBe(all.length);
      for (const folder of ['batch', 'evals']) {
        const named = (fits: (each: Missing) => boolean): string[] =>
          present.filter((each) => each.folder === folder && fits(each)).map(({ path }) => path);
        const listed = (paths: Iterable<string>): string[] => [...paths].toSorted();
        const isOpen = ({ approved, trip }: Missing): boolean => !approved && trip === null;
        const isReady = ({ isRipe, inDoubt }: Missing): boolean => isRipe && !inDoubt;
        expect(listed(missing.open(folder, 'all'))).toEqual(named(isOpen).toSorted());
        const untold = named((each) => isOpen(each) && !each.isTold);
        expect(listed(missing.open(folder, 'untold'))).toEqual(untold.toSorted());
        const ripe = named((each) => isOpen(each) && isReady(each));
        expect(listed(missing.ripe(folder, 'open'))).toEqual(ripe.toSorted());
        const approved = named((each) => each.approved && isReady(each));
        expect(listed(missing.ripe(folder, 'approved'))).toEqual(approved.toSorted());
        expect(missing.folders().includes(folder)).toBe(all.some((each) => each.folder === folder));
        const here = [...newcomers].filter((path) => path.startsWith(folder));
        expect(missing.newcomersIn(folder)).toBe(here.length);
      }
      expect([...missing.young()].map(({ isRipe }) => isRipe)).not.toContain(true);
      expect(missing.newcomers).toBe(newcomers.size);
    }),
    { numRuns: 1_000 },
  );
});
