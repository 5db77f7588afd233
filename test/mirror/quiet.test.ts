import { expect, test } from 'vitest';
import type { Collector } from '../../src/mirror/acts/collector.ts';
import type { Core } from '../../src/mirror/acts/core.ts';
import type { Deleter } from '../../src/mirror/acts/deleter.ts';
import type { Failures } from '../../src/mirror/memory/failures.ts';
import type { LaneGovernor } from '../../src/mirror/acts/lane-governor.ts';
import { Quiet } from '../../src/mirror/loop/quiet.ts';
import type { FileId, Garbage } from '../../src/contract/types.ts';
import { Worklist } from '../../src/mirror/waiting/worklist.ts';

const garbage: Garbage = {
  path: 'batch/a',
  purpose: 'batch',
  bytes: 1,
  since: 1,
  reason: 'replaced',
  hold: false,
};

/** A mirror with nothing to do but deleting one id after the other: whenever one is gone, there is a new one. */
function endlesslyReplacing() {
  const ids = new Map<FileId, Garbage>([['file-0', garbage]]);
  let polls = 0;
  const core = {
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
    view: { garbage: ids },
    settings: { settleMs: 0, canDelete: true },
    worklist: new Worklist(
      () => 0,
      () => 0,
    ),
    halts: { holds: () => false, all: () => [] },
    notes: { problems: () => [] },
  } as unknown as Core;
  const deleter = {
    isWaiting: () => false,
    waitingPaths: () => [],
  };
  const collector = { failuresOf: () => 0 };
  const governor = { trouble: () => null } as unknown as LaneGovernor;
  return new Quiet(
    core,
    deleter as unknown as Deleter,
    collector as unknown as Collector,
    { upload: governor, delete: governor },
    {} as unknown as Failures,
    { isUnproven: () => false, trouble: () => null },
  );
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

test('a backlog is not walked as a whole at every look: one path that is open decides', async () => {
  const worklist = new Worklist(
    () => 0,
    () => 0,
  );
  const paths = Array.from({ length: 1_000 }, (_, index) => `batch/${index}`);
  for (const path of paths) worklist.mark(path);
  let polls = 0;
  let asked = 0;
  const core = {
    clock: {
      monotonicMs: () => polls * 100,
      async sleep() {
        polls += 1;
        if (polls === 10) throw new Error('waited in vain');
      },
    },
    view: { garbage: new Map() },
    settings: { settleMs: 0 },
    worklist,
    halts: { has: () => false, holds: () => false, all: () => [] },
    notes: { stateOf: () => ((asked += 1), 'pending'), problems: () => [] },
  } as unknown as Core;
  const governor = { trouble: () => null } as unknown as LaneGovernor;
  const quiet = new Quiet(
    core,
    { isWaiting: () => false, waitingPaths: () => [] } as unknown as Deleter,
    {} as unknown as Collector,
    { upload: governor, delete: governor },
    {} as unknown as Failures,
    { isUnproven: () => false, trouble: () => null },
  );
  await expect(quiet.untilDone(new Set(paths), signal)).rejects.toThrow('waited in vain');
  expect(asked).toBe(polls);
});
