import type { MirrorPath } from '../../../src/contract/types.ts';

export interface FileNode {
  readonly kind: 'file';
  readonly inode: number;
  /** Replaced as a whole by every change, never written into. */
  content: Uint8Array;
  mtimeNs: bigint;
  ctimeNs: bigint;
  readable: boolean;
  /** How many processes hold it open for writing. */
  writers: number;
  links: number;
}

export interface DirNode {
  readonly kind: 'dir';
  readonly inode: number;
  readonly children: Map<string, Slot>;
  listable: boolean;
}

export interface SymlinkNode {
  readonly kind: 'symlink';
  readonly inode: number;
}

export type DiskNode = FileNode | DirNode | SymlinkNode;

export interface Slot {
  readonly node: DiskNode;
  /** Monotonic time at which this name came to mean this node. */
  readonly sinceMs: number;
}

/** A mounted tree: the true root, or what stands in its place. */
export interface Volume {
  device: string;
  readonly top: DirNode;
  /** The UUID in the marker file. */
  marker: string | null;
}

/**
 * What is at the root's path. `missing`: renamed away; `unreadable`: EACCES; `unmounted`: the bare mount point;
 * `swapped`: another folder with another marker; `emptied`: everything, the marker too, was moved out.
 */
export type RootState = 'mounted' | 'missing' | 'unreadable' | 'unmounted' | 'swapped' | 'emptied';

export type Resolved =
  | { readonly kind: 'found'; readonly node: DiskNode; readonly device: string; readonly sinceMs: number }
  | { readonly kind: 'absent'; readonly device: string }
  /** A directory above cannot be searched. */
  | { readonly kind: 'blocked'; readonly at: MirrorPath };

export type ChangeWatcher = (kind: 'path' | 'tree', path: MirrorPath) => void;

export interface Walked {
  readonly path: MirrorPath;
  readonly node: DiskNode;
  /** Below a directory that cannot be listed. */
  readonly hidden: boolean;
}

/** Everything below a directory, parents before children, names in the order of their creation. */
export function* walkBelow(directory: DirNode, prefix: string, hidden: boolean): Generator<Walked> {
  const isHidden = hidden || !directory.listable;
  for (const [name, { node }] of directory.children) {
    const path = `${prefix}${name}`;
    yield { path, node, hidden: isHidden };
    if (node.kind === 'dir') yield* walkBelow(node, `${path}/`, isHidden);
  }
}
