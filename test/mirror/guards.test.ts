import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as guards from '../../src/mirror/judge/guards.ts';
import type { FolderLook } from '../../src/contract/types.ts';

type WaitingDelete = guards.WaitingDelete & { readonly due: boolean };
type DeleteGuardInput = Omit<guards.DeleteGuardInput, 'folders'> & {
  readonly waiting: readonly WaitingDelete[];
};

/** What the verdict says of each delete. */
function guardDeletes(input: DeleteGuardInput) {
  const { waiting: all } = input;
  const verdict = guards.guardDeletes({ ...input, folders: guards.tally(all) });
  const held = new Set(all.filter((each) => guards.holds(verdict, each)).map(({ path }) => path));
  const trips = new Map<string, guards.Trip>();
  for (const trip of verdict.trips)
    for (const { path, folder, approved } of all)
      if (!approved && (trip.folder === null || trip.folder === folder)) trips.set(path, trip);
  const release = all.filter(({ due, path }) => due && !held.has(path)).map(({ path }) => path);
  return { halts: verdict.halts, held, trips, release };
}

const OK: FolderLook = { kind: 'ok', device: '1' };

function waiting(count: number, folder = 'batch', part: Partial<WaitingDelete> = {}): WaitingDelete[] {
  return Array.from({ length: count }, (_, index) => ({
    path: `${folder}/${index}`,
    folder,
    due: true,
    approved: false,
    trip: null,
    otherDevice: false,
    ...part,
  }));
}

function input(part: Partial<DeleteGuardInput>): DeleteGuardInput {
  return {
    waiting: [],
    entriesTotal: 1_000,
    entriesInFolder: () => 500,
    letGoTotal: 0,
    letGoInFolder: () => 0,
    lookOfFolder: () => OK,
    maxFraction: 0.5,
    minCount: 10,
    ...part,
  };
}

