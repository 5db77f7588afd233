import type { FileHandle } from 'node:fs/promises';
import { hash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { SubmissionId } from '../../contract/batch.ts';
import { errnoOf } from '../../contract/errno.ts';
import { Fault } from '../../contract/faults.ts';
import { jsonOrNull } from '../../contract/json.ts';
import type { FileId } from '../../contract/types.ts';
import type { BatchFiles } from '../ports.ts';
import { chunksOf, diskFault, replaceDurably, readJson, syncFolder } from './results-disk.ts';
import { FileWriter } from './file-writer.ts';
import type { ResultsDisk } from './results-disk.ts';

const LF = 0x0a;
const TAIL_BYTES = 64 * 1024;

/**
 * What lies in the state folder for a submission until it is over. A file has its name only once it is whole and
 * durable: that is the mark.
 */
export class Staging {
  readonly disk: ResultsDisk;
  readonly #folder: string;
  readonly #files: BatchFiles;

  /** `stateDir`: absolute. */
  constructor(stateDir: string, files: BatchFiles, disk: ResultsDisk) {
    this.#folder = join(stateDir, 'batches');
    this.#files = files;
    this.disk = disk;
  }

  /** Where something of a submission lies, or is to lie. */
  pathOf(id: SubmissionId, name: string): string {
    if (!/^[\w-]+$/.test(id)) throw new TypeError(`no submission id: ${JSON.stringify(id)}`);
    return join(this.#folder, id, name);
  }

  /**
   * A file of the API's, whole and durable; fetched unless it is there. `kind`: e.g. `output`. Throws `Fault`: `gone`,
   * `cut-off`, or what the API's or the disk's failure is. `onChunk` sees all of it, before it is known to be whole.
   */
  async fetch(
    id: SubmissionId,
    kind: string,
    fileId: FileId,
    signal: AbortSignal,
    onChunk: ((chunk: Uint8Array) => void) | null = null,
  ): Promise<string> {
    const path = this.pathOf(id, `${kind}-${hash('sha256', fileId, 'hex').slice(0, 16)}.jsonl`);
    if (await this.has(path)) {
      if (onChunk !== null) await this.#read(path, signal, onChunk);
      return path;
    }
    const facts = await this.#files.retrieve(fileId, signal);
    if (facts === null) throw gone(fileId);
    await this.fill(path, async (handle) => {
      const sizeBytes = await this.#download(fileId, handle, signal, onChunk);
      // QUIRK: some servers say 0 bytes of a file that they have made just now.
      if (facts.bytes !== null && facts.bytes > sizeBytes) {
        throw cutOff(fileId, `${sizeBytes} of ${facts.bytes} bytes came`);
      }
      if (!(await endsWhole(handle, sizeBytes))) throw cutOff(fileId, 'its last line is no whole JSON');
    });
    return path;
  }

  /** Makes a file whole and durable under its name, or not at all. Throws what `write` throws, and `Fault`. */
  async fill<T>(path: string, write: (handle: FileHandle) => Promise<T>): Promise<T> {
    const partial = `${path}.part`;
    try {
      await this.#makeFolder(dirname(path));
      const handle = await this.disk.open(partial, 'w+', 0o600);
      let result: T;
      try {
        result = await write(handle);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await this.disk.rename(partial, path);
      await syncFolder(this.disk, dirname(path));
      return result;
    } catch (error) {
      await this.disk.rm(partial, { force: true }).catch(() => {});
      throw diskFault(path, error);
    }
  }

  async has(path: string): Promise<boolean> {
    try {
      return (await this.disk.lstat(path)).isFile();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw diskFault(path, error);
    }
  }

  /** A note of ours, JSON; null: there is none. */
  async read(path: string): Promise<unknown> {
    try {
      return await readJson(this.disk, path);
    } catch (error) {
      throw diskFault(path, error);
    }
  }

  /** Durable when it resolves. */
  async note(path: string, value: unknown): Promise<void> {
    try {
      await this.#makeFolder(dirname(path));
      await replaceDurably(this.disk, path, `${JSON.stringify(value)}\n`);
    } catch (error) {
      throw diskFault(path, error);
    }
  }

  async forget(id: SubmissionId): Promise<void> {
    const folder = dirname(this.pathOf(id, '.'));
    try {
      await this.disk.rm(join(folder, id), { recursive: true, force: true });
    } catch (error) {
      throw diskFault(folder, error);
    }
  }

  /** What was written for a submission is remembered beyond its end. */
  writtenPath(id: SubmissionId): string {
    return join(dirname(this.pathOf(id, '.')), 'written', `${id}.json`);
  }

  async #makeFolder(folder: string): Promise<void> {
    if ((await this.disk.mkdir(folder, { recursive: true, mode: 0o700 })) === undefined) return;
    for (const parent of [dirname(folder), dirname(this.#folder)]) await syncFolder(this.disk, parent);
  }

  async #read(path: string, signal: AbortSignal, onChunk: (chunk: Uint8Array) => void): Promise<void> {
    try {
      const handle = await this.disk.open(path, 'r');
      try {
        for await (const chunk of chunksOf(handle)) {
          signal.throwIfAborted();
          onChunk(chunk);
        }
      } finally {
        await handle.close().catch(() => {});
      }
    } catch (error) {
      throw diskFault(path, error);
    }
  }

  /** How many bytes came. */
  async #download(
    fileId: FileId,
    handle: FileHandle,
    signal: AbortSignal,
    onChunk: ((chunk: Uint8Array) => void) | null,
  ): Promise<number> {
    let sizeBytes = 0;
    try {
      const writer = new FileWriter(handle);
      const { chunks } = await this.#files.content(fileId, signal);
      for await (const chunk of chunks) {
        await writer.write(chunk);
        onChunk?.(chunk);
        sizeBytes += chunk.byteLength;
      }
      await writer.end();
    } catch (error) {
      throw error instanceof Fault && (error.status === 404 || error.status === 410)
        ? gone(fileId, error)
        : error;
    }
    return sizeBytes;
  }
}

/** Is the last line, with or without its LF, JSON? Of nothing it is. */
async function endsWhole(handle: FileHandle, sizeBytes: number): Promise<boolean> {
  for (let tail = Math.min(TAIL_BYTES, sizeBytes); ; tail = Math.min(tail * 8, sizeBytes)) {
    const buffer = Buffer.alloc(tail);
    await handle.read(buffer, 0, tail, sizeBytes - tail);
    const text = buffer.subarray(0, trimmedBytes(buffer));
    const start = text.lastIndexOf(LF) + 1;
    if (start === 0 && tail < sizeBytes) continue;
    return text.length === start || jsonOrNull(text.subarray(start).toString('utf8')) !== null;
  }
}

/** Without the white space at the end. */
function trimmedBytes(buffer: Buffer): number {
  let bytes = buffer.length;
  while (bytes > 0 && (buffer[bytes - 1] ?? 0) <= 0x20) bytes -= 1;
  return bytes;
}

function gone(fileId: FileId, cause?: unknown): Fault {
  const details = { disposition: 'skip', outcome: 'refused', rule: 'gone', cause } as const;
  return new Fault(`the API has no file ${fileId} (any more)`, details);
}

function cutOff(fileId: FileId, why: string): Fault {
  const details = { disposition: 'retry', outcome: 'refused', rule: 'cut-off' } as const;
  return new Fault(`${fileId} is not whole: ${why}; it is fetched again`, details);
}
