import { Fault } from '../../contract/faults.ts';
import type { LocalTree } from '../../contract/ports.ts';
import { rootTrouble } from '../judge/root-trouble.ts';
import type { ManifestView } from '../../contract/types.ts';

/**
 * For work without an engine: is the root this mirror's? INVARIANT: as in the engine, a root without a marker is only
 * accepted, and marked, while nothing is remembered. Throws `Fault` with halt `root`.
 */
export async function requireOwnRoot(local: LocalTree, view: ManifestView): Promise<'marked' | 'unmarked'> {
  const look = await local.lookRoot(view.mirrorId);
  const trouble = rootTrouble(look, view);
  if (trouble === null) return look.kind === 'ok' ? 'marked' : 'unmarked';
  throw new Fault(`nothing was done: ${trouble}`, {
    disposition: 'halt',
    outcome: 'refused',
    halt: 'root',
    rule: 'root',
  });
}
