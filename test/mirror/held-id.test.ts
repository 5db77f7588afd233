import { expect, test } from 'vitest';
import { IdentityIndex } from '../../src/mirror/memory/identity-index.ts';
import { rulesKey } from '../../src/mirror/judge/plan.ts';
import type { Rejection } from '../../src/contract/types.ts';
import { Worker } from '../../src/mirror/acts/worker.ts';
import { garbage } from '../manifest/samples.ts';
import { rulesOf } from '../support/folder-rules.ts';

test('an id that is believed by now is ours also while that is being recorded', async () => {
  const path = 'batch/a.jsonl';
  const rules = rulesOf('batch');
  const stat = '10 1 1 7 1';
  const kept = {
    id: 'file-kept',
    bytes: 11,
    createdAt: 1,
    expiresAt: null,
    filename: 'a.jsonl',
    purpose: 'batch',
  };
  const rejection: Rejection = {
    stat,
    purpose: 'batch',
    rulesKey: rulesKey(rules),
    rule: 'reply-contradicts',
    message: 'it counts a byte too many',
    at: 1,
    sha256: 'bb',
    kept,
  };
  const view = {
    mirrorId: 'm1',
    files: new Map(),
    intents: new Map(),
    garbage: new Map([[kept.id, { ...garbage(path), hold: true }]]),
    rejected: new Map([[path, rejection]]),
  };
  const index = new IdentityIndex(view);
  expect(index.isOwned(kept.id)).toBe(true);
  let wasOurs: boolean | null = null;
  const world = {
    view,
    index,
    ledger: {
      // The view shows a change a moment before the index does.
      commit: async () => {
        view.garbage.delete(kept.id);
        wasOurs = index.isOwned(kept.id);
      },
    },
    halts: { has: () => false },
    api: { serverNowMs: () => 1_000 },
    clock: { wallMs: () => 1_000 },
    listener: () => {},
    config: {
      local: {
        look: async () => ({ kind: 'file', stat, sizeBytes: 10 }),
        needsFullRead: () => false,
        precheck: () => null,
      },
      settings: { folders: new Map([['batch', rules]]), trustReply: new Set(['purpose']) },
    },
  };
  const idle = { forget: () => {}, notHeld: () => {} };
  const worker = new Worker({ ...world, deleter: idle, storage: idle } as never);
  await worker.step(path, new AbortController().signal);
  expect(wasOurs).toBe(true);
  expect(index.isHeld(kept.id)).toBe(false);
});