describe('the delete guards', () => {
  test('a few deletes among many files go', () => {
    const verdict = guardDeletes(input({ waiting: waiting(20) }));
    expect(verdict.release).toHaveLength(20);
    expect(verdict.halts).toEqual([]);
  });

  test('600 of 1,000 files gone: all wait, and the cause says how many', () => {
    const verdict = guardDeletes(input({ waiting: [...waiting(300), ...waiting(300, 'evals')] }));
    expect(verdict.release).toEqual([]);
    expect(verdict.halts).toMatchObject([{ folder: null, count: 600, of: 1_000 }]);
  });

  test('one mass delete is one halt: what is the matter with a folder is told with it', () => {
    const all = { waiting: waiting(12), entriesTotal: 12, entriesInFolder: () => 12 };
    expect(guardDeletes(input(all)).halts).toMatchObject([
      { folder: null, cause: '12 of 12 mirrored files disappeared', waiting: 12 },
    ]);
    const isGone = { ...all, lookOfFolder: (): FolderLook => ({ kind: 'gone' }) };
    const verdict = guardDeletes(input(isGone));
    expect(verdict.held.size).toBe(12);
    expect(verdict.halts).toMatchObject([
      {
        folder: null,
        cause: '12 of 12 mirrored files disappeared; the folder batch/ is gone, with 12 mirrored files',
      },
    ]);
  });

  test('the only file, or two of three: allowed below the floor', () => {
    expect(
      guardDeletes(input({ waiting: waiting(1), entriesTotal: 1, entriesInFolder: () => 1 })).release,
    ).toHaveLength(1);
    expect(
      guardDeletes(input({ waiting: waiting(2), entriesTotal: 3, entriesInFolder: () => 3 })).release,
    ).toHaveLength(2);
  });

  test('exactly the floor is still allowed', () => {
    const verdict = guardDeletes(
      input({ waiting: waiting(10), entriesTotal: 10, entriesInFolder: () => 10 }),
    );
    expect(verdict.release).toHaveLength(10);
  });

  test('a purpose folder that is gone holds its deletes however few, and no others', () => {
    const verdict = guardDeletes(
      input({
        waiting: [...waiting(2), ...waiting(3, 'evals')],
        lookOfFolder: (folder) => (folder === 'batch' ? { kind: 'gone' } : OK),
      }),
    );
    expect(verdict.halts).toMatchObject([{ folder: 'batch', count: 2 }]);
    expect(verdict.release).toEqual(['evals/0', 'evals/1', 'evals/2']);
  });

  test('a purpose folder that is suddenly empty as a whole holds its deletes', () => {
    const verdict = guardDeletes(input({ waiting: waiting(50), entriesInFolder: () => 50 }));
    expect(verdict.halts).toMatchObject([{ folder: 'batch', count: 50, of: 50 }]);
  });

  describe('what was let go in the last hour', () => {
    test('counts as if it still waited, among those that are gone and among those there were', () => {
      // 40 files, one gone after the other: with the 21st more than half of what there was is gone.
      const afterwards = (letGo: number): Partial<DeleteGuardInput> => ({
        waiting: waiting(1),
        entriesTotal: 40 - letGo,
        entriesInFolder: () => 40 - letGo,
        letGoTotal: letGo,
        letGoInFolder: () => letGo,
      });
      expect(guardDeletes(input(afterwards(19))).release).toHaveLength(1);
      const verdict = guardDeletes(input(afterwards(20)));
      expect(verdict.release).toEqual([]);
      expect(verdict.halts).toMatchObject([{ folder: null, count: 21, of: 40, waiting: 1 }]);
      expect(verdict.halts[0]?.cause).toContain('20 of them are deleted remotely already');
    });

    test('below the floor nothing adds up to a halt, however small the mirror', () => {
      const small = { waiting: waiting(1), entriesTotal: 2, entriesInFolder: () => 2 };
      expect(guardDeletes(input({ ...small, letGoTotal: 9, letGoInFolder: () => 9 })).release).toHaveLength(
        1,
      );
      expect(guardDeletes(input({ ...small, letGoTotal: 10, letGoInFolder: () => 10 })).release).toEqual([]);
    });

    test('alone is no halt, and holds up no delete that a person approved', () => {
      const gone = { letGoTotal: 900, letGoInFolder: () => 450 };
      expect(guardDeletes(input(gone)).halts).toEqual([]);
      const approved = waiting(3, 'batch', { approved: true });
      expect(guardDeletes(input({ ...gone, waiting: approved })).release).toHaveLength(3);
    });

    test('of a folder: the last file that would leave it empty waits, the one before goes', () => {
      const folder = (left: number): Partial<DeleteGuardInput> => ({
        waiting: waiting(1),
        entriesInFolder: () => left,
        letGoTotal: 15 - left,
        letGoInFolder: () => 15 - left,
      });
      expect(guardDeletes(input(folder(2))).release).toHaveLength(1);
      const verdict = guardDeletes(input(folder(1)));
      expect(verdict.release).toEqual([]);
      expect(verdict.halts).toMatchObject([{ folder: 'batch', count: 15, of: 15, waiting: 1 }]);
    });
  });

  describe('files that disappeared together', () => {
    const tripped = (deletes: readonly WaitingDelete[], folder: string | null): WaitingDelete[] =>
      deletes.map((each) => ({ ...each, trip: { folder } }));

    test('are remembered as such, for as long as only they or a person can end that', () => {
      const mass = guardDeletes(input({ waiting: waiting(600) }));
      expect([...mass.trips.values()]).toEqual(Array.from({ length: 600 }, () => ({ folder: null })));
      const gone = guardDeletes(input({ waiting: waiting(2), lookOfFolder: () => ({ kind: 'gone' }) }));
      expect(gone.trips.get('batch/0')).toEqual({ folder: 'batch' });
      const unmounted = guardDeletes(input({ waiting: waiting(2, 'batch', { otherDevice: true }) }));
      expect(unmounted.trips.size).toBe(0);
    });

    test('are held however many new files there are by then, and however many of them are back', () => {
      const few = guardDeletes(input({ waiting: tripped(waiting(3), null), entriesTotal: 10_000 }));
      expect(few.release).toEqual([]);
      expect(few.halts).toMatchObject([{ folder: null, count: 3 }]);
      const inFolder = guardDeletes(input({ waiting: tripped(waiting(1), 'batch') }));
      expect(inFolder.release).toEqual([]);
      expect(inFolder.halts).toMatchObject([{ folder: 'batch', count: 1 }]);
    });

    test('go once they are approved, and hold up no others', () => {
      const approved = tripped(waiting(3, 'batch', { approved: true }), 'batch');
      const verdict = guardDeletes(input({ waiting: [...approved, ...waiting(2, 'evals')] }));
      expect(verdict.release).toHaveLength(5);
      expect(verdict.halts).toEqual([]);
    });
  });

  test('a folder on another disk than its files were recorded on holds its deletes', () => {
    const verdict = guardDeletes(input({ waiting: waiting(1, 'batch', { otherDevice: true }) }));
    expect(verdict.release).toEqual([]);
    expect(verdict.halts[0]?.cause).toContain('may not be mounted');
  });

  test('approved deletes go, later ones are judged anew', () => {
    const approved = waiting(600, 'batch', { approved: true });
    const verdict = guardDeletes(input({ waiting: [...approved, ...waiting(5, 'evals')] }));
    expect(verdict.release).toHaveLength(605);
  });

  test('whatever waits: what is released is due, and approved or not held', () => {
    const anyWaiting = fc.array(
      fc.record({
        path: fc.string(),
        folder: fc.constantFrom('batch', 'evals'),
        due: fc.boolean(),
        approved: fc.boolean(),
        trip: fc.constantFrom(null, { folder: null }, { folder: 'batch' }),
        otherDevice: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(anyWaiting, fc.integer({ min: 0, max: 100 }), (some, total) => {
        const each = some.map((one, index) => ({ ...one, path: `${one.folder}/${index}` }));
        const verdict = guardDeletes(
          input({ waiting: each, entriesTotal: total, entriesInFolder: () => total }),
        );
        const byPath = new Map(each.map((one) => [one.path, one]));
        for (const path of verdict.release) {
          expect(byPath.get(path)?.due).toBe(true);
          expect(verdict.held.has(path)).toBe(false);
        }
        const unapproved = each.filter((one) => !one.approved).length;
        if (unapproved > 10 && unapproved > total / 2) {
          for (const path of verdict.release) expect(byPath.get(path)?.approved).toBe(true);
        }
      }),
    );
  });
});
