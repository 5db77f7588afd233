/** `Date` headers may come from machines whose clocks differ: so much of the time before a restart does not count. */
const CLOCK_SLACK_MS = 60_000;

/**
 * How much of the search is over already, milliseconds: what an earlier run has spent on it. Both times are unix
 * milliseconds by the server's clock; null: not known, and the search begins anew.
 */
export function searchedMs(sinceMs: number | null, nowMs: number | null): number {
  if (sinceMs === null || nowMs === null) return 0;
  return Math.max(0, nowMs - sinceMs - CLOCK_SLACK_MS);
}

/** The first pause between two looks, and by how much each is longer than the one before. */
const FIRST_PAUSE_MS = 2_000;
const GROWTH = 4;

/**
 * When to look for an upload of unknown outcome in the listing, in milliseconds after it became unknown: at once,
 * then ever more seldom, and for the last time when all of `lookMs` is over. Lists lag, so only that last empty look
 * says that nothing was stored.
 */
export function lookTimesMs(lookMs: number): readonly number[] {
  const times = [0];
  for (let atMs = FIRST_PAUSE_MS; atMs < lookMs; atMs *= GROWTH) times.push(atMs);
  if (lookMs > 0) times.push(lookMs);
  return times;
}
