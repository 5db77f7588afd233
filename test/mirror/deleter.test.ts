import { expect, test } from 'vitest';
import { Deleter } from '../../src/mirror/acts/deleter.ts';
import { HaltBoard } from '../../src/mirror/memory/halts.ts';
import { LetGo } from '../../src/mirror/judge/let-go.ts';
import { Totals } from '../../src/mirror/memory/totals.ts';
import { PathNotes } from '../../src/mirror/memory/path-notes.ts';
import type { SendQueue } from '../../src/contract/ports.ts';
import { NO_MEMORY } from '../../src/contract/types.ts';
import type { ManifestView, Memory, MirrorPath, Recorded } from '../../src/contract/types.ts';
import { entry } from '../manifest/samples.ts';

const paths: readonly MirrorPath[] = ['batch/a', 'batch/b', 'batch/c'];

/** All files are gone, which is more than may go at once. `whileLooking`: what happens while their folder is looked at. */
async function emptied() {
  let nowMs = 0;
  const happening = { whileLooking: (): void => {} };
  const view: ManifestView = {
    mirrorId: 'm1',
    files: new Map(paths.map((path) => [path, entry(`file-${path}`)])),
    intents: new Map(),
    garbage: new Map(),
    rejected: new Map(),
  };
  const ledger = {
    memory: NO_MEMORY,
    writes: 0,
    subscribe: (told: Recorded) => {
      recorded = told;
    },
    tryRemember: async (part: Partial<Memory>) => {
      ledger.memory = { ...ledger.memory, ...part };
      ledger.writes += 1;
      return true;
    },
  };
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} };
  const queue = { hold: () => {}, release: () => {} } as unknown as SendQueue;
  const notes = new PathNotes(view, () => 'batch');
  let recorded: Recorded = () => {};
  const world = {
    clock,
    view,
    notes,
    halts: new HaltBoard(queue, () => {}, 'daemon'),
    ledger,
    config: {
      local: {
        lookFolder: async () => {
          happening.whileLooking();
          return { kind: 'present' };
        },
      },
      settings: { graceMs: 0, maxFraction: 0.1, minCount: 1, folders: new Map() },
    },
  };
  const totals = new Totals(view, async () => {});
  const collector = { hasEnough: false, isBusy: false };
  const letGo = new LetGo(clock, {});
  const deleter = new Deleter({
    ...world,
    totals,
    collector,
    letGo,
    pause: async () => {},
    worklist: { claim: () => false },
  } as never);
  for (const path of paths) deleter.handle(path, '2049');
  nowMs += 10_000;
  await deleter.tick(false);
  expect(paths.map((path) => notes.stateOf(path))).toEqual(['held', 'held', 'held']);
  nowMs += 10_000;
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  const add = (path: MirrorPath): void =>
    recorded({ files: { [path]: entry(path) } }, { ...view, files: new Map() });
  return { deleter, notes, happening, letGo, ledger, pass, add };
}

test('a file that is back while a mass delete is judged is not held', async () => {
  const { deleter, notes, happening } = await emptied();
  happening.whileLooking = () => {
    deleter.forget('batch/a');
    notes.clear('batch/a');
  };
  await deleter.tick(false);
  expect(paths.map((path) => notes.stateOf(path))).toEqual(['synced', 'held', 'held']);
  expect(paths.map((path) => deleter.isHeld(path))).toEqual([false, true, true]);
});

test('deletes that are approved while they are judged are not held again', async () => {
  const { deleter, notes, happening } = await emptied();
  const approved: Promise<number>[] = [];
  happening.whileLooking = () => {
    approved.push(deleter.approve(null));
  };
  await deleter.tick(false);
  expect(await Promise.all(approved)).toEqual([3]);
  expect(paths.map((path) => notes.stateOf(path))).toEqual(['deleting', 'deleting', 'deleting']);
});

test('what comes in the place of what was let go is written in groups, and not again when nothing changed', async () => {
  const { deleter, letGo, ledger, pass, add } = await emptied();
  letGo.went('batch', 1_000);
  await deleter.tick(false);
  const before = ledger.writes;
  for (let count = 0; count < 600; count += 1) {
    add(`batch/new-${count}`);
    pass(100);
    await deleter.tick(false);
  }
  expect(ledger.writes - before).toBe(12);
  await deleter.remember();
  expect(letGo.differsFrom(ledger.memory.letGo, new Map())).toBe(false);
  const settled = ledger.writes;
  for (let count = 0; count < 100; count += 1) {
    pass(1_000);
    await deleter.tick(false);
  }
  expect(ledger.writes).toBe(settled);
});
