import { Fault } from '../../contract/faults.ts';

/** Whose a refusal (4xx) is. */
export type Blame =
  /** The API has judged this file, or this id, alone. */
  | { readonly kind: 'own' }
  /** Nothing tells whether others were granted when this was refused: it must be asked for once more. */
  | { readonly kind: 'unproven' }
  /** Every request meets it: `fault` is what the request that concerns no file met. */
  | { readonly kind: 'lane'; readonly fault: Fault };

/** A version that was refused so often while others had their chance is refused for itself, whatever the key may do. */
const REFUSALS_TO_BELIEVE = 4;

export interface RefusalEvidence {
  /** What a request that concerns no file met after the refusal; null: it was granted. */
  readonly probe: Fault | null;
  /** Something was granted right before the refusal. */
  readonly wasGranted: boolean;
  /** How often the same version was refused before while the probe was granted. */
  readonly before: number;
  /** What was refused is the right to do it (401, 403), not the content. */
  readonly isAboutRights: boolean;
  /** With this key something was uploaded. */
  readonly mayUpload: boolean;
}

/**
 * Is a refusal the file's own, or does every request meet it (a key that is not accepted, a gateway that misses a
 * header)? INVARIANT: it is only the file's own when other requests were granted before it and after it. A grant
 * after it alone could mean that a trouble of all has just ended. INVARIANT: a missing right is only the file's own when
 * this key has uploaded others, or it was refused again and again: one that may only read gets every list, and no upload.
 */
export function judgeRefusal(refused: Fault, evidence: RefusalEvidence): Blame {
  const { probe, wasGranted, before, isAboutRights, mayUpload } = evidence;
  if (probe !== null) return { kind: 'lane', fault: probe };
  if (isAboutRights && !mayUpload && before < REFUSALS_TO_BELIEVE)
    return { kind: 'lane', fault: asKeyOfReaders(refused) };
  // A key may be out of favour for a moment, between two requests that are granted.
  const hasWitness = wasGranted && !isAboutRights;
  return hasWitness || before > 0 ? { kind: 'own' } : { kind: 'unproven' };
}

/** The same failure, as one of this id alone: it is tried again later, and nothing else waits for that. */
export function asOneOnly(fault: Fault): Fault {
  return tryingAgain(fault, 'file', fault.message);
}

/** The same failure, as one that every upload is expected to meet. */
function asKeyOfReaders(fault: Fault): Fault {
  const why = 'lists are granted, but no upload was yet: may this key upload files?';
  return tryingAgain(fault, 'lane', `${fault.message}; ${why}`);
}

function tryingAgain(fault: Fault, scope: Fault['scope'], message: string): Fault {
  return new Fault(message, {
    disposition: 'retry',
    scope,
    outcome: fault.outcome,
    rule: fault.rule,
    cause: fault,
    ...(fault.retryAfterMs === null ? {} : { retryAfterMs: fault.retryAfterMs }),
    ...(fault.status === null ? {} : { status: fault.status }),
    ...(fault.requestId === null ? {} : { requestId: fault.requestId }),
  });
}
