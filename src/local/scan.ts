import { setImmediate } from 'node:timers/promises';
import type { BigIntStats, Dir } from 'node:fs';
import { didYouMean } from '../contract/nearest-name.ts';
import { statToken } from '../contract/stat-token.ts';
import type { MirrorPath, ScanItem, SkipReason } from '../contract/types.ts';
import { type Disk, realDisk } from './disk.ts';
import { describeError, errnoOf, isMissing } from '../contract/errno.ts';
import { IGNORE_FILE, type IgnoreRules } from './ignore-rules.ts';
import { MARKER_FILE, MARKER_TEMPORARY } from './root-guard.ts';
import { listDoubtfulNames, mayBeUndecodable } from './undecodable-name.ts';

/** How long a walk may hold the event loop before it lets others run. */
const SLICE_MS = 8;
const BATCH_ITEMS = 1000;
/** Reading the clock costs as much as a fifth of a look. */
const STEPS_PER_CLOCK_READ = 32;

export interface ScanOptions {
  /** Absolute. */
  readonly root: string;
  /** First-level folders that are mirrored. */
  readonly folders: readonly string[];
  /** A first-level folder that is the program's own, and passed over in silence. */
  readonly ownFolder?: string;
  readonly rules: IgnoreRules;
  readonly disk?: Disk;
}

/**
 * Walks the configured folders, or only the tree at `under`, and yields what it finds in batches, letting the event
 * loop run in between. Never follows a symbolic link. One directory is open at a time, and only the names of
 * directories still to be visited are kept. Throws only the signal's reason.
 */
export async function* scanTree(
  options: ScanOptions,
  under: MirrorPath | null,
  signal: AbortSignal,
): AsyncGenerator<readonly ScanItem[]> {
  const walk = new Walk(options);
  let batch: ScanItem[] = [];
  let sliceEndsAt = performance.now() + SLICE_MS;
  let steps = 0;
  signal.throwIfAborted();
  for (const item of under === null ? walk.everything() : walk.below(under)) {
    if (item !== null) batch.push(item);
    steps += 1;
    const sliceIsOver = steps % STEPS_PER_CLOCK_READ === 0 && performance.now() >= sliceEndsAt;
    if (!sliceIsOver && batch.length < BATCH_ITEMS) continue;
    if (batch.length > 0) yield batch;
    batch = [];
    await setImmediate();
    signal.throwIfAborted();
    sliceEndsAt = performance.now() + SLICE_MS;
  }
  if (batch.length > 0) yield batch;
}

/** A step of the walk: something found, or null, which only gives the caller a chance to pause. */
type Step = ScanItem | null;

class Walk {
  readonly #root: string;
  readonly #folders: readonly string[];
  readonly #ownFolder: string | null;
  readonly #rules: IgnoreRules;
  readonly #disk: Disk;
  /** Directories still to be listed. */
  readonly #pending: MirrorPath[] = [];

  constructor({ root, folders, ownFolder, rules, disk = realDisk }: ScanOptions) {
    this.#root = root;
    this.#folders = folders;
    this.#ownFolder = ownFolder ?? null;
    this.#rules = rules;
    this.#disk = disk;
  }

  *everything(): Generator<Step> {
    yield* this.#firstLevel();
    yield* this.#visitPending();
  }

  *below(under: MirrorPath): Generator<Step> {
    const parts = under.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      // A link above is reported as itself, and what lies behind it is not ours; the same for an ignored folder.
      const item = this.#find(parts.slice(0, depth).join('/'));
      if (item !== null) {
        yield item;
        return;
      }
      if (this.#pending.pop() === undefined) return;
    }
    yield this.#find(under);
    yield* this.#visitPending();
  }

  *#firstLevel(): Generator<Step> {
    let names: readonly string[];
    try {
      names = this.#disk.readdirSync(this.#root);
    } catch (error) {
      const reason = `the root cannot be listed: ${describeError(error)}`;
      for (const path of this.#folders) yield { kind: 'unlistable', path, reason };
      return;
    }
    const own = new Set([MARKER_FILE, MARKER_TEMPORARY, IGNORE_FILE]);
    for (const name of names) {
      if (!own.has(name) && !mayBeUndecodable(name)) yield this.#find(name);
    }
    if (names.some(mayBeUndecodable)) yield* this.#doubtful('');
  }

