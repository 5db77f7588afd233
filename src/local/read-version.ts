import { hash } from 'node:crypto';
import fs, { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Fault } from '../contract/faults.ts';
import { remoteNameOf } from '../contract/mirror-path.ts';
import type { Inspection, OpenVersion } from '../contract/ports.ts';
import { sizeOf, statToken } from '../contract/stat-token.ts';
import type { MirrorPath, StatToken } from '../contract/types.ts';
import type { ContentCheck } from './content-check.ts';
import { describeError, errnoOf } from './errno.ts';
import type { ContentHash, HashThread } from './hash-thread.ts';

/** Up to here a file is read in one go on this thread: 40 µs instead of four times that through the thread pool. */
const SMALL_FILE_BYTES = 64 * 1024;
const CHUNK_BYTES = 768 * 1024;
/** One chunk is on its way while the next is being read. */
const CHUNKS_IN_MEMORY = 2;

// RACE: between the look and now the name may have become a link, or a pipe that would block.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

type CreateFileCheck = (fileName: string, sizeBytes: number) => ContentCheck;

/** Reads a version once: hash and checks. Throws `Fault` `moved` when the file is another one by now. */
export async function inspectVersion(
  absolute: string,
  path: MirrorPath,
  stat: StatToken,
  createCheck: CreateFileCheck,
  hashes: HashThread,
  signal: AbortSignal,
): Promise<Inspection> {
  signal.throwIfAborted();
  const sizeBytes = sizeOf(stat);
  const check = createCheck(remoteNameOf(path), sizeBytes);
  try {
    let sha256: string;
    if (sizeBytes <= SMALL_FILE_BYTES) {
      const content = readSmall(absolute, path, stat);
      await check.write(content);
      sha256 = hash('sha256', content);
    } else {
      sha256 = await readLarge(absolute, path, stat, (chunk) => check.write(chunk), hashes, signal);
    }
    const { problem, warnings } = await check.end();
    return { sha256, sizeBytes, problem: check.problem ?? problem, warnings };
  } finally {
    check.drop();
  }
}

/** Opens this version for sending; see `LocalTree.open`. */
export async function openVersion(
  absolute: string,
  path: MirrorPath,
  stat: StatToken,
  hashes: HashThread,
): Promise<OpenVersion> {
  if (sizeOf(stat) <= SMALL_FILE_BYTES) return new SmallVersion(absolute, path, stat);
  const file = await open(absolute, OPEN_FLAGS).catch((error: unknown) => {
    throw faultOf(path, error);
  });
  try {
    assertSame(path, stat, statToken(await file.stat({ bigint: true })));
    return new DiskVersion(file, absolute, path, stat, hashes.hash(sizeOf(stat)));
  } catch (error) {
    await closeRead(() => file.close());
    throw faultOf(path, error);
  }
}

/** A version that is read in one go. */
class SmallVersion implements OpenVersion {
  readonly stat: StatToken;
  readonly sizeBytes: number;
  readonly #descriptor: number;
  readonly #absolute: string;
  readonly #path: MirrorPath;
  #sha256: string | null = null;
  #started = false;

