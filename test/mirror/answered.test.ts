import { describe, expect, test } from 'vitest';
import { PATH_STATES, type PathState } from '../../src/contract/types.ts';
import { isAnswered, type Awaited, type Obstacles } from '../../src/mirror/judge/answered.ts';

const OPEN: Awaited = {
  state: 'pending',
  deleting: 'no',
  isOpen: true,
  isAsking: false,
  isUnknown: false,
  failures: 0,
};
const FREE: Obstacles = {
  rootIsBad: false,
  stateIsHalted: false,
  isHalted: { upload: false, delete: false },
  isTroubled: { upload: false, delete: false, ask: false },
  isImpatient: false,
};
const HALTED: Partial<Obstacles> = { isHalted: { upload: true, delete: true } };
const DELETES_HALTED: Partial<Obstacles> = { isHalted: { upload: false, delete: true } };
const MUTE: Partial<Obstacles> = { isTroubled: { upload: true, delete: false, ask: false } };
const NO_DELETES: Partial<Obstacles> = { isTroubled: { upload: false, delete: true, ask: false } };
const NO_ANSWERS: Partial<Obstacles> = { isTroubled: { upload: false, delete: false, ask: true } };

/** `answered`: the states that are an answer; all others are not. */
const rows: readonly {
  readonly when: string;
  readonly path?: Partial<Awaited>;
  readonly obstacles?: Partial<Obstacles>;
  readonly answered: readonly PathState[] | 'all';
}[] = [
  { when: 'it is at rest', path: { isOpen: false }, answered: 'all' },
  { when: 'nothing keeps it back', answered: ['held'] },
  { when: 'the root is bad', obstacles: { rootIsBad: true }, answered: 'all' },
  { when: 'a halt holds the uploads', obstacles: HALTED, answered: ['held', 'pending', 'failed'] },
  { when: 'a halt holds the deletes', obstacles: DELETES_HALTED, answered: ['held'] },
  { when: 'no upload comes through', obstacles: MUTE, answered: ['held', 'pending', 'failed'] },
  { when: 'no delete comes through', obstacles: NO_DELETES, answered: ['held', 'pending', 'failed'] },
  { when: 'no question is answered', obstacles: NO_ANSWERS, answered: ['held'] },
  { when: 'its own question is not', path: { isAsking: true }, obstacles: NO_ANSWERS, answered: 'all' },
  { when: 'it asks', path: { isAsking: true }, answered: ['held'] },
  { when: 'nothing can be recorded', obstacles: { stateIsHalted: true }, answered: ['held', 'uploading'] },
  { when: 'it was waited for long', obstacles: { isImpatient: true }, answered: ['held', 'settling'] },
  { when: 'it failed four times', path: { failures: 4 }, answered: ['held'] },
  { when: 'it failed five times', path: { failures: 5 }, answered: ['held', 'failed'] },
  { when: 'it was searched for once', path: { isUnknown: true, failures: 1 }, answered: ['held'] },
  { when: 'a second search began', path: { isUnknown: true, failures: 2 }, answered: ['held', 'failed'] },
  { when: 'its delete waits', path: { deleting: 'waits' }, answered: ['held'] },
  { when: 'its delete waits, at rest', path: { deleting: 'waits', isOpen: false }, answered: ['held'] },
  { when: 'its delete is held', path: { deleting: 'held' }, answered: 'all' },
  {
    when: 'a halt holds its delete',
    path: { deleting: 'waits' },
    obstacles: DELETES_HALTED,
    answered: 'all',
  },
  {
    when: 'no delete comes through to it',
    path: { deleting: 'waits' },
    obstacles: NO_DELETES,
    answered: 'all',
  },
  {
    when: 'its delete waits, and no upload comes through',
    path: { deleting: 'waits' },
    obstacles: MUTE,
    answered: ['held'],
  },
];

describe('who waits for a path knows enough', () => {
  test.each(rows)('when $when: in the states $answered', ({ path, obstacles, answered }) => {
    const found = PATH_STATES.filter((state) =>
      isAnswered({ ...OPEN, ...path, state }, { ...FREE, ...obstacles }),
    );
    expect(found.toSorted()).toEqual((answered === 'all' ? PATH_STATES : answered).toSorted());
  });
});
