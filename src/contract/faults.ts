import type { HaltName } from './types.ts';

/** What the engine shall do about a failure. It branches on nothing else. */
export type Disposition =
  /** Try again later, by itself. */
  | 'retry'
  /** This version of this file will never be accepted; go on with the others. */
  | 'skip'
  /** Stop a class of actions; see `halt`. */
  | 'halt'
  /** The program cannot go on. */
  | 'fatal';

/**
 * What a failed request left behind. `refused`: surely nothing was stored. `unknown`: perhaps it was.
 */
export type Outcome = 'refused' | 'unknown';

export interface FaultDetails {
  readonly disposition: Disposition;
  readonly outcome: Outcome;
  /** Which class of actions stops, with `disposition: 'halt'`. */
  readonly halt?: Extract<HaltName, 'auth' | 'quota' | 'scope' | 'state' | 'root'>;
  /** `lane`: everything in the lane waits, not only this file (429). */
  readonly scope?: 'file' | 'lane';
  /** The server's own word on when to try again, milliseconds from now. */
  readonly retryAfterMs?: number;
  /** Short stable name, e.g. `server-400`, `network`, `timeout`, `tls`, `moved`, `disk-full`. */
  readonly rule: string;
  readonly status?: number;
  readonly requestId?: string;
  readonly cause?: unknown;
}

/**
 * The fault, if it is one that the engine goes on from. Throws everything else on: what is no `Fault` is a defect, and
 * after a fatal one the program must end. INVARIANT: every `catch` of the engine asks here, so that none keeps it alive.
 */
export function survivable(error: unknown): Fault {
  if (error instanceof Fault && error.disposition !== 'fatal') return error;
  throw error;
}

/** A known failure: one line for people (`message`), and what follows from it for the engine. */
export class Fault extends Error {
  readonly disposition: Disposition;
  readonly outcome: Outcome;
  readonly halt: FaultDetails['halt'];
  readonly scope: 'file' | 'lane';
  readonly retryAfterMs: number | null;
  readonly rule: string;
  readonly status: number | null;
  readonly requestId: string | null;

  constructor(message: string, details: FaultDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Fault';
    this.disposition = details.disposition;
    this.outcome = details.outcome;
    this.halt = details.halt;
    this.scope = details.scope ?? 'file';
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.rule = details.rule;
    this.status = details.status ?? null;
    this.requestId = details.requestId ?? null;
  }
}

/** A person must see to it before the program can go on. */
export function fatalFault(rule: string, message: string, cause?: unknown): Fault {
  return new Fault(message, { disposition: 'fatal', outcome: 'refused', rule, cause });
}

/** The same, about what was configured or how the program was started. */
export function configFault(message: string, cause?: unknown): Fault {
  return fatalFault('config', message, cause);
}

/** It goes by itself, later. Nothing was stored. */
export function retryFault(rule: string, message: string, cause?: unknown): Fault {
  return new Fault(message, { disposition: 'retry', outcome: 'refused', rule, cause });
}

/** It will never do for this file, or there is none. */
export function skipFault(rule: string, message: string, cause?: unknown): Fault {
  return new Fault(message, { disposition: 'skip', outcome: 'refused', rule, cause });
}
