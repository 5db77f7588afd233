import type { Superseded } from './fold.ts';
import type { IdentityIndex } from './identity-index.ts';
import type { LocalTree } from './ports.ts';
import type { ManifestView, MirrorPath, StatToken } from './types.ts';

/** The entry whose file was renamed to `path`, if that is what the disk says. */
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
  if (view.files.has(path)) return null;
  const from = index.otherPathOf(path, stat);
  const entry = from === null ? undefined : view.files.get(from);
  if (from === null || entry === undefined) return null;
  return (await local.look(from)).kind === 'absent' ? { path: from, entry } : null;
}
