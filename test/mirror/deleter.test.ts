import { expect, test } from 'vitest';
import type { Collector } from '../../src/mirror/collector.ts';
import type { Core } from '../../src/mirror/core.ts';
import { Deleter } from '../../src/mirror/deleter.ts';
import { HaltBoard } from '../../src/mirror/halts.ts';
import { LetGo } from '../../src/mirror/let-go.ts';
import { PathNotes } from '../../src/mirror/path-notes.ts';
import type { SendQueue } from '../../src/mirror/ports.ts';
import type { RootGuard } from '../../src/mirror/root-guard.ts';
import type { ManifestView, MirrorPath } from '../../src/mirror/types.ts';
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
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} };
  const queue = { hold: () => {}, release: () => {} } as unknown as SendQueue;
  const notes = new PathNotes(view, () => 'batch');
  const core = {
    clock,
    view,
    notes,
    local: {
      lookFolder: async () => {
        happening.whileLooking();
        return { kind: 'present' };
      },
    },
    halts: new HaltBoard(queue, () => {}, 'daemon'),
    ledger: { tryRemember: async () => true },
    settings: { graceMs: 0, maxFraction: 0.1, minCount: 1, folders: new Map() },
  } as unknown as Core;
  const collector = { hasEnough: false, isBusy: false } as Collector;
  const deleter = new Deleter(core, {} as RootGuard, collector, new LetGo(clock, {}), () => {});
  for (const path of paths) await deleter.handle(path, '2049');
  nowMs += 10_000;
  await deleter.tick(false);
  expect(paths.map((path) => notes.stateOf(path))).toEqual(['held', 'held', 'held']);
  nowMs += 10_000;
  return { deleter, notes, happening };
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
  happening.whileLooking = () => expect(deleter.approve(null)).toBe(3);
  await deleter.tick(false);
  expect(paths.map((path) => notes.stateOf(path))).toEqual(['deleting', 'deleting', 'deleting']);
});
