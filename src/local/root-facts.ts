import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { RootLook } from '../contract/types.ts';
import { remoteKindAmong } from './file-system-kind.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import { countDirectories, watchLimit } from './inotify-limit.ts';
import { RootGuard, readMirrorId } from './root-guard.ts';

/** What can be found out about a root without changing anything. */
export interface RootFacts {
  /** `ok` when it bears the marker of the mirror that was asked for, or of any when none was. */
  readonly look: RootLook;
  /** The mirror that the marker names. */
  readonly markedFor: string | null;
  readonly writable: boolean;
  /** The kind of a network or user-space file system that holds a part of it, which reports no changes; else null. */
  readonly remoteKind: string | null;
  /** How many directories are to be watched. */
  readonly directories: number;
  /** `fs.inotify.max_user_watches`; null where there is no such limit. */
  readonly maxUserWatches: number | null;
}

export interface RootFactsOptions {
  /** Absolute. */
  readonly root: string;
  /** First-level folders that are mirrored. */
  readonly folders: readonly string[];
  readonly rules: IgnoreRules;
  /** Null: there is no manifest. */
  readonly mirrorId: string | null;
}

/** Never throws for what a disk can do. */
export async function rootFacts({ root, folders, rules, mirrorId }: RootFactsOptions): Promise<RootFacts> {
  const markedFor = await readMirrorId(root);
  const look = new RootGuard(root).look(mirrorId ?? markedFor ?? '');
  const writable = await access(root, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  const places = [root, ...folders.map((folder) => `${root}/${folder}`)];
  return {
    look,
    markedFor,
    writable,
    remoteKind: remoteKindAmong(places),
    directories: await countDirectories(root, folders, rules),
    maxUserWatches: watchLimit(),
  };
}
