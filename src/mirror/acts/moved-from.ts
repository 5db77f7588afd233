import type { Superseded } from '../judge/fold.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import { remoteNameOf } from '../../contract/mirror-path.ts';
import type { LocalTree } from '../../contract/ports.ts';
import { identityKey } from '../../contract/stat-token.ts';
import type { Entry, LocalLook, ManifestView, MirrorPath, StatToken } from '../../contract/types.ts';

/** So many turns of the microtasks at most is the index behind the view. */
const MAX_TURNS_BEHIND = 100;

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
  const known = view.files.get(path);
  // Of several hard links each is its own.
  if (known !== undefined && identityKey(known.stat) === identityKey(stat)) return null;
  const found = await entryElsewhere(view, index, path, stat);
  if (found === null) return null;
  const { path: from, entry } = found;
  const look = await local.look(from);
  if (known === undefined && look.kind === 'absent') return { path: from, entry };
  const isAlike =
    entry.remoteName === remoteNameOf(path) && (known === undefined || known.purpose === entry.purpose);
  return isAlike && hasLeft(look, entry) ? { path: from, entry } : null;
}

/**
 * The other entry that was recorded with this file's identity. RACE: the view has a change a moment before the index
 * has it. Until then the index names a path that has no such entry any more; to take that for none cost an upload.
 */
async function entryElsewhere(
  view: ManifestView,
  index: IdentityIndex,
  path: MirrorPath,
  stat: StatToken,
): Promise<Superseded | null> {
  for (let turn = 0; turn < MAX_TURNS_BEHIND; turn += 1) {
    const from = index.otherPathOf(path, stat);
    if (from === null) return null;
    const entry = view.files.get(from);
    if (entry !== undefined && identityKey(entry.stat) === identityKey(stat)) return { path: from, entry };
    await Promise.resolve();
  }
  return null;
}

/** Whether the entry's file surely is not at its path any more: nothing is there, or another file. */
export function hasLeft(look: LocalLook, entry: Entry): boolean {
  if (look.kind === 'absent') return true;
  return 'stat' in look && identityKey(look.stat) !== identityKey(entry.stat);
}
