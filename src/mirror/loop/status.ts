import type { Clock, FilesApi, SendQueue } from '../../contract/ports.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import { serverNowSeconds } from '../../contract/times.ts';
import type { Totals } from '../memory/totals.ts';
import type { ManifestView } from '../../contract/types.ts';
import type { MirrorStatus, Phase } from '../../contract/report.ts';

const MAX_PROBLEMS = 1_000;

/** What it tells of. */
interface Parts {
  readonly api: FilesApi;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly notes: PathNotes;
  readonly queue: SendQueue;
  readonly totals: Totals;
  readonly view: ManifestView;
}

export interface EngineFacts {
  readonly phase: Phase;
  readonly watching: string;
  readonly waitingDeletes: number;
  readonly lastScanAt: number | null;
  readonly lastVerifyAt: number | null;
}

export function statusOf(parts: Parts, facts: EngineFacts): MirrorStatus {
  const { view, halts, notes, queue, totals } = parts;
  const { groups, shown } = notes.groupedProblems(MAX_PROBLEMS);
  const { heldGarbage } = totals;
  const unheldGarbage = view.garbage.size - heldGarbage;
  const { canDelete } = parts.config.settings;
  const window = queue.uploadWindow();
  const pause = queue.holds('upload').find((hold) => hold.name === 'retry-after' || hold.name === 'backoff');
  return {
    version: 1,
    mirrorId: view.mirrorId,
    root: parts.config.settings.root,
    api: parts.config.settings.api,
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
    nextExpiry: totals.nextExpiry(serverNowSeconds(parts)),
    lastScanAt: facts.lastScanAt,
    lastVerifyAt: facts.lastVerifyAt,
    watching: facts.watching,
    problems: shown,
    problemsTotal: notes.size,
    problemGroups: groups,
  };
}
