/** When batches are asked for. Pure. */
import type { Said } from './batch-status.ts';

const VALIDATING_MS = 15_000;
const STEADY_MS = 60_000;
const SLOWEST_MS = 600_000;
/** One that still validates after this is as slow as one that runs. */
const VALIDATING_IS_NEW_MS = 600_000;
/** Of one list page. */
export const PAGE = 100;
/** Single requests of one sweep: the rest comes with the next. */
const MOST_SINGLES = 50;

export interface Polled {
  readonly said: Said;
  /** Since it was created. */
  readonly ageMs: number;
}

export interface Pace {
  /** A fixed pace; null: by what it does and how old it is. */
  readonly pollSeconds: number | null;
  /** 1, and twice that with each 429 in a row. */
  readonly slowness: number;
}

/** How long after the last time it is asked for again. */
export function pollAfterMs({ said, ageMs }: Polled, { pollSeconds, slowness }: Pace): number {
  if (pollSeconds !== null) return pollSeconds * 1_000 * slowness;
  const isNew = said === 'validating' && ageMs < VALIDATING_IS_NEW_MS;
  const own = isNew ? VALIDATING_MS : Math.min(SLOWEST_MS, Math.max(STEADY_MS, ageMs / 10));
  return Math.min(SLOWEST_MS, own * slowness);
}

/**
 * How long after a sweep of that many requests the next one may begin, so that many open batches cost no more requests
 * an hour than one page a minute does.
 */
export function sweepAfterMs(requests: number, someAreNew: boolean, { pollSeconds }: Pace): number {
  if (pollSeconds !== null || requests <= 1) return 0;
  return Math.min(SLOWEST_MS, requests * (someAreNew ? VALIDATING_MS : STEADY_MS));
}

/** List pages that are worth reading for so many; one batch is asked for by itself. */
export function pagesFor(open: number): number {
  return open <= 1 ? 0 : Math.ceil(open / PAGE);
}

/** Of those that no page reached, the ones to be asked for singly now: who waited longest first. */
export function singlesOf<T>(unreached: readonly T[], waitedMs: (one: T) => number): readonly T[] {
  return unreached.toSorted((a, b) => waitedMs(b) - waitedMs(a)).slice(0, MOST_SINGLES);
}

/** 1, 2, 4, 8: after a 429, or back again after an answer. */
export function slownessAfter(slowness: number, wasLimited: boolean): number {
  return wasLimited ? Math.min(8, slowness * 2) : Math.max(1, slowness / 2);
}

/** A pause that doubles from `firstMs` up to `lastMs`; `failures` from 1. */
export function growingPauseMs(failures: number, firstMs: number, lastMs: number): number {
  return Math.min(lastMs, firstMs * 2 ** Math.min(20, Math.max(0, failures - 1)));
}