  *#visitPending(): Generator<Step> {
    for (let path = this.#pending.pop(); path !== undefined; path = this.#pending.pop()) {
      yield* this.#directory(path);
      yield null;
    }
  }

  *#directory(path: MirrorPath): Generator<Step> {
    let directory: Dir | null = null;
    let doubtful = false;
    try {
      // In pieces: a directory of a million names would otherwise hold the loop for a second.
      directory = this.#disk.opendirSync(this.#absolute(path), { bufferSize: 512 });
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        if (mayBeUndecodable(entry.name)) doubtful = true;
        else yield this.#find(`${path}/${entry.name}`);
      }
      if (doubtful) yield* this.#doubtful(path);
    } catch (error) {
      // Gone since it was found: its files are absent, and whoever concludes that looks for himself.
      if (!isMissing(error)) yield { kind: 'unlistable', path, reason: describeError(error) };
    } finally {
      directory?.closeSync();
    }
  }

  *#doubtful(path: MirrorPath): Generator<Step> {
    const prefix = path === '' ? '' : `${path}/`;
    const { decodable, undecodable } = listDoubtfulNames(this.#disk, this.#absolute(path));
    for (const name of decodable) yield this.#find(prefix + name);
    for (const name of undecodable) {
      yield { kind: 'skipped', path: prefix + name, reason: 'not-utf8', detail: 'the name is not UTF-8' };
    }
  }

  /** What is at this path. A directory to be walked is no item: it is put on the list instead. */
  #find(path: MirrorPath): Step {
    let stat: BigIntStats | undefined;
    try {
      stat = this.#disk.lstatSync(this.#absolute(path), { bigint: true, throwIfNoEntry: false });
    } catch (error) {
      if (errnoOf(error) === 'ENAMETOOLONG') {
        return { kind: 'skipped', path, reason: 'name', detail: 'the path is longer than the system allows' };
      }
      return { kind: 'unlistable', path, reason: describeError(error) };
    }
    if (stat === undefined || path === this.#ownFolder) return null;
    const isDirectory = stat.isDirectory();
    const rule = this.#rules.test(path, isDirectory);
    if (rule !== null) return { kind: 'ignored', path, rule };
    if (!path.includes('/') && !(this.#folders.includes(path) && (isDirectory || stat.isSymbolicLink()))) {
      const hint = isDirectory ? hintForFolder(path, this.#folders) : hintForRootFile(this.#folders);
      return { kind: 'outside', path, hint };
    }
    if (isDirectory) {
      this.#pending.push(path);
      return null;
    }
    const skip = skipReasonOf(stat);
    return skip === null ? { kind: 'file', path, stat: statToken(stat) } : { kind: 'skipped', path, ...skip };
  }

  #absolute(path: MirrorPath): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }
}

/** Why something that is no directory cannot be mirrored; null for a regular file. */
export function skipReasonOf(
  stat: BigIntStats,
): { readonly reason: SkipReason; readonly detail: string } | null {
  if (stat.isFile()) return null;
  if (stat.isSymbolicLink()) {
    return { reason: 'symlink', detail: 'a symbolic link, which is not followed' };
  }
  const what = stat.isFIFO() ? 'a named pipe' : stat.isSocket() ? 'a socket' : 'a device';
  return { reason: 'special', detail: `${what}, not a regular file` };
}

/** Why a first-level file of the root is not mirrored. */
function hintForRootFile(folders: readonly string[]): string {
  return `a file in the root itself is not mirrored; move it into one of the purpose folders (${folders.join(', ')})`;
}

/** Why a first-level folder of the root is not mirrored, with the name that was probably meant. */
export function hintForFolder(name: string, folders: readonly string[]): string {
  return `no purpose folder of this name is configured${didYouMean(name, folders)}`;
}
