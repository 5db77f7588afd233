import { UsageError } from './usage-error.ts';

/** `--timeout S` in milliseconds; null when there is none. Throws `UsageError`. */
export function timeoutMsOf(seconds: number | undefined): number | null {
  if (seconds === undefined) return null;
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new UsageError('--timeout wants a number of seconds, e.g. --timeout 30');
  return seconds * 1000;
}
