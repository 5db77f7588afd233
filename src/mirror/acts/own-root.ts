import { Fault } from '../../contract/faults.ts';
import type { LocalTree } from '../../contract/ports.ts';
import { remembersNothing } from '../../contract/remembers-nothing.ts';
import type { ManifestView } from '../../contract/types.ts';

/**
 * For work without an engine: is the root this mirror's? INVARIANT: as in the engine, a root without a marker is only
 * accepted, and marked, while nothing is remembered. Throws `Fault` with halt `root`.
 */
export async function requireOwnRoot(local: LocalTree, view: ManifestView): Promise<'marked' | 'unmarked'> {
  const look = await local.lookRoot(view.mirrorId);
  if (look.kind === 'ok') return 'marked';
  if (look.kind === 'bad') throw wrongRoot(look.reason);
  if (remembersNothing(view)) return 'unmarked';
  throw wrongRoot('the root bears no marker .files-mirror.json; the disk may not be mounted');
}

function wrongRoot(reason: string): Fault {
  return new Fault(`nothing was done: ${reason}`, {
    disposition: 'halt',
    outcome: 'refused',
    halt: 'root',
    rule: 'root',
  });
}
