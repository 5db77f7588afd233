import type { FaultDetails } from '../contract/faults.ts';

export type Verdict = Pick<FaultDetails, 'disposition' | 'rule' | 'halt' | 'scope'>;

/** A failure that any request would meet now: one probe at a time is enough to see when it is over. */
export const LANE_RETRY = { disposition: 'retry', scope: 'lane' } as const;
