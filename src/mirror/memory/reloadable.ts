import { folderOf } from '../../contract/mirror-path.ts';
import type { LocalTree } from '../../contract/ports.ts';
import type { MirrorSettings } from '../../contract/settings.ts';
import type { FolderRules, MirrorPath } from '../../contract/types.ts';

/** What is replaced while the engine runs, when the configuration is read again. To be read anew at each use. */
export interface Reloadable {
  settings: MirrorSettings;
  local: LocalTree;
}

/** The rules of the path's folder; null: none of the mirror's. */
export function rulesOf({ settings }: Pick<Reloadable, 'settings'>, path: MirrorPath): FolderRules | null {
  return settings.folders.get(folderOf(path)) ?? null;
}
