import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';

/** Contents up to this size are kept in memory and written in one go, which spares most uploads a temporary file. */
const IN_MEMORY_BYTES = 64 * 1024;

/** Content on its way in. Ends with `moveTo` or `discard`. */
export interface ContentSpool {
  readonly bytes: number;
  write(chunk: Buffer): Promise<void>;
  /** Lower-case hex, of all that was written; null when contents are discarded. Nothing is written after it. */
  sha256(): string | null;
  /** Keeps the content at `path`. */
  moveTo(path: string): Promise<void>;
  discard(): Promise<void>;
}

/** Hashes while it writes, in memory that does not grow with the content. */
export class HashingSpool implements ContentSpool {
  readonly #hash: Hash = createHash('sha256');
  readonly #temporaryPath: string;
  #buffered: Buffer[] = [];
  #handle: FileHandle | null = null;
  #bytes = 0;
  #digest: string | null = null;

  constructor(temporaryPath: string) {
    this.#temporaryPath = temporaryPath;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async write(chunk: Buffer): Promise<void> {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    if (this.#handle === null) {
      this.#buffered.push(chunk);
      if (this.#bytes <= IN_MEMORY_BYTES) return;
      this.#handle = await open(this.#temporaryPath, 'wx', 0o600);
      for (const early of this.#buffered.splice(0)) await this.#handle.appendFile(early);
    } else await this.#handle.appendFile(chunk);
  }

  sha256(): string {
    this.#digest ??= this.#hash.digest('hex');
    return this.#digest;
  }

  async moveTo(path: string): Promise<void> {
    if (this.#handle === null) {
      writeFileSync(path, Buffer.concat(this.#buffered), { mode: 0o600 });
      return;
    }
    await this.#handle.close();
    await rename(this.#temporaryPath, path);
  }

  async discard(): Promise<void> {
    this.#buffered = [];
    if (this.#handle === null) return;
    await this.#handle.close();
    await rm(this.#temporaryPath, { force: true });
  }
}

/** Counts and forgets, for measuring clients. */
export class CountingSpool implements ContentSpool {
  bytes = 0;

  async write(chunk: Buffer): Promise<void> {
    this.bytes += chunk.length;
  }

  sha256(): null {
    return null;
  }

  async moveTo(): Promise<void> {}

  async discard(): Promise<void> {}
}
