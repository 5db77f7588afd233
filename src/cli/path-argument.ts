import { existsSync, realpathSync } from 'node:fs';
import { isAbsolute, join, posix, relative, resolve, sep } from 'node:path';
import { UsageError } from './verb.ts';
import type { Config } from '../config/config.ts';
import { isInside } from '../config/inside.ts';
import { folderOf } from '../contract/mirror-path.ts';
import type { MirrorPath } from '../contract/types.ts';

/**
 * What a PATH on the command line means: a mirror path (`batch/a.jsonl`) when it starts with a purpose folder, else
 * a file below the root, absolute or relative to the current folder. When it can be both, the one that exists wins,
 * and the mirror path if both or none do. Throws `UsageError` when it is neither.
 */
export function mirrorPathOf(
  argument: string,
  config: Pick<Config, 'root' | 'folders'>,
  cwd: string,
): MirrorPath {
  const asFile = belowRoot(resolve(cwd, argument), config.root);
  const asMirrorPath = isAbsolute(argument) ? null : mirrorPath(argument, config);
  if (asMirrorPath === null) {
    if (asFile !== null) return asFile;
    throw new UsageError(
      `"${argument}" is neither below the root ${config.root} nor a path such as "${config.folders[0]?.folder ?? 'batch'}/NAME"`,
    );
  }
  const exists = (path: MirrorPath) => existsSync(join(config.root, path));
  return asFile !== null && exists(asFile) && !exists(asMirrorPath) ? asFile : asMirrorPath;
}

function mirrorPath(argument: string, config: Pick<Config, 'folders'>): MirrorPath | null {
  // `./a` is how a person says that the current folder is meant.
  if (argument.startsWith('.')) return null;
  const path = posix.normalize(argument.split(sep).join('/'));
  return config.folders.some(({ folder }) => folder === folderOf(path)) ? path : null;
}

function belowRoot(file: string, root: string): MirrorPath | null {
  return within(file, root) ?? within(realPathOf(file), realPathOf(root));
}

function within(file: string, root: string): MirrorPath | null {
  return file !== root && isInside(file, root) ? relative(root, file).split(sep).join('/') : null;
}

/** The folder's links resolved; not the file's own, since a link is a name of its own. */
function realPathOf(path: string): string {
  try {
    const parent = resolve(path, '..');
    return join(realpathSync(parent), relative(parent, path));
  } catch {
    return path;
  }
}
