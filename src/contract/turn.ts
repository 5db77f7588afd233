/** One point of folder priority counts like having come this much earlier. */
const MS_PER_PRIORITY = 600_000;
/** A file counts as having come later by the time for which it would make others wait, at this speed … */
const BYTES_PER_MS = 10_000;
/** … but never more than this, so that it is not overtaken for ever. */
const MAX_SIZE_PENALTY_MS = 300_000;

/** Uploads from this size on count as large: they never take every place. */
export const LARGE_BYTES = 16_000_000;

/**
 * When it is a path's turn, as a virtual time of arrival: earlier goes first. Folder priority moves it forward and
 * size moves it back, both by a bounded time, so every path is the oldest at last and none starves.
 */
export function turnMs(sinceMs: number, priority: number, sizeBytes: number): number {
  return sinceMs - priority * MS_PER_PRIORITY + Math.min(sizeBytes / BYTES_PER_MS, MAX_SIZE_PENALTY_MS);
}
