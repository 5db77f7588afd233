/** What results need of the disk: the least that a test has to let fail. */
import fs from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeError, errnoOf, isErrno } from '../../contract/errno.ts';
import { Fault } from '../../contract/faults.ts';
import { jsonOrNull } from '../../contract/json.ts';

export type ResultsDisk = Pick<typeof fs, 'link' | 'lstat' | 'mkdir' | 'open' | 'readFile' | 'rename' | 'rm'>;

export const realResultsDisk: ResultsDisk = fs;

const CHUNK_BYTES = 512 * 1024;

/** The content of a file. Each chunk is only valid until the next one is asked for. */
export async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let position = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Writes all of it, or throws having written some. `atByte` null: behind what was written before. */
export async function writeAll(
  handle: FileHandle,
  bytes: Uint8Array,
  atByte: number | null = null,
): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const at = atByte === null ? null : atByte + written;
    written += (await handle.write(bytes, written, bytes.length - written, at)).bytesWritten;
  }
}

export async function syncFolder(disk: ResultsDisk, folder: string): Promise<void> {
  const handle = await disk.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Durable, with this content or the one before. `partial`: a name beside it that is ours. */
export async function replaceDurably(disk: ResultsDisk, path: string, content: string): Promise<void> {
  const partial = `${path}.tmp`;
  const handle = await disk.open(partial, 'w', 0o600);
  try {
    await writeAll(handle, Buffer.from(content));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await disk.rename(partial, path);
  await syncFolder(disk, dirname(path));
}

/** The JSON of a file of ours; null: there is none, or it is none. */
export async function readJson(disk: ResultsDisk, path: string): Promise<unknown> {
  try {
    return jsonOrNull(await disk.readFile(path, 'utf8'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

const FULL = /^(ENOSPC|EDQUOT|EFBIG)$/;
const CLOSED = /^(EACCES|EPERM|EROFS)$/;

/**
 * What a failure of the disk means: nothing was left half, and it is tried again once a person, or time, has mended it.
 * Throws on what is no failure of the disk. `path`: for people.
 */
export function diskFault(path: string, error: unknown): Fault {
  if (!isErrno(error)) throw error;
  const code = errnoOf(error);
  const said = describeError(error);
  const [rule, next] = FULL.test(code)
    ? ['disk-full', 'make room; it goes on by itself']
    : CLOSED.test(code)
      ? ['not-writable', 'let this user write there; it goes on by itself']
      : ['disk', 'see to the disk; it goes on by itself'];
  return stateFault(path, `${said}; nothing was left half, and the results are kept`, next, rule, error);
}

/** A halt `state`: `path` cannot be used, why, and what is to be done. */
export function stateFault(path: string, why: string, next: string, rule: string, cause?: unknown): Fault {
  const details = { disposition: 'halt', halt: 'state', outcome: 'refused', rule, cause } as const;
  return new Fault(`${path} cannot be written: ${why}: ${next}`, details);
}
