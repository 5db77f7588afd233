import type { Fault } from '../../contract/faults.ts';

/** What is done after an attempt to upload one version has failed. */
export type AfterFault =
  /** The server may have stored the file: what became of the attempt is found out before anything else. */
  | 'search'
  /** Nothing was stored, and whose the refusal is, must be found out (`refusal.ts`). */
  | 'trial'
  /** The file could not be read as announced: what is there now is looked at. */
  | 'read-anew'
  /** Nothing is wrong with the file: its path waits until the lane moves again. */
  | 'lane-waits'
  /** This version is sent again later, whatever the others do. */
  | 'file-waits';

/** Pure. INVARIANT: whatever else a fault says, what the server may have stored is looked for and not sent again. */
export function afterFault({
  outcome,
  disposition,
  halt,
  rule,
  scope,
}: Pick<Fault, 'outcome' | 'disposition' | 'halt' | 'rule' | 'scope'>): AfterFault {
  if (outcome === 'unknown') return 'search';
  if (disposition === 'skip' || halt === 'auth') return 'trial';
  if (rule === 'moved' || rule === 'unreadable') return 'read-anew';
  return disposition === 'retry' && scope === 'file' ? 'file-waits' : 'lane-waits';
}
