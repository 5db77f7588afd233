const FIRST_MS = 500;
const LAST_MS = 300_000;

/**
 * Full jitter: a random time between 0 and the exponential bound (0.5 s doubling up to 5 min), so that many who
 * failed together do not come back together. A small floor keeps a lucky zero from hammering.
 */
export function backoffMs(failures: number, random: () => number): number {
  const bound = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 30));
  return Math.max(FIRST_MS / 5, random() * bound);
}
