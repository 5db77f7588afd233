import { serverNowSeconds, type Core } from '../acts/core.ts';
import type { MirrorStatus, Phase } from '../../contract/report.ts';

const MAX_PROBLEMS = 1_000;

export interface EngineFacts {
  readonly phase: Phase;
  readonly watching: string;
  readonly waitingDeletes: number;
  readonly lastScanAt: number | null;
  readonly lastVerifyAt: number | null;
}

export function statusOf(core: Core, facts: EngineFacts): MirrorStatus {
  const { view, halts, notes, queue } = core;
  const { groups, shown } = notes.groupedProblems(MAX_PROBLEMS);
  const heldGarbage = [...view.garbage.values()].filter((garbage) => garbage.hold).length;
  const unheldGarbage = view.garbage.size - heldGarbage;
  const { canDelete } = core.settings;
  const window = queue.uploadWindow();
  const pause = queue.holds('upload').find((hold) => hold.name === 'retry-after' || hold.name === 'backoff');
  return {
    version: 1,
    mirrorId: view.mirrorId,
    root: core.settings.root,
    api: core.settings.api,
    phase: facts.phase,
    paused: halts.has('paused'),
    halts: halts.all(),
    counts: notes.counts(),
    waitingDeletes: facts.waitingDeletes,
    garbage: canDelete ? unheldGarbage : 0,
    undeletable: canDelete ? 0 : unheldGarbage,
    heldGarbage,
    openIntents: view.intents.size,
    unsureUploads: view.intents
      .keys()
      .filter((path) => notes.stateOf(path) !== 'uploading')
      .toArray().length,
    uploads: {
      ...window,
      pause: pause === undefined ? null : { why: pause.why, remainingMs: pause.remainingMs ?? 0 },
    },
    nextExpiry: nextExpiryOf(core),
    lastScanAt: facts.lastScanAt,
    lastVerifyAt: facts.lastVerifyAt,
    watching: facts.watching,
    problems: shown,
    problemsTotal: notes.size,
    problemGroups: groups,
  };
}

/** The soonest one that is still to come: what has expired is told by its path's state. */
function nextExpiryOf(core: Core): MirrorStatus['nextExpiry'] {
  const now = serverNowSeconds(core);
  let next: MirrorStatus['nextExpiry'] = null;
  for (const [path, { expiresAt }] of core.view.files) {
    if (expiresAt !== null && expiresAt > now && (next === null || expiresAt < next.expiresAt))
      next = { path, expiresAt };
  }
  return next;
}
