import { folderOf } from '../../../src/contract/mirror-path.ts';
import type { MirrorPath, ScanItem } from '../../../src/contract/types.ts';
import type { DiskNode, Volume } from './disk-nodes.ts';
import type { SimDisk } from './sim-disk.ts';
import { ignoreRuleOf } from './sim-rules.ts';

/** What one step of a scan finds. */
export interface Found {
  readonly items: readonly ScanItem[];
  /** To be listed next. */
  readonly directories: readonly MirrorPath[];
}

const nothing: Found = { items: [], directories: [] };

/** The first level of the root: what is no folder of the configuration, and the folders to be listed. */
export function findTop(disk: SimDisk, folders: readonly string[]): Found {
  const volume = disk.visible();
  if (volume === null)
    return { items: folders.map((path) => unlistable(path, `the root is ${disk.root}`)), directories: [] };
  return together([...volume.top.children.keys()].map((name) => findAt(disk, folders, name)));
}

/** What a scan below `under` finds first: what hides it, or itself. */
export function findUnder(disk: SimDisk, folders: readonly string[], under: MirrorPath): Found {
  const parts = under.split('/');
  for (let depth = 1; depth < parts.length; depth += 1) {
    const above = findAt(disk, folders, parts.slice(0, depth).join('/'));
    if (above.directories.length === 0) return above;
  }
  return findAt(disk, folders, under);
}

export function listDirectory(disk: SimDisk, folders: readonly string[], path: MirrorPath): Found {
  const volume = disk.visible();
  if (volume === null) return noRoot(disk, path);
  const found = disk.resolve(volume, path);
  if (found.kind === 'blocked') return oneItem(unlistable(path, 'EACCES'));
  // Gone since it was found: its files are absent, and whoever concludes that looks for himself.
  if (found.kind === 'absent' || found.node.kind !== 'dir') return nothing;
  if (!found.node.listable) return oneItem(unlistable(path, 'EACCES'));
  return together([...found.node.children.keys()].map((name) => findAt(disk, folders, `${path}/${name}`)));
}

function findAt(disk: SimDisk, folders: readonly string[], path: MirrorPath): Found {
  const volume = disk.visible();
  if (volume === null) return noRoot(disk, path);
  const found = disk.resolve(volume, path);
  if (found.kind === 'blocked') return oneItem(unlistable(path, 'EACCES'));
  if (found.kind === 'absent') return nothing;
  const item = itemOf(disk, volume, folders, path, found.node);
  return item === null ? { items: [], directories: [path] } : oneItem(item);
}

/** Null: a directory that is to be listed. */
function itemOf(
  disk: SimDisk,
  { device }: Volume,
  folders: readonly string[],
  path: MirrorPath,
  node: DiskNode,
): ScanItem | null {
  const rule = ignoreRuleOf(path);
  if (rule !== null) return { kind: 'ignored', path, rule };
  if (folderOf(path) === path && (!folders.includes(path) || node.kind === 'file'))
    return { kind: 'outside', path, hint: 'no folder of the configuration' };
  if (node.kind === 'dir') return null;
  if (node.kind === 'symlink') return { kind: 'skipped', path, reason: 'symlink', detail: 'a symbolic link' };
  return { kind: 'file', path, stat: disk.tokenOf(node, device) };
}

/** What is not there any more is nothing; what cannot be reached cannot be listed. */
function noRoot(disk: SimDisk, path: MirrorPath): Found {
  return disk.root === 'unreadable' ? oneItem(unlistable(path, 'EACCES')) : nothing;
}

export function unlistable(path: MirrorPath, reason: string): ScanItem {
  return { kind: 'unlistable', path, reason };
}

function oneItem(item: ScanItem): Found {
  return { items: [item], directories: [] };
}

function together(all: readonly Found[]): Found {
  return {
    items: all.flatMap(({ items }) => items),
    directories: all.flatMap(({ directories }) => directories),
  };
}
