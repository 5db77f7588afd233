import { remembersNothing } from '../../contract/remembers-nothing.ts';
import type { ManifestView, RootLook } from '../../contract/types.ts';

/**
 * What speaks against working on this root; null: it is this mirror's, or may become it. INVARIANT: a root without a
 * marker is only taken for a new one while nothing is remembered, or an empty mount point would count as emptied. Pure.
 */
export function rootTrouble(
  look: RootLook,
  view: Pick<ManifestView, 'files' | 'intents' | 'garbage'>,
): string | null {
  if (look.kind === 'bad') return look.reason;
  if (look.kind === 'ok' || remembersNothing(view)) return null;
  return 'the root bears no marker .files-mirror.json; the disk may not be mounted';
}
