/** Is a file still the version that was looked at, and what does a failure to read it mean? */
import fs from 'node:fs';
import { type Fault, retryFault } from '../contract/faults.ts';
import type { MirrorPath, StatToken } from '../contract/types.ts';
import { describeError, errnoOf } from '../contract/errno.ts';

/** One version of a file, as it was looked at. */
export interface Version {
  readonly absolute: string;
  readonly path: MirrorPath;
  readonly stat: StatToken;
}

export function assertSame({ path, stat }: Version, found: StatToken): void {
  if (found !== stat) throw moved(path, 'it is not the version that was looked at any more');
}

export function becameShorter({ path }: Version): Fault {
  return moved(path, 'it became shorter while being read');
}

/** What a failure of the disk means for the engine. */
export function faultOf({ path }: Version, error: unknown): unknown {
  const code = errnoOf(error);
  if (code === '') return error;
  if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'ESTALE'].includes(code)) {
    return moved(path, `it is gone: ${describeError(error)}`, error);
  }
  return ioFault(path, 'cannot be read', error, code === 'EACCES' || code === 'EPERM' ? 'unreadable' : 'io');
}

export function hashFault({ path }: Version, error: unknown): Fault {
  return ioFault(path, 'cannot be hashed', error);
}

/**
 * A file that was only read loses nothing when closing it fails (EIO, ESTALE of network file systems): what was read is
 * judged by itself. EBADF alone says that this program closed the wrong one.
 */
export async function closeRead(close: () => Promise<void>): Promise<void> {
  await close().catch(refuseDefect);
}

/** The same at once. */
export function closeReadNow(descriptor: number): void {
  try {
    fs.closeSync(descriptor);
  } catch (error) {
    refuseDefect(error);
  }
}

function refuseDefect(error: unknown): void {
  if (['', 'EBADF'].includes(errnoOf(error))) throw error;
}

function moved(path: MirrorPath, why: string, cause?: unknown): Fault {
  return retryFault('moved', `${path}: ${why}`, cause);
}

function ioFault(path: MirrorPath, what: string, error: unknown, rule = 'io'): Fault {
  const message = `${path}: ${what}: ${describeError(error)}`;
  return retryFault(rule, message, error);
}
