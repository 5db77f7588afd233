import { mkdir, open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isErrno } from '../contract/errno.ts';

/** One open file. Every method throws the system's error. */
export interface StateFile {
  /** Reads up to `into.length` bytes at a position; 0 at the end. */
  read(into: Uint8Array, atByte: number): Promise<number>;
  /** Writes all the bytes, or throws having written some of them. */
  write(bytes: Uint8Array, atByte: number): Promise<void>;
  /** Returns when content and size are on the disk. */
  sync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  info(): Promise<StateFileInfo>;
  close(): Promise<void>;
}

interface StateFileInfo {
  readonly sizeBytes: number;
  /** Names the file has; 0 when it was removed while open. */
  readonly links: number;
  /** Differs between two files that exist at the same time. */
  readonly identity: string;
}

/** `create` empties a file that exists. */
export type OpenMode = 'read' | 'update' | 'create';

/**
 * What the manifest asks of its folder: the least that a crash test has to imitate. Nothing but `sync` and
 * `syncDirectory` makes anything durable.
 */
export interface StateFiles {
  /** For messages. */
  pathOf(name: string): string;
  /** Null when there is no such file (`read`, `update`). */
  open(name: string, mode: OpenMode): Promise<StateFile | null>;
  rename(from: string, to: string): Promise<void>;
  /** A file that is not there is as good as removed. */
  remove(name: string): Promise<void>;
  /** Returns when the names in the folder are on the disk. */
  syncDirectory(): Promise<void>;
}

const flagsOf = { read: 'r', update: 'r+', create: 'w+' } as const satisfies Record<OpenMode, string>;

export function stateFilesIn(stateDir: string): StateFiles {
  const pathOf = (name: string): string => join(stateDir, name);
  return {
    pathOf,
    async open(name, mode) {
      try {
        return diskFile(await open(pathOf(name), flagsOf[mode], 0o600));
      } catch (error) {
        if (mode !== 'create' && isErrno(error) && error.code === 'ENOENT') return null;
        throw error;
      }
    },
    rename: (from, to) => rename(pathOf(from), pathOf(to)),
    remove: (name) => rm(pathOf(name), { force: true }),
    syncDirectory: () => syncDirectory(stateDir),
  };
}

/** Creates the state folder (0700) if it is missing, durably, so that no power cut makes a used one vanish. */
export async function createStateDir(stateDir: string): Promise<void> {
  const created = await mkdir(stateDir, { recursive: true, mode: 0o700 });
  if (created === undefined) return;
  const topmost = dirname(resolve(created));
  for (let parent = dirname(resolve(stateDir)); ; parent = dirname(parent)) {
    await syncDirectory(parent);
    if (parent === topmost || parent === dirname(parent)) return;
  }
}

function diskFile(handle: FileHandle): StateFile {
  return {
    read: async (into, atByte) => (await handle.read(into, 0, into.length, atByte)).bytesRead,
    async write(bytes, atByte) {
      let written = 0;
      while (written < bytes.length) {
        written += (await handle.write(bytes, written, bytes.length - written, atByte + written))
          .bytesWritten;
      }
    },
    sync: () => handle.datasync(),
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    async info() {
      const { size, nlink, ino, dev } = await handle.stat();
      return { sizeBytes: size, links: nlink, identity: `${dev}:${ino}` };
    },
    close: () => handle.close(),
  };
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
