import { Fault } from '../../../src/contract/faults.ts';
import type { SimRandom } from './sim-random.ts';

/** How an upload will go wrong. `lost` and `stored` say what the server did; the client cannot see it. */
export type UploadFate =
  | 'ok'
  | 'no-connection'
  | 'rate-limited'
  | 'conflict'
  | 'early-5xx'
  | 'reset-in-body'
  | '5xx-lost'
  | '5xx-stored'
  /** 408 or 409 after the whole body. */
  | '4xx-lost'
  | '4xx-stored'
  | 'reset-lost'
  | 'reset-stored'
  | 'hang-lost'
  | 'hang-stored'
  | 'bad-json'
  /** Stored, and the reply leaves out what is not the id. */
  | 'bare-reply'
  | 'wrong-bytes'
  | 'wrong-purpose'
  | 'short-store'
  /** The reply is about another file: of somebody else, or one of ours. */
  | 'foreign-reply'
  | 'repeated-id';

export type PlainFate =
  | 'ok'
  | 'no-connection'
  | 'rate-limited'
  | 'conflict'
  | 'forbidden'
  | '5xx-lost'
  | '5xx-done'
  | 'reset-lost'
  | 'reset-done'
  | 'hang-lost'
  | 'hang-done'
  | 'bad-json';

const uploadFaults = {
  'no-connection': 2,
  'rate-limited': 4,
  conflict: 1,
  'early-5xx': 1,
  'reset-in-body': 3,
  '5xx-lost': 2,
  '5xx-stored': 3,
  '4xx-lost': 1,
  '4xx-stored': 1,
  'reset-lost': 2,
  'reset-stored': 3,
  'hang-lost': 1,
  'hang-stored': 1,
  'bad-json': 2,
  'bare-reply': 1,
} as const;

const contradictions = {
  'wrong-bytes': 2,
  'wrong-purpose': 1,
  'short-store': 1,
  'foreign-reply': 1,
  'repeated-id': 1,
} as const;

const plainFaults = {
  'no-connection': 2,
  'rate-limited': 3,
  conflict: 1,
  forbidden: 1,
  '5xx-lost': 2,
  '5xx-done': 2,
  'reset-lost': 1,
  'reset-done': 2,
  'hang-lost': 1,
  'hang-done': 1,
  'bad-json': 1,
} as const;

export function drawUploadFate(random: SimRandom, faults: number, contradiction: number): UploadFate {
  if (!random.chance(faults)) return 'ok';
  return random.chance(contradiction) ? random.weighted(contradictions) : random.weighted(uploadFaults);
}

/** Whether the answer is at odds with what was sent. */
export function isContradiction(fate: UploadFate): boolean {
  return fate in contradictions;
}

export function drawPlainFate(random: SimRandom, faults: number): PlainFate {
  return random.chance(faults) ? random.weighted(plainFaults) : 'ok';
}

/** A 429, with what the client made of any form of `Retry-After`. */
export function rateLimitFault(random: SimRandom): Fault {
  const form = random.weighted({
    seconds: 5,
    date: 2,
    milliseconds: 2,
    long: 1,
    zero: 1,
    unparsable: 1,
    none: 3,
  });
  const waits = {
    seconds: random.int(1, 20) * 1000,
    // An HTTP date has whole seconds: some of the wait is lost in the rounding.
    date: Math.max(0, random.int(1, 20) * 1000 - random.int(0, 999)),
    milliseconds: random.int(1, 5_000),
    long: random.int(61, 150) * 1000,
    zero: 0,
  };
  const retryAfterMs = form === 'unparsable' || form === 'none' ? null : waits[form];
  return new Fault(`429 rate limit (Retry-After: ${form})`, {
    disposition: 'retry',
    outcome: 'refused',
    scope: 'lane',
    rule: 'rate-limit',
    status: 429,
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  });
}

/** A 429 that says for how long to wait. */
export function rateLimitedFor(retryAfterMs: number): Fault {
  return new Fault(`429 rate limit (Retry-After: ${retryAfterMs / 1000} s)`, {
    disposition: 'retry',
    outcome: 'refused',
    scope: 'lane',
    rule: 'rate-limit',
    status: 429,
    retryAfterMs,
  });
}

/** No connection at all: it is so for every request. */
export function unreachableFault(): Fault {
  return new Fault('network: ECONNREFUSED', {
    disposition: 'retry',
    outcome: 'refused',
    scope: 'lane',
    rule: 'network',
  });
}

/** A connection that broke. */
export function networkFault(outcome: 'refused' | 'unknown', what: string): Fault {
  return new Fault(`network: ${what}`, { disposition: 'retry', outcome, rule: 'network' });
}

export function timeoutFault(outcome: 'refused' | 'unknown'): Fault {
  return new Fault('no answer in time', { disposition: 'retry', outcome, rule: 'timeout' });
}

export function badReplyFault(outcome: 'refused' | 'unknown'): Fault {
  return new Fault('200, but the body is not what was asked for', {
    disposition: 'retry',
    outcome,
    rule: 'bad-reply',
    status: 200,
  });
}

export function serverFault(random: SimRandom, outcome: 'refused' | 'unknown'): Fault {
  const status = random.pick([500, 502, 503, 504]);
  return new Fault(`${status} from the server`, {
    disposition: 'retry',
    outcome,
    rule: `server-${status}`,
    status,
    requestId: `req_${random.int(1000, 9999)}`,
    ...(status === 503 && random.chance(0.5)
      ? { retryAfterMs: random.int(1, 10) * 1000, scope: 'lane' as const }
      : {}),
  });
}

/** A status by which a server does not say whether it stored the body that it has taken. */
export function passingFault(random: SimRandom): Fault {
  const status = random.pick([408, 409]);
  return new Fault(`${status} after the body`, {
    disposition: 'retry',
    outcome: 'unknown',
    rule: `server-${status}`,
    status,
  });
}

export function conflictFault(): Fault {
  return new Fault('409 try again', {
    disposition: 'retry',
    outcome: 'refused',
    rule: 'server-409',
    status: 409,
  });
}

export function refusedFault(): Fault {
  return new Fault('400 Invalid file format', {
    disposition: 'skip',
    outcome: 'refused',
    rule: 'server-400',
    status: 400,
  });
}

/** What a request without a file meets where a gateway wants something else of every request. */
export function refusedRequestFault(): Fault {
  return new Fault('400 a header is missing', {
    disposition: 'retry',
    outcome: 'refused',
    rule: 'server-400',
    status: 400,
  });
}

/** The answer to one request, which says nothing about the key. */
export function forbiddenFault(): Fault {
  return new Fault('403 not this one', {
    disposition: 'halt',
    halt: 'auth',
    outcome: 'refused',
    rule: 'auth',
    status: 403,
  });
}

export function authFault(random: SimRandom): Fault {
  const status = random.pick([401, 403]);
  return new Fault(`${status} the key is not accepted`, {
    disposition: 'halt',
    halt: 'auth',
    outcome: 'refused',
    rule: 'auth',
    status,
  });
}

export function quotaFault(random: SimRandom): Fault {
  const status = random.pick([400, 403, 429]);
  return new Fault(`${status} the quota is exceeded`, {
    disposition: 'halt',
    halt: 'quota',
    outcome: 'refused',
    rule: 'quota',
    status,
  });
}
