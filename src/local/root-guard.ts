import { constants } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../contract/faults.ts';
import type { RootLook } from '../contract/types.ts';
import { type Disk, realDisk, readRegularFile } from './disk.ts';
import { describeError, isMissing, isWithoutLinks } from '../contract/errno.ts';

/** Says which mirror a root belongs to. */
export const MARKER_FILE = '.files-mirror.json';
/** What it is written as first. A process that is killed in between leaves it; it is ours, and not worth a word. */
export const MARKER_TEMPORARY = `${MARKER_FILE}.tmp`;

const NOTE =
  'This file tells files-mirror that this is the right folder. Keep it: without it nothing is uploaded or deleted.';

/** What the marker said; `damaged` when it is there but says nothing that can be understood. */
type Marker =
  | { readonly kind: 'of'; readonly mirrorId: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'damaged'; readonly why: string };

/** Asks a root for its marker. */
export class RootGuard {
  readonly #root: string;
  readonly #disk: Disk;
  #expectedId: string | null = null;
  #knownDevice: string | null = null;

  /** `root`: absolute. */
  constructor(root: string, disk: Disk = realDisk) {
    this.#root = root;
    this.#disk = disk;
  }

  /** Is the root there, a directory, on the same device as before, and marked with this id? Never throws. */
  look(mirrorId: string): RootLook {
    this.#expectedId = mirrorId;
    const root = this.#root;
    try {
      const stat = this.#disk.statSync(root, { bigint: true });
      if (!stat.isDirectory()) return { kind: 'bad', reason: `${root} is not a directory` };
      const device = String(stat.dev);
      const marker = readMarker(this.#disk, root);
      if (marker.kind === 'absent') return { kind: 'unmarked', device };
      if (marker.kind === 'damaged') return { kind: 'bad', reason: marker.why };
      if (marker.mirrorId !== mirrorId) {
        return { kind: 'bad', reason: `${root} belongs to another mirror (${marker.mirrorId})` };
      }
      const previous = this.#knownDevice;
      this.#knownDevice = device;
      // Said once: the right marker on another device is the same folder, mounted again. Whoever asked before has
      // looked at another file system, though, and must start over.
      if (previous !== null && previous !== device) {
        return { kind: 'bad', reason: `${root} moved from device ${previous} to device ${device}` };
      }
      return { kind: 'ok', device };
    } catch (error) {
      return { kind: 'bad', reason: `${root} cannot be read: ${describeError(error)}` };
    }
  }

  /** The same with the id of the last `look` or `mark`; bad before the first. */
  lookAgain(): RootLook {
    if (this.#expectedId === null) return { kind: 'bad', reason: 'the root was not checked yet' };
    return this.look(this.#expectedId);
  }

  /** Whether the marker says that id, device aside. */
  isMarked(): boolean {
    const marker = readMarker(this.#disk, this.#root);
    return marker.kind === 'of' && marker.mirrorId === this.#expectedId;
  }

  /** Writes the marker durably. Does nothing when the same marker is there. Throws `Fault` with halt `root`. */
  async mark(mirrorId: string): Promise<void> {
    this.#expectedId = mirrorId;
    const root = this.#root;
    const found = readMarker(this.#disk, root);
    if (found.kind === 'of' && found.mirrorId === mirrorId) return;
    if (found.kind !== 'absent') {
      const why = found.kind === 'of' ? `it belongs to another mirror (${found.mirrorId})` : found.why;
      throw new Fault(`${root} cannot be marked: ${why}`, HALT_ROOT);
    }
    try {
      await writeMarker(root, `${JSON.stringify({ version: 1, mirrorId, note: NOTE }, null, 2)}\n`);
    } catch (error) {
      throw new Fault(`${root} cannot be marked: ${describeError(error)}`, { ...HALT_ROOT, cause: error });
    }
  }
}

const HALT_ROOT = { disposition: 'halt', outcome: 'refused', halt: 'root', rule: 'root' } as const;

function readMarker(disk: Disk, root: string): Marker {
  let content: string;
  try {
    const bytes = readRegularFile(disk, join(root, MARKER_FILE));
    if (bytes === null) return { kind: 'damaged', why: `${MARKER_FILE} is no regular file` };
    content = bytes.toString('utf8');
  } catch (error) {
    if (isMissing(error)) return { kind: 'absent' };
    return { kind: 'damaged', why: `${MARKER_FILE} cannot be read: ${describeError(error)}` };
  }
  try {
    const value: unknown = JSON.parse(content);
    if (
      typeof value === 'object' &&
      value !== null &&
      'mirrorId' in value &&
      typeof value.mirrorId === 'string'
    ) {
      return { kind: 'of', mirrorId: value.mirrorId };
    }
  } catch {
    // Not JSON: falls through to what both mean.
  }
  return { kind: 'damaged', why: `${MARKER_FILE} is damaged: it names no mirror` };
}

/** All or nothing, and durable: a full temporary file, then its name, then the directory. */
async function writeMarker(root: string, content: string): Promise<void> {
  const marker = join(root, MARKER_FILE);
  const temporary = join(root, MARKER_TEMPORARY);
  try {
    // The lock on the root makes us the only writer; whatever lies there is a killed one's.
    await rm(temporary, { force: true });
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, marker).catch(async (error: unknown) => {
      // QUIRK: FAT, some network and FUSE file systems know no hard links.
      if (!isWithoutLinks(error)) throw error;
      await rename(temporary, marker);
    });
  } finally {
    await rm(temporary, { force: true });
  }
  const directory = await open(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The mirror that this root's marker names; null when it bears none that can be understood. `root`: absolute. */
export async function readMirrorId(root: string): Promise<string | null> {
  const marker = readMarker(realDisk, root);
  return marker.kind === 'of' ? marker.mirrorId : null;
}
