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
