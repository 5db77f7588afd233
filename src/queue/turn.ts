/** One point of folder priority counts like having come this much earlier. */
const MS_PER_PRIORITY = 600_000;
/** A file counts as having come later by the time it would make others wait, at this speed … */
const BYTES_PER_MS = 10_000;
/** … but never more than this, so that it is not overtaken for ever. */
const MAX_SIZE_PENALTY_MS = 300_000;

/**
 * When an upload's turn is, as a virtual arrival time: earlier goes first. Folder priority moves it forward and
 * size moves it back, both by a bounded time, so every upload is the oldest at last and none starves.
 */
export function virtualArrivalMs(nowMs: number, priority: number, sizeBytes: number): number {
  return nowMs - priority * MS_PER_PRIORITY + Math.min(sizeBytes / BYTES_PER_MS, MAX_SIZE_PENALTY_MS);
}
