import { errnoOf } from '../contract/errno.ts';
import { lstatSync, type Stats } from 'node:fs';
import { type FSWatcher, watch } from 'chokidar';

/**
 * How many small directories one chokidar watcher may take in at a time. While it takes one in, it stats every file
 * there, all of its directories at once; measured for 1,000 directories of 100 files: 335 MB and 450 ms of blocked
 * event loop without a limit, 130 MB and 18 ms with this one, in less time.
 */
const DIRECTORIES_AT_A_TIME = 16;
/** A directory of this size counts as one: about a hundred names on the usual file systems. A larger one counts for more. */
const SMALL_DIRECTORY_BYTES = 4096;
const REFILL_MS = 250;

export interface ForestListener {
  /** Something happened to this name in this watched directory; null when the name is not known. */
  onEvent(directory: string, name: string | null): void;
  /** This directory appeared or vanished, or was not watched for a moment. */
  onTree(directory: string): void;
  onError(error: unknown): void;
  /** Every directory that was there at the start is watched. */
  onReady(): void;
}

/**
 * Watches the directories of a tree natively, and none of its files.
 *
 * chokidar keeps the directory tree: it subscribes to a new directory before it lists it, and notices replaced
 * ones. Files are hidden from it (`ignored`), so that it keeps no record of each; their events are taken from its
 * `raw` events, which come straight from `fs.watch`, one for every name that was created, written, moved, removed,
 * or whose attributes changed. Directories beyond the limit are left out by the watcher that finds them, and get
 * watchers of their own afterwards, one after the other.
 */
export class WatchForest {
  readonly #accepts: (directory: string) => boolean;
  readonly #listener: ForestListener;
  readonly #watchers = new Set<FSWatcher>();
  /** Which watcher has a directory. INVARIANT: one at most, and never one that is deferred, too. */
  readonly #owners = new Map<string, FSWatcher>();
  readonly #deferred = new Set<string>();
  #allowance = DIRECTORIES_AT_A_TIME;
  #allowanceSinceMs = performance.now();
  #growing = false;
  #ready = false;
  #closed = false;
  readonly #closing = Promise.withResolvers<void>();

  /** `accepts`: whether a directory is to be watched, and with it what is below. Absolute paths all over. */
  constructor(root: string, accepts: (directory: string) => boolean, listener: ForestListener) {
    this.#accepts = accepts;
    this.#listener = listener;
    this.#defer(root);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.resolve();
    await Promise.all([...this.#watchers].map((watcher) => watcher.close()));
  }

  #defer(directory: string): void {
    this.#deferred.add(directory);
    if (this.#growing) return;
    this.#growing = true;
    void this.#grow();
  }

  /** Gives the directories that were left out watchers of their own. */
  async #grow(): Promise<void> {
    while (this.#deferred.size > 0 && !this.#closed) {
      const directories = this.#nextDeferred();
      this.#refill();
      await this.#plant(directories);
      if (this.#ready) directories.forEach((directory) => this.#listener.onTree(directory));
    }
    this.#growing = false;
    if (this.#ready || this.#closed) return;
    this.#ready = true;
    this.#listener.onReady();
  }

  /** As many as may be taken in at a time; one at least, however large it is. */
  #nextDeferred(): readonly string[] {
    const directories: string[] = [];
    let weight = 0;
    for (const directory of this.#deferred) {
      const stats = directoryAt(directory);
      weight += stats === null ? 1 : weightOf(stats);
      if (directories.length > 0 && weight > DIRECTORIES_AT_A_TIME) break;
      directories.push(directory);
    }
    return directories;
  }

  async #plant(directories: readonly string[]): Promise<void> {
    let watcher: FSWatcher | null = null;
    watcher = watch([], {
      backend: 'native',
      followSymlinks: false,
      ignoreInitial: true,
      // An unreadable directory is a matter of the scan, which reports it.
      ignorePermissionErrors: true,
      // Looks after editors' temporary files; a mirror has its own rules, and wants every event at once.
      atomic: false,
      ignored: (path, stats) => watcher === null || !this.#admits(watcher, path, stats),
    });
    this.#watchers.add(watcher);
    for (const directory of directories) {
      this.#deferred.delete(directory);
      this.#owners.set(directory, watcher);
    }
    this.#listen(watcher, new Set(directories));
    const ready = new Promise<void>((resolve) => watcher.once('ready', resolve));
    watcher.add([...directories]);
    await Promise.race([ready, this.#closing.promise]);
    // Vanished before it was watched: chokidar would now wait for it, relisting its parent at every event there.
    for (const directory of directories) if (!isDirectory(directory)) this.#drop(watcher, directory, true);
  }

  #listen(watcher: FSWatcher, planted: ReadonlySet<string>): void {
    watcher.on('raw', (_event, name, details: unknown) => {
      const directory = (details as { readonly watchedPath?: string }).watchedPath;
      if (directory !== undefined) this.#listener.onEvent(directory, name);
    });
    watcher.on('addDir', (directory) => this.#listener.onTree(directory));
    watcher.on('unlinkDir', (directory) => {
      this.#drop(watcher, directory, planted.has(directory));
      this.#listener.onTree(directory);
    });
    watcher.on('error', (error) => {
      // Too deep to be named: the scan reports it, and everything else can still be watched.
      if (errnoOf(error) !== 'ENAMETOOLONG') this.#listener.onError(error);
    });
  }

  /** Forgets a directory that is gone. When it comes back, the watcher of its parent finds it. */
  #drop(watcher: FSWatcher, directory: string, planted: boolean): void {
    if (this.#owners.get(directory) === watcher) this.#owners.delete(directory);
    this.#deferred.delete(directory);
    if (planted && !this.#closed) watcher.unwatch(directory);
  }

  #refill(): void {
    this.#allowance = DIRECTORIES_AT_A_TIME;
    this.#allowanceSinceMs = performance.now();
  }

  /** Whether this watcher shall see a path: its directories, and new ones as far as the allowance goes. */
  #admits(watcher: FSWatcher, path: string, stats: Stats | undefined): boolean {
    const owner = this.#owners.get(path);
    if (owner !== undefined) return owner === watcher;
    if (this.#closed || this.#deferred.has(path)) return false;
    const directory = stats?.isDirectory() === true ? stats : stats === undefined ? directoryAt(path) : null;
    if (directory === null || !this.#accepts(path)) return false;
    if (performance.now() - this.#allowanceSinceMs >= REFILL_MS) this.#refill();
    if (this.#allowance <= 0) {
      this.#defer(path);
      return false;
    }
    this.#allowance -= weightOf(directory);
    this.#owners.set(path, watcher);
    return true;
  }
}

/** A directory itself, not a link to one. */
export function isDirectory(path: string): boolean {
  return directoryAt(path) !== null;
}

function directoryAt(path: string): Stats | null {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats?.isDirectory() === true ? stats : null;
  } catch {
    return null;
  }
}

/** For how many small directories this one counts. */
function weightOf({ size }: Stats): number {
  return Math.max(1, Math.round(size / SMALL_DIRECTORY_BYTES));
}
