import type { FileHandle } from 'node:fs/promises';
import { writeAll } from './results-disk.ts';

const PIECE_BYTES = 1024 * 1024;
const SYNC_BYTES = 32 * 1024 * 1024;

/**
 * Writes a file front to back in large pieces, one of which is on its way while the next is filled; and what was written
 * is brought to the disk meanwhile, so that little is left to wait for at the end.
 */
export class FileWriter {
  readonly #handle: FileHandle;
  #piece = Buffer.allocUnsafe(PIECE_BYTES);
  #other = Buffer.allocUnsafe(PIECE_BYTES);
  #used = 0;
  #sinceSync = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** What is as large as a piece is not copied into one. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length >= PIECE_BYTES) {
      await this.#flush();
      await this.#send(bytes);
      await this.#writing;
      return;
    }
    for (let from = 0; from < bytes.length;) {
      const part = bytes.subarray(from, from + PIECE_BYTES - this.#used);
      this.#piece.set(part, this.#used);
      this.#used += part.length;
      from += part.length;
      if (this.#used === PIECE_BYTES) await this.#flush();
    }
  }

  /** Durable when it resolves. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#writing;
    await this.#syncing;
    await this.#handle.sync();
  }

  /** Resolves when there is a piece to fill. Throws what writing or syncing before has thrown. */
  async #flush(): Promise<void> {
    await this.#writing;
    const bytes = this.#piece.subarray(0, this.#used);
    [this.#piece, this.#other] = [this.#other, this.#piece];
    this.#used = 0;
    await this.#send(bytes);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    await this.#writing;
    this.#writing = observed(writeAll(this.#handle, bytes));
    this.#sinceSync += bytes.length;
    if (this.#sinceSync < SYNC_BYTES) return;
    this.#sinceSync = 0;
    await this.#syncing;
    this.#syncing = observed(this.#handle.datasync());
  }
}

/** It is waited for later, when it may have failed long ago: that is no failure that nobody sees. */
function observed(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
