import { hash } from 'node:crypto';
import fs, { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ContentCheck } from '../contract/content-check.ts';
import { remoteNameOf } from '../contract/mirror-path.ts';
import type { Inspection, OpenVersion } from '../contract/ports.ts';
import { sizeOf, statToken } from '../contract/stat-token.ts';
import type { StatToken } from '../contract/types.ts';
import type { ContentHash, HashThread } from './hash-thread.ts';
import {
  assertSame,
  becameShorter,
  closeRead,
  closeReadNow,
  faultOf,
  hashFault,
  type Version,
} from './same-version.ts';

/** Up to here a file is read in one go on this thread: 40 µs instead of four times that through the thread pool. */
const SMALL_FILE_BYTES = 64 * 1024;
const CHUNK_BYTES = 768 * 1024;
/** One chunk is on its way while the next is being read. */
const CHUNKS_IN_MEMORY = 2;
/** Of one that is checked, the one before may still be looked at as well. */
const CHUNKS_FOR_CHECKS = 3;

// RACE: between the look and now the name may have become a link, or a pipe that would block.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

type CreateFileCheck = (fileName: string, sizeBytes: number) => ContentCheck;

/** Reads a version once: hash and checks. Throws `Fault` `moved` when the file is another one by now. */
export async function inspectVersion(
  version: Version,
  createCheck: CreateFileCheck,
  hashes: HashThread,
  signal: AbortSignal,
): Promise<Inspection> {
  signal.throwIfAborted();
  const sizeBytes = sizeOf(version.stat);
  const check = createCheck(remoteNameOf(version.path), sizeBytes);
  try {
    const sha256 = await readThrough(version, (chunk) => check.write(chunk), hashes, signal);
    const { problem, warnings } = await check.end();
    return { sha256, sizeBytes, problem: check.problem ?? problem, warnings };
  } finally {
    check.drop();
  }
}

/** Returns the hash. */
async function readThrough(
  version: Version,
  onChunk: (chunk: Uint8Array) => void | Promise<void>,
  hashes: HashThread,
  signal: AbortSignal,
): Promise<string> {
  const opened = await openVersion(version, hashes, CHUNKS_FOR_CHECKS);
  try {
    for await (const chunk of opened.chunks()) {
      signal.throwIfAborted();
      await onChunk(chunk);
    }
    signal.throwIfAborted();
    return opened.sha256();
  } finally {
    await opened.close();
  }
}

/** Opens this version for sending; see `LocalTree.open`. */
export async function openVersion(
  version: Version,
  hashes: HashThread,
  chunksInMemory = CHUNKS_IN_MEMORY,
): Promise<OpenVersion> {
  if (sizeOf(version.stat) <= SMALL_FILE_BYTES) return new SmallVersion(version);
  const file = await open(version.absolute, OPEN_FLAGS).catch((error: unknown) => {
    throw faultOf(version, error);
  });
  try {
    assertSame(version, statToken(await file.stat({ bigint: true })));
    return new LargeVersion(version, file, hashes.hash(sizeOf(version.stat)), chunksInMemory);
  } catch (error) {
    await closeRead(() => file.close());
    throw faultOf(version, error);
  }
}

/** A version that is read once. */
abstract class ReadOnce implements OpenVersion {
  readonly stat: StatToken;
  readonly sizeBytes: number;
  protected readonly version: Version;
  #sha256: string | null = null;
  #started = false;

  constructor(version: Version) {
    this.version = version;
    this.stat = version.stat;
    this.sizeBytes = sizeOf(version.stat);
  }

  async *chunks(): AsyncGenerator<Uint8Array, void> {
    if (this.#started) throw new TypeError('chunks() may be called once');
    this.#started = true;
    try {
      this.#sha256 = yield* this.content();
    } catch (error) {
      throw faultOf(this.version, error);
    }
  }

  sha256(): string {
    if (this.#sha256 === null) throw new TypeError('sha256() is only known after the last chunk');
    return this.#sha256;
  }

  abstract close(): Promise<void>;

  /**
   * Returns its hash. INVARIANT: the last byte is out only if descriptor and path still are the version that was
   * announced.
   */
  protected abstract content(): AsyncGenerator<Uint8Array, string>;
}

/** A version that is read in one go. */
class SmallVersion extends ReadOnce {
  readonly #descriptor: number;

  constructor(version: Version) {
    super(version);
    this.#descriptor = openSmall(version);
  }

  async close(): Promise<void> {
    closeReadNow(this.#descriptor);
  }

  protected async *content(): AsyncGenerator<Uint8Array, string> {
    const content = this.#read();
    const sha256 = hash('sha256', content);
    if (content.length > 0) yield content;
    assertSame(this.version, statToken(fs.fstatSync(this.#descriptor, { bigint: true })));
    assertSame(this.version, statToken(fs.lstatSync(this.version.absolute, { bigint: true })));
    return sha256;
  }

  #read(): Uint8Array {
    const content = Buffer.allocUnsafe(this.sizeBytes);
    let position = 0;
    while (position < content.length) {
      const bytes = fs.readSync(this.#descriptor, content, position, content.length - position, position);
      if (bytes === 0) throw becameShorter(this.version);
      position += bytes;
    }
    return content;
  }
}

function openSmall(version: Version): number {
  let descriptor: number | null = null;
  try {
    descriptor = fs.openSync(version.absolute, OPEN_FLAGS);
    assertSame(version, statToken(fs.fstatSync(descriptor, { bigint: true })));
    return descriptor;
  } catch (error) {
    if (descriptor !== null) closeReadNow(descriptor);
    throw faultOf(version, error);
  }
}

/** Memory for one chunk. `hashed`: resolves once the hash is done with what is in it. */
interface Slot {
  readonly buffer: Buffer;
  hashed: Promise<void>;
}

/**
 * A few buffers take turns: one is on its way while the next is being read. A chunk is overwritten only after the
 * one behind it was asked for, which a consumer that respects backpressure does when the first has been handed
 * to the kernel, and after it was hashed.
 */
class LargeVersion extends ReadOnce {
  readonly #file: FileHandle;
  readonly #hash: ContentHash;
  readonly #chunksInMemory: number;
  /** The read in flight: the descriptor must outlive it. */
  #reading: Promise<unknown> = Promise.resolve();

  constructor(version: Version, file: FileHandle, hash: ContentHash, chunksInMemory: number) {
    super(version);
    this.#file = file;
    this.#hash = hash;
    this.#chunksInMemory = chunksInMemory;
  }

  async close(): Promise<void> {
    await this.#reading;
    // INVARIANT: nothing is awaited between these two, or a read made late would fill memory that another has by then.
    this.#hash.drop();
    await closeRead(() => this.#file.close());
  }

  protected async *content(): AsyncGenerator<Uint8Array, string> {
    const slots = Array.from({ length: this.#chunksInMemory }, () => this.#slot());
    let position = 0;
    let pending = this.#read(slots[0]!, position);
    for (let turn = 1; position < this.sizeBytes; turn++) {
      const chunk = await pending;
      if (chunk.length === 0) throw becameShorter(this.version);
      position += chunk.length;
      if (position < this.sizeBytes) pending = this.#read(slots[turn % slots.length]!, position);
      yield chunk;
    }
    assertSame(this.version, statToken(await this.#file.stat({ bigint: true })));
    assertSame(this.version, statToken(fs.lstatSync(this.version.absolute, { bigint: true })));
    return await this.#hash.digest().catch((error: unknown) => {
      throw hashFault(this.version, error);
    });
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
}
