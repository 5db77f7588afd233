import type { MirrorPath } from './types.ts';

/** The purpose folder of a path: its first part. */
export function folderOf(path: MirrorPath): string {
  const slash = path.indexOf('/');
  return slash === -1 ? path : path.slice(0, slash);
}

/** The name that the API will know the file by: the base name. */
export function remoteNameOf(path: MirrorPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** True when `path` is `tree` itself or lies below it. */
export function isWithin(path: MirrorPath, tree: MirrorPath): boolean {
  return path === tree || path.startsWith(`${tree}/`);
}

/** True when `path` is one of `trees` or lies below one; as fast for many trees as for one. */
export function isWithinAny(path: MirrorPath, trees: ReadonlySet<MirrorPath>): boolean {
  if (trees.size === 0) return false;
  if (trees.has(path)) return true;
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    if (trees.has(path.slice(0, slash))) return true;
  }
  return false;
}

/** How many of these paths lie in a purpose folder. */
export function countInFolder(paths: Iterable<MirrorPath>, folder: string): number {
  let count = 0;
  for (const path of paths) if (folderOf(path) === folder) count += 1;
  return count;
}
