import { NO_USES } from '../../src/contract/file-uses.ts';
import { expect, test } from 'vitest';
import { Quiet } from '../../src/mirror/loop/quiet.ts';
import type { FileId, Garbage } from '../../src/contract/types.ts';
import { AskingRoom } from '../../src/mirror/waiting/asking-room.ts';
import { on, Worklist } from '../../src/mirror/waiting/worklist.ts';

const garbage: Garbage = {
  path: 'batch/a',
  purpose: 'batch',
  bytes: 1,
  since: 1,
  reason: 'replaced',
  hold: false,
};

const untroubled = { trouble: () => null };
const governors = { upload: untroubled, delete: untroubled, ask: untroubled };
const uses = NO_USES;
const scope = { isUnproven: () => false, trouble: () => null };

/** A mirror with nothing to do but deleting one id after the other: whenever one is gone, there is a new one. */
function endlesslyReplacing() {
  const ids = new Map<FileId, Garbage>([['file-0', garbage]]);
  let polls = 0;
  const world = {
    clock: {
      monotonicMs: () => polls * 100,
      wallMs: () => polls * 100,
      async sleep(_ms: number, signal?: AbortSignal) {
        signal?.throwIfAborted();
        polls += 1;
        if (polls === 100) throw new Error('waited in vain');
        ids.clear();
        ids.set(`file-${polls}`, garbage);
      },
    },
    view: { garbage: ids, intents: new Map() },
    config: { settings: { settleMs: 0, canDelete: true } },
    worklist: new Worklist(
      () => 0,
      () => 0,
    ),
    halts: { has: () => false, holds: () => false, all: () => [] },
    notes: { problems: () => [], stateOf: () => null },
    failures: { total: () => 0 },
    askingRoom: new AskingRoom(),
  };
  const deleter = {
    isWaiting: () => false,
    isHeld: () => false,
    waitingPaths: () => [],
  };
  const collector = { failuresOf: () => 0 };
  return new Quiet({ ...world, deleter, collector, governors, scope, uses } as never);
}

const signal = new AbortController().signal;

test('who waits for some paths waits for the garbage of that moment, not for that of what others replace meanwhile', async () => {
  await expect(endlesslyReplacing().untilDone(new Set(['batch/a']), signal)).resolves.toEqual({
    problems: [],
    halts: [],
  });
});

test('who waits for everything waits for all garbage', async () => {
  await expect(endlesslyReplacing().untilDone(null, signal)).rejects.toThrow('waited in vain');
});

test.each(['flush', 'sync'] as const)(
  'for %s a backlog is not walked as a whole at every look: one path that is open decides',
  async (verb) => {
    const worklist = new Worklist(
      () => 0,
      () => 0,
    );
    // Nine of ten are held for room: known to who waits. The others are to be sent.
    const paths = Array.from({ length: 1_000 }, (_, index) => `batch/${index}`);
    for (const path of paths) worklist.mark(path);
    for (const path of paths.slice(0, 900)) {
      worklist.take();
      worklist.done(path, on('storage'));
    }
    let polls = 0;
    let asked = 0;
    const stateOf = (path: string): string => {
      asked += 1;
      return worklist.topicOf(path) === null ? 'pending' : 'held';
    };
    const world = {
      askingRoom: new AskingRoom(),
      clock: {
        monotonicMs: () => polls * 100,
        async sleep() {
          polls += 1;
          if (polls === 10) throw new Error('waited in vain');
        },
      },
      view: { garbage: new Map(), intents: new Map() },
      config: { settings: { settleMs: 0 } },
      worklist,
      failures: { total: () => 0 },
      halts: { has: () => false, holds: () => false, all: () => [] },
      notes: { stateOf, problems: () => [] },
    };
    const deleter = { isWaiting: () => false, isHeld: () => false, waitingPaths: () => [] };
    const quiet = new Quiet({ ...world, deleter, governors, scope, uses } as never);
    const wanted = verb === 'flush' ? new Set(worklist.paths()) : null;
    await expect(quiet.untilDone(wanted, signal)).rejects.toThrow('waited in vain');
    expect(asked).toBe(polls);
  },
);
