/** Numbers, sizes and times as a person reads them. */

/** `1 file`, `2 files`: the one place that knows about plurals. `others`: the plural of a noun that has one of its own. */
export function counted(count: number, noun: string, others = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : others}`;
}

/** `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

const byteUnits = ['B', 'KB', 'MB', 'GB', 'TB'] as const;

/** `175 B`, `1.2 MB`: decimal units, as the API's documentation counts. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.95 would be rounded up to the next unit's 1000.
  while (value >= 999.95 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${byteUnits[unit]}`;
}

/** `80 ms`, `7 s`, `12 min`, `3 h`, `29 d`: one unit, rounded up, since it says how long to wait. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.max(0, Math.ceil(durationMs))} ms`;
  const seconds = Math.ceil(durationMs / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.ceil(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.ceil(seconds / 3600)} h`;
  return `${Math.ceil(seconds / 86_400)} d`;
}

/** `2026-11-22 01:05:00Z` for unix seconds. */
export function formatTime(unixSeconds: number): string {
  return new Date(unixSeconds * 1000)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

/** `0.3 s`, for what is over in seconds. */
export function formatSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
