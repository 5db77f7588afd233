import { createHash } from 'node:crypto';
import { Fault } from '../../../src/contract/faults.ts';
import type { OpenVersion } from '../../../src/contract/ports.ts';
import type { MirrorPath, StatToken } from '../../../src/contract/types.ts';
import type { FileNode } from './disk-nodes.ts';
import type { SimRandom } from './sim-random.ts';

export interface VersionSource {
  readonly path: MirrorPath;
  readonly node: FileNode;
  readonly stat: StatToken;
  /** Whether the path still leads to this node, and the node still is the version that was announced. */
  readonly isCurrent: () => boolean;
  /** One system call. */
  readonly pause: (point: string) => Promise<void>;
  readonly onClose: () => void;
  readonly random: SimRandom;
  /** Reading ends with EIO. */
  readonly broken: boolean;
}

/** One descriptor on a simulated file: sees what is written into it, chunk by chunk. */
export class SimVersion implements OpenVersion {
  readonly stat: StatToken;
  readonly sizeBytes: number;
  readonly #source: VersionSource;
  readonly #digest = createHash('sha256');
  #state: 'fresh' | 'reading' | 'ended' = 'fresh';
  #closed = false;

  constructor(source: VersionSource) {
    this.#source = source;
    this.stat = source.stat;
    this.sizeBytes = source.node.content.length;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#state !== 'fresh') throw new TypeError('chunks() may be called once');
    this.#state = 'reading';
    const { node, path, pause, random } = this.#source;
    let offset = 0;
    let previous: Uint8Array | null = null;
    while (offset < this.sizeBytes) {
      await pause('read');
      if (this.#closed) throw new TypeError('read after close');
      if (this.#source.broken && random.chance(0.5)) throw readFault(path, 'EIO');
      const length = Math.min(random.int(100, 1_200), this.sizeBytes - offset);
      const chunk = node.content.slice(offset, offset + length);
      if (chunk.length === 0) throw movedFault(path);
      // As a reader with one buffer does: the chunk before is overwritten now.
      previous?.fill(0xdd);
      previous = chunk;
      this.#digest.update(chunk);
      offset += chunk.length;
      yield chunk;
    }
    previous?.fill(0xdd);
    await pause('fstat');
    if (!this.#source.isCurrent()) throw movedFault(path);
    this.#state = 'ended';
  }

  sha256(): string {
    if (this.#state !== 'ended') throw new TypeError('sha256() before chunks() ended');
    return this.#digest.copy().digest('hex');
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#source.onClose();
    await this.#source.pause('close');
  }
}

export function movedFault(path: MirrorPath): Fault {
  return new Fault(`${path} is no longer the version that was announced`, {
    disposition: 'retry',
    outcome: 'refused',
    rule: 'moved',
  });
}

export function readFault(path: MirrorPath, code: string): Fault {
  return new Fault(`${path}: ${code}`, { disposition: 'retry', outcome: 'refused', rule: 'unreadable' });
}

export function rootFault(): Fault {
  return new Fault('the root cannot be written', {
    disposition: 'halt',
    halt: 'root',
    outcome: 'refused',
    rule: 'root',
  });
}

export function folderFault(folder: string): Fault {
  return new Fault(`${folder} cannot be created`, { disposition: 'retry', outcome: 'refused', rule: 'io' });
}
