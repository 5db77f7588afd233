/** What follows from a POST that surely began nothing. Pure. */
import type { BatchFaultRule, BatchHoldReason } from '../contract/batch.ts';
import type { Fault } from '../contract/faults.ts';

export type Refusal =
  /** All submissions wait, and one finds out whether it is over. */
  | { readonly kind: 'all'; readonly why: Extract<BatchHoldReason, 'access' | 'quota' | 'server'> }
  /** The queue of its model is full. */
  | { readonly kind: 'queue' }
  | { readonly kind: 'input' }
  /** This request will never be accepted. */
  | { readonly kind: 'final' };

const BY_RULE: Readonly<Record<BatchFaultRule, Refusal>> = {
  'batches-auth': { kind: 'all', why: 'access' },
  'no-batches': { kind: 'all', why: 'access' },
  'batches-quota': { kind: 'all', why: 'quota' },
  'token-limit': { kind: 'queue' },
  'no-such-file': { kind: 'input' },
};

export function refusalOf({ rule, disposition }: Fault): Refusal {
  if (Object.hasOwn(BY_RULE, rule)) return BY_RULE[rule as BatchFaultRule];
  return disposition === 'skip' ? { kind: 'final' } : { kind: 'all', why: 'server' };
}
