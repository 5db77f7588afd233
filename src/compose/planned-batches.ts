import { isOver, type BatchesView, type BatchRecord } from '../contract/batch.ts';
import { folderOf } from '../contract/mirror-path.ts';
import type { MirrorPath } from '../contract/types.ts';

/** What a pass would do about one batch. `submit`, `look-up` and `fetch` are due; `watch` asks, `wait` does nothing. */
export interface PlannedBatch {
  readonly op: 'submit' | 'look-up' | 'fetch' | 'watch' | 'wait';
  readonly path: MirrorPath;
  readonly reason: string;
}

/** `uploads`: paths that the same pass uploads anew. */
export function plannedBatches(
  { batches }: BatchesView,
  uploads: readonly MirrorPath[],
  submitFolders: ReadonlySet<string>,
): readonly PlannedBatch[] {
  const planned: PlannedBatch[] = uploads
    .filter((path) => submitFolders.has(folderOf(path)))
    .map((path) => ({ op: 'submit', path, reason: 'after its upload' }));
  for (const record of batches.values()) {
    if (!isOver(record.state)) planned.push(plannedFor(record));
  }
  return planned.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function plannedFor({ path, state, hold, leftAlone, batch }: BatchRecord): PlannedBatch {
  switch (state) {
    case 'submitting':
      return { op: 'look-up', path, reason: 'whether it was begun is not known' };
    case 'open':
      return { op: 'watch', path, reason: `${batch?.id ?? ''} is ${batch?.status ?? 'open'}` };
    case 'wanted':
      if (leftAlone) return { op: 'wait', path, reason: 'it was there before submitting was switched on' };
      return hold === null
        ? { op: 'submit', path, reason: 'it is mirrored' }
        : { op: 'wait', path, reason: hold.text };
    default:
      return { op: 'fetch', path, reason: `${batch?.id ?? ''} has ended` };
  }
}
