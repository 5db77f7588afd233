import { folderOf } from '../../contract/mirror-path.ts';
import type { Situation } from './plan.ts';
import type { LocalTree } from '../../contract/ports.ts';
import type { FolderRules, LocalLook, ManifestView, MirrorPath } from '../../contract/types.ts';

/** What is known besides the disk and the manifest. */
export type Circumstances = Pick<Situation, 'movedFrom' | 'inspection' | 'lost' | 'nowSeconds' | 'trusted'>;

/** Gathers what `plan` decides from: one look at the disk, and all that is remembered of the path. */
export function situationOf(
  world: {
    readonly view: ManifestView;
    readonly local: Pick<LocalTree, 'needsFullRead' | 'precheck'>;
    readonly folders: ReadonlyMap<string, FolderRules>;
  },
  path: MirrorPath,
  look: LocalLook,
  circumstances: Circumstances,
): Situation {
  const { view, local, folders } = world;
  const rules = folders.get(folderOf(path)) ?? null;
  const rejection = view.rejected.get(path) ?? null;
  const kept = rejection?.kept ?? null;
  return {
    path,
    look,
    rules,
    entry: view.files.get(path) ?? null,
    intent: view.intents.get(path) ?? null,
    rejection,
    kept: kept !== null && view.garbage.get(kept.id)?.hold === true ? kept : null,
    needsFullRead: rules !== null && local.needsFullRead(rules),
    precheck: rules === null || look.kind !== 'file' ? null : local.precheck(path, look.sizeBytes, rules),
    ...circumstances,
  };
}
