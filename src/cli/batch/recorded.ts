import type { BatchView } from '../../contract/batch-report.ts';
import type { MirrorPath } from '../../contract/types.ts';
import type { Context } from '../context.ts';
import { runningText } from '../found-process.ts';
import { tell } from '../io.ts';

/** What the daemon says of all batches; without one, what was recorded last. Oldest first. */
export async function batchViews(context: Context, quiet = false): Promise<readonly BatchView[]> {
  const { config } = await context.loadConfig();
  const found = await context.findProcess(config);
  if (found.kind === 'daemon') return await Array.fromAsync(found.daemon.batches.list());
  const { readState, recordedViews } = await context.compose();
  const { batches } = await readState(config.stateDir);
  if (!quiet || found.kind === 'silent')
    tell(context.io, `${runningText(found)}; this is what was recorded last`);
  return recordedViews(batches);
}

/** The latest at each path. */
export function latestByPath(views: readonly BatchView[]): ReadonlyMap<MirrorPath, BatchView> {
  return new Map(
    views.toSorted((a, b) => (a.wantedAt < b.wantedAt ? -1 : 1)).map((view) => [view.path, view]),
  );
}

/** What `list` and `id` show beside a file; null: it has no batch. */
export interface BatchBeside {
  readonly batch: BatchView | null;
}
