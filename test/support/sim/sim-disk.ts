import { statToken } from '../../../src/contract/stat-token.ts';
import type { MirrorPath, StatToken } from '../../../src/contract/types.ts';
import type { SimClock } from './sim-clock.ts';
import { walkBelow } from './disk-nodes.ts';
import type {
  ChangeWatcher,
  DirNode,
  DiskNode,
  FileNode,
  Resolved,
  RootState,
  Slot,
  Volume,
  Walked,
} from './disk-nodes.ts';
import { joined, strayContent } from './sim-content.ts';
import type { SimRandom } from './sim-random.ts';

const trueDevice = 2049;

/** A POSIX-like tree in memory. Every operation returns whether it succeeded; a failed one changes nothing. */
export class SimDisk {
  readonly watchers = new Set<ChangeWatcher>();
  readonly #clock: SimClock;
  readonly #random: SimRandom;
  readonly #home: Volume;
  readonly #freeInodes: number[] = [];
  #nextInode = 1000;
  #operations = 0;
  #stand: Volume | null = null;
  #root: RootState = 'mounted';
  #rootSinceMs = 0;

  constructor(clock: SimClock, random: SimRandom) {
    this.#clock = clock;
    this.#random = random;
    this.#home = { device: String(trueDevice), top: this.#directory(), marker: null };
  }

  get root(): RootState {
    return this.#root;
  }

  /** Since when (monotonic) the root is what it is. */
  get rootSinceMs(): number {
    return this.#rootSinceMs;
  }

  /** The true tree, mounted or not. */
  get home(): Volume {
    return this.#home;
  }

