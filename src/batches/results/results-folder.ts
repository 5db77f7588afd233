/** The only place where files-mirror writes below the root: whole files, under names that are free or its own. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SubmissionId } from '../../contract/batch.ts';
import { errnoOf, isWithoutLinks } from '../../contract/errno.ts';
import type { MirrorPath } from '../../contract/types.ts';
import { chunksOf, diskFault, stateFault, syncFolder } from './results-disk.ts';
import { FileWriter } from './file-writer.ts';
import type { ResultsDisk } from './results-disk.ts';

/** What became of a content: enough to know it again. */
export interface Written {
  readonly sha256: string;
  readonly bytes: number;
}

export const PARTS = ['output', 'errors', 'batch'] as const;
export type Part = (typeof PARTS)[number];

const SUFFIX: Readonly<Record<Part, string>> = { output: 'jsonl', errors: 'jsonl', batch: 'json' };

/** Below the root, without what tells the parts apart: `results/2026/a`. */
export type Stem = string;

/** File systems take names of up to 255 bytes, and ours are longer than the input's. */
const MAX_STEM_BYTES = 200;

/**
 * `batch/2026/a.jsonl` → `results/2026/a`. `keepsFolder`: several folders are of purpose `batch`, so that the first part
 * of the path tells their results apart.
 */
export function stemOf(resultsFolder: string, path: MirrorPath, keepsFolder: boolean): Stem {
  const below = keepsFolder ? path : path.slice(path.indexOf('/') + 1);
  const folder = below.slice(0, below.lastIndexOf('/') + 1);
  let name = below.slice(folder.length).replace(/\.jsonl$/i, '');
  while (Buffer.byteLength(name) > MAX_STEM_BYTES) name = name.slice(0, -1).toWellFormed();
  return `${resultsFolder}/${folder}${name}`;
}

/** `number` 0: `a.output.jsonl`; 1: `a.output.1.jsonl`. */
export function nameOf(stem: Stem, part: Part, number: number): string {
  return `${stem}.${part}${number === 0 ? '' : `.${number}`}.${SUFFIX[part]}`;
}

export class ResultsFolder {
  readonly #root: string;
  readonly #disk: ResultsDisk;

  /** `root`: absolute. */
  constructor(root: string, disk: ResultsDisk) {
    this.#root = root;
    this.#disk = disk;
  }

  /**
   * Makes the folder of a stem, as readable for the group as the input's folder is; no link is followed. Returns the
   * mode for files. Throws `Fault` halt `state`.
   */
  async prepare(stem: Stem, inputFolder: string): Promise<number> {
    const mode = await this.#modeLike(inputFolder);
    let path = '';
    for (const part of dirname(stem).split('/')) {
      path = path === '' ? part : `${path}/${part}`;
      await this.#reach(path, mode);
    }
    return mode & 0o640;
  }

