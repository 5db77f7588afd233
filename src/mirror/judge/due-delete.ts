/** Deletes wait until no new disappearance was noted for this long, so that a mass delete is seen as a whole. */
const QUIET_MS = 1_000;
/** … but not longer than this after their grace period. */
const MAX_POSTPONE_MS = 60_000;

/** What is known of one delete that waits, at one moment. */
export interface DeleteMoment {
  /** The grace period is over. */
  readonly graceOver: boolean;
  /** Nothing disappeared lately. */
  readonly quiet: boolean;
  /** It has waited for quiet long enough. */
  readonly postponed: boolean;
  /** A scan is running or about to, which may yet find the file elsewhere. */
  readonly scanSoon: boolean;
  /** The last look could not tell whether the file is gone. */
  readonly inDoubt: boolean;
  /** The file lives on under another path, which is not mirrored yet. */
  readonly livesOn: boolean;
}

/** `lives-on`: it has not disappeared at all, and counts for no guard. */
export type DeleteTurn = 'due' | 'waits' | 'lives-on';

/** Whether a delete may begin, if the guards agree: the whole table of it. */
export function turnOf({
  graceOver,
  quiet,
  postponed,
  scanSoon,
  inDoubt,
  livesOn,
}: DeleteMoment): DeleteTurn {
  if (livesOn) return 'lives-on';
  return graceOver && (quiet || postponed) && !scanSoon && !inDoubt ? 'due' : 'waits';
}

/** The times that decide, monotonic. */
export interface DeleteTimes {
  readonly nowMs: number;
  /** When the last file disappeared. */
  readonly lastGrowthMs: number;
  readonly graceMs: number;
  readonly scanSoon: boolean;
}

export function momentOf(
  { sinceMs, inDoubt, livesOn }: { sinceMs: number; inDoubt: boolean; livesOn: boolean },
  { nowMs, lastGrowthMs, graceMs, scanSoon }: DeleteTimes,
): DeleteMoment {
  const ageMs = nowMs - sinceMs;
  return {
    graceOver: ageMs >= graceMs,
    quiet: nowMs - lastGrowthMs >= Math.min(graceMs, QUIET_MS),
    postponed: ageMs >= graceMs + MAX_POSTPONE_MS,
    scanSoon,
    inDoubt,
    livesOn,
  };
}
