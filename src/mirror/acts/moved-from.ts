import type { Superseded } from '../judge/fold.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import { remoteNameOf } from '../../contract/mirror-path.ts';
import type { LocalTree } from '../../contract/ports.ts';
import { identityKey } from '../../contract/stat-token.ts';
import type { Entry, LocalLook, ManifestView, MirrorPath, StatToken } from '../../contract/types.ts';

/**
 * The entry whose file was renamed to `path`, if that is what the disk says. Where another file lies at its old path by
 * now (two folders that were swapped, a rotation), or `path` has an entry of its own, only an entry of the same name
 * and purpose: that one can change its path without an upload, and nothing less is worth it.
 */
export async function findMovedFrom(
  world: {
    readonly view: ManifestView;
    readonly index: IdentityIndex;
    readonly local: Pick<LocalTree, 'look'>;
  },
  path: MirrorPath,
  stat: StatToken,
): Promise<Superseded | null> {
  const { view, index, local } = world;
  await index.ready();
  const known = view.files.get(path);
  // Of several hard links each is its own.
  if (known !== undefined && identityKey(known.stat) === identityKey(stat)) return null;
  const from = index.otherPathOf(path, stat);
  const entry = from === null ? undefined : view.files.get(from);
  if (from === null || entry === undefined) return null;
  const look = await local.look(from);
  if (known === undefined && look.kind === 'absent') return { path: from, entry };
  const isAlike =
    entry.remoteName === remoteNameOf(path) && (known === undefined || known.purpose === entry.purpose);
  return isAlike && hasLeft(look, entry) ? { path: from, entry } : null;
}

/** Whether the entry's file surely is not at its path any more: nothing is there, or another file. */
export function hasLeft(look: LocalLook, entry: Entry): boolean {
  if (look.kind === 'absent') return true;
  return 'stat' in look && identityKey(look.stat) !== identityKey(entry.stat);
}