  /** What a program sees at the root's path; null when nothing can be seen there. */
  visible(): Volume | null {
    if (this.#root === 'mounted') return this.#home;
    return this.#root === 'missing' || this.#root === 'unreadable' ? null : this.#stand;
  }

  /** Takes the true root away. */
  takeAway(state: Exclude<RootState, 'mounted'>): void {
    const stand: Volume = {
      device: state === 'emptied' ? this.#home.device : '64512',
      top: this.#directory(),
      marker: null,
    };
    if (state === 'swapped') {
      stand.marker = '00000000-0000-4000-8000-00000000dead';
      const folder = this.#directory();
      folder.children.set('a.jsonl', this.#slot(this.#file(strayContent)));
      const name = [...this.#home.top.children.keys()][0];
      if (name !== undefined) stand.top.children.set(name, this.#slot(folder));
    }
    this.#stand = stand;
    this.#setRoot(state);
  }

  /** Brings the true root back, perhaps under another device number. */
  bringBack(newDevice: boolean): void {
    if (newDevice) this.#home.device = String(Number(this.#home.device) + 1);
    this.#stand = null;
    this.#setRoot('mounted');
  }

  /** Resolves a path in a volume. */
  resolve(volume: Volume, path: MirrorPath): Resolved {
    const parts = path.split('/');
    let directory = volume.top;
    let sinceMs = volume === this.#home ? this.#rootSinceMs : 0;
    for (const [index, part] of parts.entries()) {
      if (!directory.listable) return { kind: 'blocked', at: parts.slice(0, index).join('/') };
      const slot = directory.children.get(part);
      if (slot === undefined) return { kind: 'absent', device: volume.device };
      sinceMs = Math.max(sinceMs, slot.sinceMs);
      if (index === parts.length - 1) {
        return { kind: 'found', node: slot.node, device: volume.device, sinceMs };
      }
      if (slot.node.kind !== 'dir') return { kind: 'absent', device: volume.device };
      directory = slot.node;
    }
    return { kind: 'absent', device: volume.device };
  }

  /** What a person's program sees at a path of the true tree; null when there is nothing or the root is away. */
  at(path: MirrorPath): DiskNode | null {
    if (this.#root !== 'mounted') return null;
    const found = this.resolve(this.#home, path);
    return found.kind === 'found' ? found.node : null;
  }

  /** Writes the content in place (same inode), or creates the file. */
  write(path: MirrorPath, content: Uint8Array): boolean {
    const existing = this.at(path);
    if (existing?.kind === 'file') return this.#modify(path, existing, content);
    if (existing !== null) return false;
    return this.#place(path, this.#file(content));
  }

  append(path: MirrorPath, more: Uint8Array): boolean {
    const node = this.at(path);
    return node?.kind === 'file' && this.#modify(path, node, joined(node.content, more));
  }

  truncate(path: MirrorPath, sizeBytes: number): boolean {
    const node = this.at(path);
    return node?.kind === 'file' && this.#modify(path, node, node.content.slice(0, sizeBytes));
  }

  /** `touch -d`: sets the modification time, and changes nothing else but the ctime. */
  touch(path: MirrorPath, mtimeNs: bigint): boolean {
    const node = this.at(path);
    if (node?.kind !== 'file') return false;
    this.#changed(node);
    node.mtimeNs = mtimeNs;
    return this.#tell('path', path);
  }

  chmod(path: MirrorPath, readable: boolean): boolean {
    const node = this.at(path);
    if (node?.kind !== 'file') return false;
    node.readable = readable;
    this.#changed(node);
    return this.#tell('path', path);
  }

  setListable(path: MirrorPath, listable: boolean): boolean {
    const node = this.at(path);
    if (node?.kind !== 'dir') return false;
    node.listable = listable;
    return true;
  }

  holdOpen(path: MirrorPath): (() => void) | null {
    const node = this.at(path);
    if (node?.kind !== 'file') return null;
    node.writers += 1;
    return () => {
      node.writers -= 1;
    };
  }

  link(from: MirrorPath, to: MirrorPath): boolean {
    const node = this.at(from);
    if (node?.kind !== 'file' || this.at(to) !== null || !this.#place(to, node)) return false;
    node.links += 1;
    this.#changed(node);
    return true;
  }

  symlink(path: MirrorPath): boolean {
    return this.at(path) === null && this.#place(path, { kind: 'symlink', inode: this.#inode() });
  }

  mkdir(path: MirrorPath): boolean {
    return this.at(path) === null && this.#place(path, this.#directory(), 'tree');
  }

  /** `rename(2)`: atomically over an existing file, a directory only onto a free name. */
  rename(from: MirrorPath, to: MirrorPath): boolean {
    const node = this.at(from);
    const target = this.at(to);
    if (node === null || node === target || to.startsWith(`${from}/`)) return false;
    if (target !== null && (target.kind === 'dir' || node.kind === 'dir')) return false;
    const source = this.#parent(from);
    const destination = this.#parent(to);
    if (source === null || destination === null) return false;
    source.directory.children.delete(source.name);
    this.#forget(target);
    destination.directory.children.set(destination.name, this.#slot(node));
    if (node.kind === 'file') this.#changed(node);
    const kind = node.kind === 'dir' ? 'tree' : 'path';
    this.#tell(kind, from);
    return this.#tell(kind, to);
  }

  /** Unlinks one file, or removes a directory and everything in it. */
  remove(path: MirrorPath): boolean {
    const node = this.at(path);
    const parent = this.#parent(path);
    if (node === null || parent === null) return false;
    parent.directory.children.delete(parent.name);
    this.#forget(node);
    return this.#tell(node.kind === 'dir' ? 'tree' : 'path', path);
  }

  /** Creates a directory in whatever volume is visible: what the mirror does for a missing purpose folder. */
  makeFolder(volume: Volume, name: string): void {
    if (!volume.top.children.has(name)) volume.top.children.set(name, this.#slot(this.#directory()));
  }

  /** Everything in the true tree, parents before children. */
  *walk(): Generator<Walked> {
    yield* walkBelow(this.#home.top, '', false);
  }

  tokenOf(node: FileNode, device: string): StatToken {
    return statToken({
      size: BigInt(node.content.length),
      mtimeNs: node.mtimeNs,
      ctimeNs: node.ctimeNs,
      ino: BigInt(node.inode),
      dev: BigInt(device),
    });
  }

  /** A file time. No two changes share one, as with the multigrain timestamps of Linux 6.13. */
  nowNs(): bigint {
    this.#operations += 1;
    return BigInt(this.#clock.wallMs()) * 1_000_000n + BigInt(this.#operations % 1_000_000);
  }

  #setRoot(state: RootState): void {
    this.#root = state;
    this.#rootSinceMs = this.#clock.monotonicMs();
    // As chokidar does: when the root goes, an `unlink` for every file; when it comes, an `add`.
    for (const { path, node } of this.walk()) if (node.kind !== 'dir') this.#tell('path', path);
  }

  #modify(path: MirrorPath, node: FileNode, content: Uint8Array): boolean {
    node.content = content;
    this.#changed(node);
    node.mtimeNs = node.ctimeNs;
    return this.#tell('path', path);
  }

  #changed(node: FileNode): void {
    node.ctimeNs = this.nowNs();
  }

  #place(path: MirrorPath, node: DiskNode, kind: 'path' | 'tree' = 'path'): boolean {
    const parent = this.#parent(path);
    if (parent === null) return false;
    parent.directory.children.set(parent.name, this.#slot(node));
    return this.#tell(kind, path);
  }

  #parent(path: MirrorPath): { readonly directory: DirNode; readonly name: string } | null {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (slash === -1) return this.#root === 'mounted' ? { directory: this.#home.top, name } : null;
    const directory = this.at(path.slice(0, slash));
    return directory?.kind === 'dir' ? { directory, name } : null;
  }

  /** QUIRK: like ext4, inode numbers are soon given out again. */
  #inode(): number {
    if (this.#freeInodes.length > 0 && this.#random.chance(0.7)) return this.#freeInodes.pop() as number;
    return (this.#nextInode += 1);
  }

  #forget(node: DiskNode | null): void {
    if (node === null) return;
    if (node.kind === 'dir') {
      for (const slot of node.children.values()) this.#forget(slot.node);
    } else if (node.kind === 'file' && node.links > 1) {
      node.links -= 1;
      this.#changed(node);
      return;
    }
    this.#freeInodes.push(node.inode);
  }

  #file(content: Uint8Array): FileNode {
    const now = this.nowNs();
    return {
      kind: 'file',
      inode: this.#inode(),
      content,
      mtimeNs: now,
      ctimeNs: now,
      readable: true,
      writers: 0,
      links: 1,
    };
  }

  #directory(): DirNode {
    return { kind: 'dir', inode: this.#inode(), children: new Map(), listable: true };
  }

  #slot(node: DiskNode): Slot {
    return { node, sinceMs: this.#clock.monotonicMs() };
  }

  #tell(kind: 'path' | 'tree', path: MirrorPath): true {
    for (const watcher of this.watchers) watcher(kind, path);
    return true;
  }
}
