/** Times as they are written down: unix seconds, and ISO. */
import type { Clock, Questions } from './ports.ts';

export interface Times {
  readonly api: Pick<Questions, 'serverNowMs'>;
  readonly clock: Clock;
}

/** Unix seconds by the local clock. */
export function nowSeconds({ clock }: Pick<Times, 'clock'>): number {
  return Math.floor(clock.wallMs() / 1000);
}

/** Unix seconds by the server's clock, or by the local one as long as the server's is not known. */
export function serverNowSeconds({ api, clock }: Times): number {
  return Math.floor((api.serverNowMs() ?? clock.wallMs()) / 1000);
}

/** `2026-11-25T19:00:00.000Z` for unix seconds; null also for what is no time that can be written. */
export function isoOf(seconds: number | null | undefined): string | null {
  const date = new Date((seconds ?? Number.NaN) * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
