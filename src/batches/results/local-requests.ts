import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { join } from 'node:path';
import type { FileHandle } from 'node:fs/promises';
import { describeError, errnoOf, isErrno } from '../../contract/errno.ts';
import { Fault } from '../../contract/faults.ts';
import type { MirrorPath } from '../../contract/types.ts';
import type { ReadRequests } from '../ports.ts';
import { RequestReader } from './request-index.ts';
import type { RequestIndex } from './request-index.ts';
import { chunksOf } from './results-disk.ts';
import type { ResultsDisk } from './results-disk.ts';

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const ANOTHER = /^(ENOENT|ENOTDIR|ELOOP|EISDIR|ENXIO|ESTALE)$/;

/** The file of a path, opened; null: there is none. Throws `Fault` when it cannot be read. */
export async function openLocal(
  disk: ResultsDisk,
  root: string,
  path: MirrorPath,
): Promise<FileHandle | null> {
  try {
    const handle = await disk.open(join(root, path), OPEN_FLAGS);
    let isFile = false;
    try {
      isFile = (await handle.stat()).isFile();
    } finally {
      if (!isFile) await handle.close();
    }
    return isFile ? handle : null;
  } catch (error) {
    return unreadable(path, error);
  }
}

/**
 * What the bytes say, if they are those with this hash; null: they are others. Throws what reading throws.
 */
export async function indexOf(
  chunks: AsyncIterable<Uint8Array>,
  sha256: string,
  reader: RequestReader,
  signal: AbortSignal,
): Promise<RequestIndex | null> {
  const digest = createHash('sha256');
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    digest.update(chunk);
    reader.write(chunk);
  }
  return digest.digest('hex') === sha256 ? reader.end() : null;
}

/** The index of a path's file; null: it is another one by now, or gone. Throws `Fault`. */
export async function indexOfLocal(
  disk: ResultsDisk,
  root: string,
  path: MirrorPath,
  sha256: string,
  reader: RequestReader,
  signal: AbortSignal,
): Promise<RequestIndex | null> {
  const handle = await openLocal(disk, root, path);
  if (handle === null) return null;
  try {
    return await indexOf(chunksOf(handle), sha256, reader, signal);
  } catch (error) {
    return unreadable(path, error);
  } finally {
    await handle.close().catch(() => {});
  }
}

export function createReadRequests(root: string, disk: ResultsDisk): ReadRequests {
  return async (path, sha256, signal) =>
    (await indexOfLocal(disk, root, path, sha256, new RequestReader(), signal))?.file ?? null;
}

/** Null: what has this name is no file any more. Throws `Fault`, or what is no failure of the disk. */
function unreadable(path: MirrorPath, error: unknown): null {
  if (!isErrno(error)) throw error;
  const code = errnoOf(error);
  if (ANOTHER.test(code)) return null;
  throw new Fault(`${path}: cannot be read: ${describeError(error)}`, {
    disposition: 'retry',
    outcome: 'refused',
    rule: code === 'EACCES' || code === 'EPERM' ? 'unreadable' : 'io',
    cause: error,
  });
}
