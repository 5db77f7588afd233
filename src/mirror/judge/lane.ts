import type { Fault } from '../../contract/faults.ts';

/**
 * When a lane is to blame for what failed in it, and how long it waits then. Pure: the API is in trouble when the
 * server says so of the lane, when a failure has no file or id that may be its cause, or when several of them failed
 * in a row.
 */

/** This many files or ids that failed in a row, each for itself, say that the API is the trouble. */
const SUSPECTS_TO_WAIT = 3;

export interface LaneState {
  /** Files or ids that failed for themselves since something last worked. */
  readonly suspects: ReadonlySet<string>;
  /** How often in a row the lane had to wait. */
  readonly waits: number;
  /** Failures in a row that concern the API as a whole. */
  readonly failures: number;
  /** What the last of these failures said. */
  readonly lastMessage: string;
  /** Until when the server asked the lane to wait, monotonic. */
  readonly askedUntilMs: number;
  /** Until when the lane waits because of failures, whatever the reason, monotonic. */
  readonly waitsUntilMs: number;
}

export const UNTROUBLED: LaneState = {
  suspects: new Set(),
  waits: 0,
  failures: 0,
  lastMessage: '',
  askedUntilMs: 0,
  waitsUntilMs: 0,
};

export interface LaneFailure {
  readonly kind: 'failed';
  readonly fault: Pick<Fault, 'scope' | 'status' | 'retryAfterMs' | 'message'>;
  /** The file or id that may itself be the cause; null: it cannot be. */
  readonly suspect: string | null;
  /** Monotonic. */
  readonly nowMs: number;
  /** How long the lane waits if this is one more failure of the API and the server does not say how long. */
  readonly backoffMs: number;
}

export type LaneEvent =
  /** A request was granted, or refused for reasons of its file: the API works. */
  | { readonly kind: 'works' }
  /** The configuration or the key may have changed: it is tried at once. */
  | { readonly kind: 'reconfigured' }
  | LaneFailure;

/** A hold to set. */
export interface LaneHold {
  /** `retry-after` lasts to its end, whatever other requests that were under way bring back. */
  readonly name: 'backoff' | 'retry-after';
  readonly why: string;
  readonly forMs: number;
}

export interface LaneStep {
  readonly state: LaneState;
  /** The failure was taken for one of the API: there is nothing to be said about its suspect. */
  readonly isApi: boolean;
  readonly hold: LaneHold | null;
  readonly endsBackoff: boolean;
  /** Whether one request at a time goes through, to find out; null: as before. */
  readonly probing: boolean | null;
  /** How long the lane waits, where that is to be told: at the first trouble, and then ever more seldom. */
  readonly tellsWaitMs: number | null;
}

export function laneAfter(state: LaneState, event: LaneEvent): LaneStep {
  switch (event.kind) {
    case 'works': {
      const { askedUntilMs } = state;
      const calm = { ...UNTROUBLED, askedUntilMs, waitsUntilMs: askedUntilMs };
      return { ...quietly(calm, false), endsBackoff: true, probing: false };
    }
    case 'reconfigured':
      return { ...quietly({ ...state, waitsUntilMs: state.askedUntilMs }, false), endsBackoff: true };
    case 'failed':
      return afterFailure(state, event);
  }
}

function afterFailure(before: LaneState, failure: LaneFailure): LaneStep {
  const { fault, nowMs } = failure;
  // RACE: what was under way together fails together; that is one failure of the API, not many.
  const isWaiting = nowMs < before.waitsUntilMs;
  const { suspects, isApi } = blame(before, failure);
  const counts = !isWaiting && (isApi || fault.status === null);
  const state = {
    ...before,
    suspects,
    ...(counts ? { failures: before.failures + 1, lastMessage: fault.message } : {}),
  };
  if (!isApi || (isWaiting && fault.retryAfterMs === null)) return quietly(state, isApi);
  const waits = isWaiting ? state.waits : state.waits + 1;
  const forMs = fault.retryAfterMs ?? failure.backoffMs;
  const untilMs = nowMs + forMs;
  const isAsked = fault.retryAfterMs !== null;
  const isLonger = !isAsked || untilMs > state.askedUntilMs;
  return {
    state: {
      ...state,
      waits,
      askedUntilMs: isAsked ? Math.max(state.askedUntilMs, untilMs) : state.askedUntilMs,
      waitsUntilMs: Math.max(state.waitsUntilMs, untilMs),
    },
    isApi,
    hold: isLonger ? { name: isAsked ? 'retry-after' : 'backoff', why: fault.message, forMs } : null,
    endsBackoff: false,
    probing: true,
    tellsWaitMs: !isWaiting && Number.isInteger(Math.log2(waits)) ? forMs : null,
  };
}

/** One suspect that fails again and again says nothing new about the others. */
function blame(
  { suspects }: LaneState,
  { fault, suspect }: LaneFailure,
): { readonly suspects: ReadonlySet<string>; readonly isApi: boolean } {
  if (suspect === null || fault.scope === 'lane') return { suspects, isApi: true };
  const more = suspects.size < SUSPECTS_TO_WAIT ? new Set([...suspects, suspect]) : suspects;
  return { suspects: more, isApi: more.size >= SUSPECTS_TO_WAIT };
}

function quietly(state: LaneState, isApi: boolean): LaneStep {
  return { state, isApi, hold: null, endsBackoff: false, probing: null, tellsWaitMs: null };
}
