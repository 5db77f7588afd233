import type { OpenMode, StateFile, StateFiles } from '../../src/manifest/state-files.ts';

export type DiskOperation = 'create' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'sync-directory';

/** What shall become of an operation. `torn`: it fails half done. */
export type Fate = 'done' | 'failed' | 'torn';

interface Inode {
  readonly number: number;
  /** What programs see. */
  current: Buffer;
  /** What surely survives a power cut. */
  durable: Buffer;
  /** A sync failed: as on Linux, later ones succeed and do nothing for what was there to sync. */
  syncLies: boolean;
}

type Names = Map<string, Inode>;

const sectorBytes = 64;

class DiskError extends Error {
  readonly code: string;
  readonly syscall: string;

  constructor(code: string, operation: DiskOperation) {
    super(`${code}: simulated, ${operation}`);
    this.code = code;
    this.syscall = operation;
  }
}

/** A folder on a disk that does no more than it must: nothing survives a power cut but what was synced. */
export class SimulatedDisk implements StateFiles {
  /** Asked before each operation that changes something. */
  fate: (operation: DiskOperation, name: string) => Fate = () => 'done';
  errorCode = 'EIO';
  #current: Names = new Map();
  #durable: Names = new Map();
  /** Changes of names since the directory was synced, in order. */
  #unsynced: ((names: Names) => void)[] = [];
  #nextInode = 1;

  pathOf(name: string): string {
    return `/state/${name}`;
  }

  async open(name: string, mode: OpenMode): Promise<StateFile | null> {
    const existing = this.#current.get(name);
    if (mode !== 'create') return existing === undefined ? null : this.#fileOf(existing, name);
    this.#decide('create', name);
    const nothing = Buffer.alloc(0);
    const inode: Inode = { number: this.#nextInode++, current: nothing, durable: nothing, syncLies: false };
    this.#changeNames((names) => names.set(name, inode));
    return this.#fileOf(inode, name);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#decide('rename', from);
    const inode = this.#current.get(from);
    if (inode === undefined) throw new DiskError('ENOENT', 'rename');
    this.#changeNames((names) => names.set(to, inode).delete(from));
  }

  async remove(name: string): Promise<void> {
    this.#decide('remove', name);
    if (this.#current.has(name)) this.#changeNames((names) => names.delete(name));
  }

  async syncDirectory(): Promise<void> {
    this.#decide('sync-directory', '.');
    this.#durable = new Map(this.#current);
    this.#unsynced = [];
  }

  read(name: string): Buffer | null {
    return this.#current.get(name)?.current ?? null;
  }

  put(name: string, content: Buffer): void {
    this.#current.set(name, {
      number: this.#nextInode++,
      current: content,
      durable: content,
      syncLies: false,
    });
    this.#durable = new Map(this.#current);
  }

  /** The disk as it is found after a power cut now: what was synced, and any part of what was not. */
  afterPowerCut(random: () => number): SimulatedDisk {
    const names: Names = new Map(this.#durable);
    const survivingChanges = Math.floor(random() * (this.#unsynced.length + 1));
    for (const change of this.#unsynced.slice(0, survivingChanges)) change(names);
    const disk = new SimulatedDisk();
    for (const [name, inode] of names) disk.put(name, survivorOf(inode, random));
    return disk;
  }

  #changeNames(change: (names: Names) => void): void {
    change(this.#current);
    this.#unsynced.push(change);
  }

  #decide(operation: DiskOperation, name: string): void {
    if (this.fate(operation, name) !== 'done') throw new DiskError(this.errorCode, operation);
  }

  #fileOf(inode: Inode, name: string): StateFile {
    return {
      read: async (into, atByte) => inode.current.copy(into, 0, atByte, atByte + into.length),
      write: async (bytes, atByte) => {
        const fate = this.fate('write', name);
        const written = fate === 'done' ? bytes.length : fate === 'torn' ? Math.floor(bytes.length / 2) : 0;
        inode.current = overwritten(inode.current, bytes.subarray(0, written), atByte);
        if (fate !== 'done') throw new DiskError(this.errorCode, 'write');
      },
      sync: async () => {
        const fate = this.fate('sync', name);
        if (fate !== 'done') inode.syncLies = true;
        if (fate !== 'done') throw new DiskError(this.errorCode, 'sync');
        if (!inode.syncLies) inode.durable = Buffer.from(inode.current);
      },
      truncate: async (sizeBytes) => {
        this.#decide('truncate', name);
        inode.current = Buffer.from(inode.current.subarray(0, sizeBytes));
      },
      info: async () => ({
        sizeBytes: inode.current.length,
        links: [...this.#current.values()].filter((other) => other === inode).length,
        identity: String(inode.number),
      }),
      close: async () => {},
    };
  }
}

function overwritten(content: Buffer, bytes: Uint8Array, atByte: number): Buffer {
  const result = Buffer.alloc(Math.max(content.length, atByte + bytes.length));
  content.copy(result);
  result.set(bytes, atByte);
  return result;
}

/** Either a beginning of what was written, or a patchwork of sectors, old, new and never written (zeros). */
function survivorOf({ current, durable }: Inode, random: () => number): Buffer {
  if (current.equals(durable)) return current;
  const sizeBytes = Math.floor(durable.length + random() * (current.length - durable.length + 1));
  const survivor = Buffer.alloc(Math.max(0, sizeBytes));
  durable.copy(survivor);
  const patchwork = random() < 0.7;
  for (let at = 0; at < Math.min(survivor.length, current.length); at += sectorBytes) {
    if (!patchwork || random() < 0.6)
      current.copy(survivor, at, at, Math.min(at + sectorBytes, survivor.length));
  }
  return survivor;
}