  constructor(absolute: string, path: MirrorPath, stat: StatToken) {
    this.#descriptor = openSmall(absolute, path, stat);
    this.#absolute = absolute;
    this.#path = path;
    this.stat = stat;
    this.sizeBytes = sizeOf(stat);
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#started) throw new TypeError('chunks() may be called once');
    this.#started = true;
    try {
      const content = readWhole(this.#descriptor, this.#path, this.sizeBytes);
      const sha256 = hash('sha256', content);
      if (content.length > 0) yield content;
      assertUnchanged(this.#descriptor, this.#absolute, this.#path, this.stat);
      this.#sha256 = sha256;
    } catch (error) {
      throw faultOf(this.#path, error);
    }
  }

  sha256(): string {
    if (this.#sha256 === null) throw new TypeError('sha256() is only known after the last chunk');
    return this.#sha256;
  }

  async close(): Promise<void> {
    closeReadNow(this.#descriptor);
  }
}

/** Memory for one chunk. `hashed`: resolves once the hash is done with what is in it. */
interface Slot {
  readonly buffer: Buffer;
  hashed: Promise<void>;
}

class DiskVersion implements OpenVersion {
  readonly stat: StatToken;
  readonly sizeBytes: number;
  readonly #file: FileHandle;
  readonly #absolute: string;
  readonly #path: MirrorPath;
  readonly #hash: ContentHash;
  #sha256: string | null = null;
  #started = false;
  /** The read in flight: the descriptor must outlive it. */
  #reading: Promise<unknown> = Promise.resolve();

  constructor(file: FileHandle, absolute: string, path: MirrorPath, stat: StatToken, hash: ContentHash) {
    this.#file = file;
    this.#hash = hash;
    this.#absolute = absolute;
    this.#path = path;
    this.stat = stat;
    this.sizeBytes = sizeOf(stat);
  }

  /**
   * A few buffers take turns: one is on its way while the next is being read. A chunk is overwritten only after the
   * one behind it was asked for, which a consumer that respects backpressure does when the first has been handed
   * to the kernel, and after it was hashed.
   */
  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#started) throw new TypeError('chunks() may be called once');
    this.#started = true;
    const slots = Array.from({ length: CHUNKS_IN_MEMORY }, () => this.#slot());
    let position = 0;
    try {
      let pending = this.#read(slots[0]!, position);
      for (let turn = 1; position < this.sizeBytes; turn++) {
        const chunk = await pending;
        if (chunk.length === 0) throw moved(this.#path, 'it became shorter while being read');
        position += chunk.length;
        if (position < this.sizeBytes) pending = this.#read(slots[turn % CHUNKS_IN_MEMORY]!, position);
        yield chunk;
      }
      await this.#assertUnchanged();
      this.#sha256 = await this.#hash.digest().catch((error: unknown) => {
        throw ioFault(this.#path, 'cannot be hashed', error);
      });
    } catch (error) {
      throw faultOf(this.#path, error);
    }
  }

  sha256(): string {
    if (this.#sha256 === null) throw new TypeError('sha256() is only known after the last chunk');
    return this.#sha256;
  }

  async close(): Promise<void> {
    await this.#reading;
    // INVARIANT: nothing is awaited between these two, or a read made late would fill memory that another has by then.
    this.#hash.drop();
    await closeRead(() => this.#file.close());
  }

  #slot(): Slot {
    return { buffer: this.#hash.borrow(Math.min(CHUNK_BYTES, this.sizeBytes)), hashed: Promise.resolve() };
  }

  /** RACE: it is made ahead, and may fail long before anybody waits for it, or when nobody will; then this is no crash. */
  #read(slot: Slot, position: number): Promise<Buffer> {
    const reading = this.#fill(slot, position);
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  async #fill(slot: Slot, position: number): Promise<Buffer> {
    await slot.hashed;
    const length = Math.min(slot.buffer.length, this.sizeBytes - position);
    const { bytesRead } = await this.#file.read(slot.buffer, 0, length, position);
    const chunk = slot.buffer.subarray(0, bytesRead);
    // Hashed ahead, too: while the chunk before it is on its way.
    slot.hashed = this.#hash.update(chunk);
    return chunk;
  }

  /** INVARIANT: the last byte is out only if descriptor and path still are the version that was announced. */
  async #assertUnchanged(): Promise<void> {
    assertSame(this.#path, this.stat, statToken(await this.#file.stat({ bigint: true })));
    assertSame(this.#path, this.stat, statToken(fs.lstatSync(this.#absolute, { bigint: true })));
  }
}

async function readLarge(
  absolute: string,
  path: MirrorPath,
  stat: StatToken,
  onChunk: (chunk: Uint8Array) => void | Promise<void>,
  hashes: HashThread,
  signal: AbortSignal,
): Promise<string> {
  const version = await openVersion(absolute, path, stat, hashes);
  try {
    for await (const chunk of version.chunks()) {
      signal.throwIfAborted();
      await onChunk(chunk);
    }
    signal.throwIfAborted();
    return version.sha256();
  } finally {
    await version.close();
  }
}

function readSmall(absolute: string, path: MirrorPath, stat: StatToken): Uint8Array {
  const descriptor = openSmall(absolute, path, stat);
  try {
    const content = readWhole(descriptor, path, sizeOf(stat));
    assertUnchanged(descriptor, absolute, path, stat);
    return content;
  } catch (error) {
    throw faultOf(path, error);
  } finally {
    closeReadNow(descriptor);
  }
}

function openSmall(absolute: string, path: MirrorPath, stat: StatToken): number {
  let descriptor: number | null = null;
  try {
    descriptor = fs.openSync(absolute, OPEN_FLAGS);
    assertSame(path, stat, statToken(fs.fstatSync(descriptor, { bigint: true })));
    return descriptor;
  } catch (error) {
    if (descriptor !== null) closeReadNow(descriptor);
    throw faultOf(path, error);
  }
}

function readWhole(descriptor: number, path: MirrorPath, sizeBytes: number): Uint8Array {
  const content = Buffer.allocUnsafe(sizeBytes);
  let position = 0;
  while (position < sizeBytes) {
    const bytes = fs.readSync(descriptor, content, position, sizeBytes - position, position);
    if (bytes === 0) throw moved(path, 'it became shorter while being read');
    position += bytes;
  }
  return content;
}

/** INVARIANT: a content is taken for this version only if descriptor and path still are it after the last byte. */
function assertUnchanged(descriptor: number, absolute: string, path: MirrorPath, stat: StatToken): void {
  assertSame(path, stat, statToken(fs.fstatSync(descriptor, { bigint: true })));
  assertSame(path, stat, statToken(fs.lstatSync(absolute, { bigint: true })));
}

/**
 * A file that was only read loses nothing when closing it fails (EIO, ESTALE of network file systems): what was read is
 * judged by itself. EBADF alone says that this program closed the wrong one.
 */
async function closeRead(close: () => Promise<void>): Promise<void> {
  await close().catch(refuseDefect);
}

function closeReadNow(descriptor: number): void {
  try {
    fs.closeSync(descriptor);
  } catch (error) {
    refuseDefect(error);
  }
}

function refuseDefect(error: unknown): void {
  if (['', 'EBADF'].includes(errnoOf(error))) throw error;
}

function assertSame(path: MirrorPath, announced: StatToken, found: StatToken): void {
  if (found !== announced) throw moved(path, 'it is not the version that was looked at any more');
}

function moved(path: MirrorPath, why: string, cause?: unknown): Fault {
  return new Fault(`${path}: ${why}`, { disposition: 'retry', outcome: 'refused', rule: 'moved', cause });
}

/** What a failure of the disk means for the engine. */
function faultOf(path: MirrorPath, error: unknown): unknown {
  const code = errnoOf(error);
  if (code === '') return error;
  if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'ESTALE'].includes(code)) {
    return moved(path, `it is gone: ${describeError(error)}`, error);
  }
  return ioFault(path, 'cannot be read', error, code === 'EACCES' || code === 'EPERM' ? 'unreadable' : 'io');
}

function ioFault(path: MirrorPath, what: string, error: unknown, rule = 'io'): Fault {
  const message = `${path}: ${what}: ${describeError(error)}`;
  return new Fault(message, { disposition: 'retry', outcome: 'refused', rule, cause: error });
}
