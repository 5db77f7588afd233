import { rejectionsForgotten, type RefusedView } from './fold.ts';
import { isWithinAny } from '../../contract/mirror-path.ts';
import type { Change, ManifestView, MirrorPath, Rejection } from '../../contract/types.ts';

/** Paths in one change: a journal line is written and read as one text. */
const PATHS_PER_CHANGE = 10_000;

/** Refused by the server, not by a rule of ours: with another key, or otherwise asked, it may take the file. */
export function isServersWord({ rule }: Pick<Rejection, 'rule'>): boolean {
  return rule === 'auth' || rule === 'expiry-ignored' || rule.startsWith('server-');
}

/** The rejected files at or below `wanted`; null: all that the server refused. Pure. */
export function rejectedAt(
  { rejected }: Pick<ManifestView, 'rejected'>,
  wanted: readonly MirrorPath[] | null,
): readonly MirrorPath[] {
  const found: MirrorPath[] = [];
  const trees = wanted === null ? null : new Set(wanted);
  for (const [path, rejection] of rejected) {
    if (trees === null ? isServersWord(rejection) : isWithinAny(path, trees)) found.push(path);
  }
  return found;
}

/**
 * Forgets that files were rejected, so that they are tried again as they are. Returns which. `wanted`: as for
 * `rejectedAt`. Throws what `commit` throws; what was committed until then is forgotten.
 */
export async function forgetRejections(
  view: RefusedView,
  commit: (change: Change) => Promise<void>,
  wanted: readonly MirrorPath[] | null,
): Promise<readonly MirrorPath[]> {
  const paths = rejectedAt(view, wanted);
  for (let at = 0; at < paths.length; at += PATHS_PER_CHANGE) {
    await commit(rejectionsForgotten(view, paths.slice(at, at + PATHS_PER_CHANGE)));
  }
  return paths;
}
