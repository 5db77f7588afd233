import { expect, test } from 'vitest';
import type { Fault } from '../../src/contract/faults.ts';
import { afterFault, type AfterFault } from '../../src/mirror/judge/upload-fault.ts';

type Told = Pick<Fault, 'outcome' | 'disposition' | 'halt' | 'rule' | 'scope'>;

const dispositions = [
  { disposition: 'retry', halt: undefined },
  { disposition: 'skip', halt: undefined },
  ...(['auth', 'quota', 'scope', 'state', 'root'] as const).map(
    (halt) => ({ disposition: 'halt', halt }) as const,
  ),
] as const;

/** All that a fault can say. */
const all: readonly Told[] = (['refused', 'unknown'] as const).flatMap((outcome) =>
  dispositions.flatMap((kind) =>
    (['file', 'lane'] as const).flatMap((scope) =>
      ['moved', 'unreadable', 'server-400'].map((rule) => ({ outcome, ...kind, scope, rule })),
    ),
  ),
);

/** The table: the first row that fits decides. */
const table: readonly (readonly [title: string, fits: (fault: Told) => boolean, does: AfterFault])[] = [
  ['what may be stored', ({ outcome }) => outcome === 'unknown', 'search'],
  ['a version that is refused', ({ disposition }) => disposition === 'skip', 'trial'],
  ['a key that is refused', ({ halt }) => halt === 'auth', 'trial'],
  ['a file that moved under its reader', ({ rule }) => rule === 'moved', 'read-anew'],
  ['a file that cannot be read', ({ rule }) => rule === 'unreadable', 'read-anew'],
  [
    'a trouble of one file',
    ({ disposition, scope }) => disposition === 'retry' && scope === 'file',
    'file-waits',
  ],
  ['a trouble of the lane', ({ disposition }) => disposition === 'retry', 'lane-waits'],
  ['another halt', ({ disposition }) => disposition === 'halt', 'lane-waits'],
];

test.each(table.map(([title, fits, does], row) => ({ title, fits, does, row })))(
  '$title: $does',
  ({ fits, does, row }) => {
    const these = all.filter(
      (fault) => fits(fault) && !table.slice(0, row).some(([, before]) => before(fault)),
    );
    expect(these.length).toBeGreaterThan(0);
    expect(new Set(these.map((fault) => afterFault(fault)))).toEqual(new Set([does]));
  },
);

test('the table says something of every fault', () => {
  expect(all.filter((fault) => !table.some(([, fits]) => fits(fault)))).toEqual([]);
});
