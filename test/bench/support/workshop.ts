import { mkdir, mkdtemp, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';

/** Files of a generated tree per directory. */
const PER_DIRECTORY = 1_000;
/** Old enough to be settled. */
const LONG_AGO = new Date('2026-01-01T00:00:00Z');

/** A folder for everything that the benches put on disk. Trees are made once and shared. */
export class Workshop implements AsyncDisposable {
  readonly directory: string;
  readonly #isKept: boolean;
  readonly #scratches: string[] = [];

  private constructor(directory: string, isKept: boolean) {
    this.directory = directory;
    this.#isKept = isKept;
  }

  /** `kept`: a folder that stays, so that the next run finds its trees; null: a temporary one. */
  static async open(kept: string | null): Promise<Workshop> {
    if (kept === null) return new Workshop(await mkdtemp(join(tmpdir(), 'files-mirror-bench-')), false);
    await mkdir(kept, { recursive: true });
    return new Workshop(kept, true);
  }

  /** A new empty folder. */
  async scratch(): Promise<string> {
    const directory = join(this.directory, `scratch-${randomUUID()}`);
    await mkdir(directory);
    this.#scratches.push(directory);
    return directory;
  }

  /** Makes this folder with `make` unless it is there, complete, from before. */
  async shared(name: string, make: (directory: string) => Promise<void>): Promise<string> {
    const directory = join(this.directory, name);
    const seal = `${directory}.complete`;
    if (await exists(seal)) return directory;
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory);
    await make(directory);
    await writeFile(seal, '');
    return directory;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ours = this.#isKept ? this.#scratches : [this.directory];
    for (const directory of ours) await rm(directory, { recursive: true, force: true });
  }
}

/** `count` small files with different content and an old modification time, all in one folder. */
export async function writeSmallFiles(directory: string, count: number, sizeBytes: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (let n = 0; n < count; n++) {
    const path = join(directory, `file-${String(n).padStart(6, '0')}.txt`);
    await writeFile(path, `${n}\n`.padEnd(sizeBytes, '.'));
    await utimes(path, LONG_AGO, LONG_AGO);
  }
}

/** `count` tiny files, a thousand a folder, all of the same old modification time. */
export async function writeTree(directory: string, count: number): Promise<void> {
  for (let first = 0; first < count; first += PER_DIRECTORY) {
    const folder = join(directory, `d${String(first / PER_DIRECTORY).padStart(4, '0')}`);
    await mkdir(folder, { recursive: true });
    const numbers = Array.from({ length: Math.min(PER_DIRECTORY, count - first) }, (_, n) => first + n);
    await Promise.all(
      numbers.map(async (n) => {
        const path = join(folder, `file-${String(n).padStart(7, '0')}.txt`);
        await writeFile(path, 'x');
        await utimes(path, LONG_AGO, LONG_AGO);
      }),
    );
  }
}

/** A file of this size and an old modification time. Its bytes are zeros, which cost as much to read, hash and send. */
export async function writeLargeFile(path: string, sizeBytes: number): Promise<void> {
  await writeFile(path, '');
  await truncate(path, sizeBytes);
  await utimes(path, LONG_AGO, LONG_AGO);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