  /** Writes a content under a name of ours that nobody takes for a result; durable. Throws `Fault`. */
  async writeAside(
    stem: Stem,
    id: SubmissionId,
    part: Part,
    fileMode: number,
    fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<Written> {
    const aside = this.#aside(stem, id, part);
    const digest = createHash('sha256');
    let bytes = 0;
    try {
      await this.#disk.rm(aside, { force: true });
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const handle = await this.#disk.open(aside, flags, fileMode);
      try {
        const writer = new FileWriter(handle);
        await fill(async (chunk) => {
          digest.update(chunk);
          bytes += chunk.length;
          await writer.write(chunk);
        });
        await writer.end();
      } finally {
        await handle.close();
      }
    } catch (error) {
      await this.#disk.rm(aside, { force: true }).catch(() => {});
      throw diskFault(nameOf(stem, part, 0), error);
    }
    return { sha256: digest.digest('hex'), bytes };
  }

  /** Is there nothing, one of these contents, or something else? Throws `Fault`. */
  async look(name: string, ours: readonly Written[]): Promise<'free' | 'ours' | 'foreign'> {
    try {
      const stat = await this.#disk.lstat(this.#absolute(name));
      const like = ours.filter(({ bytes }) => bytes === stat.size);
      if (!stat.isFile() || like.length === 0) return 'foreign';
      const sha256 = await this.#hash(name);
      return like.some((each) => each.sha256 === sha256) ? 'ours' : 'foreign';
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return 'free';
      // What cannot even be read is not ours.
      if (errnoOf(error) === 'EACCES') return 'foreign';
      throw diskFault(name, error);
    }
  }

  /**
   * Gives what was written aside its name. False: somebody else was faster, and nothing was done. Throws `Fault`.
   * `replaces`: what has the name is ours.
   */
  async publish(stem: Stem, id: SubmissionId, part: Part, name: string, replaces: boolean): Promise<boolean> {
    const aside = this.#aside(stem, id, part);
    const final = this.#absolute(name);
    try {
      if (!replaces && (await this.#linked(aside, final))) await this.#disk.rm(aside);
      else if (replaces || (await this.look(name, [])) === 'free') await this.#disk.rename(aside, final);
      else return false;
      await syncFolder(this.#disk, dirname(final));
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw diskFault(name, error);
    }
  }

  /** Takes away what is ours, and what lies aside. Throws `Fault`. */
  async remove(name: string): Promise<void> {
    try {
      await this.#disk.rm(this.#absolute(name), { force: true });
      await syncFolder(this.#disk, dirname(this.#absolute(name)));
    } catch (error) {
      throw diskFault(name, error);
    }
  }

  async dropAside(stem: Stem, id: SubmissionId): Promise<void> {
    for (const part of PARTS)
      await this.#disk.rm(this.#aside(stem, id, part), { force: true }).catch(() => {});
  }

  #absolute(name: string): string {
    return join(this.#root, name);
  }

  /** Hidden and `.tmp`: ignored by whoever watches or mirrors. One for each submission, so that a restart finds it. */
  #aside(stem: Stem, id: SubmissionId, part: Part): string {
    return join(this.#root, dirname(stem), `.files-mirror-${id}-${part}.tmp`);
  }

  async #hash(name: string): Promise<string> {
    const handle: FileHandle = await this.#disk.open(
      this.#absolute(name),
      constants.O_RDONLY | constants.O_NOFOLLOW,
    );
    try {
      const digest = createHash('sha256');
      for await (const chunk of chunksOf(handle)) digest.update(chunk);
      return digest.digest('hex');
    } finally {
      await handle.close().catch(() => {});
    }
  }

  /** False: this file system has no hard links, which alone never replace what came in between. */
  async #linked(aside: string, final: string): Promise<boolean> {
    try {
      await this.#disk.link(aside, final);
      return true;
    } catch (error) {
      if (isWithoutLinks(error)) return false;
      throw error;
    }
  }

  /** One folder, made if it is missing. */
  async #reach(path: string, mode: number): Promise<void> {
    const absolute = this.#absolute(path);
    try {
      const stat = await this.#disk.lstat(absolute).catch((error: unknown) => {
        if (errnoOf(error) === 'ENOENT') return null;
        throw error;
      });
      if (stat === null) {
        if (await this.#make(absolute, mode)) await syncFolder(this.#disk, dirname(absolute));
        else await this.#reach(path, mode);
      } else if (!stat.isDirectory()) throw notAFolder(path, stat.isSymbolicLink() ? 'a link' : 'a file');
    } catch (error) {
      throw diskFault(path, error);
    }
  }

  /** False: something is there by now, other results perhaps that are written just then. */
  async #make(absolute: string, mode: number): Promise<boolean> {
    try {
      await this.#disk.mkdir(absolute, { mode });
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw error;
    }
  }

  /** For folders; what of it holds for files is `& 0o640`. */
  async #modeLike(inputFolder: string): Promise<number> {
    const stat = await this.#disk.lstat(this.#absolute(inputFolder)).catch(() => null);
    return 0o700 | ((stat?.mode ?? 0) & 0o050);
  }
}

/** A link might lead anywhere, also to where what is written would be mirrored. */
function notAFolder(path: string, what: string): Error {
  const next = 'put a folder in its place, or name another `batches.resultsFolder`';
  return stateFault(path, `it is ${what}`, next, 'not-a-folder');
}
