import type { Change } from './types.ts';

/** True when a change names no key: there is nothing to record, and nothing is written for it. */
export function changesNothing(change: Change): boolean {
  return Object.values(change).every((part: object | undefined) => Object.keys(part ?? {}).length === 0);
}
