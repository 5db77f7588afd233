import { basename } from 'node:path';
import type { Clock, Hint } from '../contract/ports.ts';
import { BurstAlarm } from './burst-alarm.ts';
import { IGNORE_FILE, type IgnoreRules } from './ignore-rules.ts';
import { MARKER_FILE, MARKER_TEMPORARY } from './root-guard.ts';
import { mayBeUndecodable } from './undecodable-name.ts';
import { WatchForest, isDirectory } from './watch-forest.ts';

/** Why a session cannot go on. */
export type SessionEnd =
  /** `rules`: the ignore rules changed, and with them which directories are to be watched. `replaced`: the root is gone. */
  { readonly kind: 'rules' | 'replaced' } | { readonly kind: 'error'; readonly error: unknown };

export interface SessionOptions {
  /** Absolute, and there. */
  readonly root: string;
  readonly folders: readonly string[];
  readonly rules: IgnoreRules;
  readonly clock: Clock;
  readonly onHint: (hint: Hint) => void;
  readonly onReady: () => void;
}

/** chokidar needs two looks at the file system for that: a few milliseconds on a busy machine. */
const RESUBSCRIBED_AFTER_MS = 250;

/** One life of a native watcher: turns its events into hints until something makes another life necessary. */
export class WatchSession {
  /** Never rejects. Does not resolve when the session is closed from outside. */
  readonly ended: Promise<SessionEnd>;
  readonly #options: SessionOptions;
  readonly #forest: WatchForest;
  readonly #closing = new AbortController();
  readonly #burst: BurstAlarm;
  readonly #revision: number;
  readonly #end: (end: SessionEnd) => void;
  /** Waiting for the end of this turn of the event loop, so that many events of one path make one hint. */
  #hints = new Map<string, Hint>();

  constructor(options: SessionOptions) {
    const { promise, resolve } = Promise.withResolvers<SessionEnd>();
    this.ended = promise;
    this.#end = resolve;
    this.#options = options;
    this.#revision = options.rules.revision();
    this.#burst = new BurstAlarm(options.clock, this.#closing.signal, () =>
      this.#hint({ kind: 'everything', why: 'events may have been lost in a burst' }),
    );
    this.#forest = new WatchForest(options.root, (directory) => this.#accepts(directory), {
      onEvent: (directory, name) => this.#onEvent(directory, name),
      onTree: (directory) => this.#onTree(directory),
      onError: (error) => resolve({ kind: 'error', error }),
      onReady: () => options.onReady(),
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#forest.close();
  }

  #accepts(directory: string): boolean {
    const { folders, rules } = this.#options;
    const path = this.#mirrorPath(directory);
    if (path === null) return false;
    if (path === '') return true;
    const [folder = ''] = path.split('/', 1);
    return folders.includes(folder) && rules.test(path, true) === null;
  }

  #onEvent(directory: string, name: string | null): void {
    this.#burst.count();
    // The scan knows undecodable names by their bytes; an event does not.
    if (name === null || mayBeUndecodable(name)) return this.#hintTree(directory);
    if (name === basename(directory)) {
      // QUIRK: what happens to a directory itself (a chmod, its end) bears its own name, as a child's event would.
      void this.#lookAgainAt(directory);
      return this.#hintTree(directory);
    }
    const path = this.#mirrorPath(`${directory}/${name}`);
    if (path === null || path === MARKER_TEMPORARY) return;
    if (path === IGNORE_FILE) {
      // Whoever scans may have read it already.
      this.#options.rules.reload();
      if (this.#options.rules.revision() !== this.#revision) this.#end({ kind: 'rules' });
    } else if (path === MARKER_FILE) {
      this.#hint({ kind: 'everything', why: 'the marker of the root changed' });
    } else if (this.#isTree(path)) {
      this.#hint({ kind: 'tree', path });
    } else {
      this.#hint({ kind: 'path', path });
    }
  }

  #onTree(directory: string): void {
    this.#hintTree(directory);
    // Its inode is all that was watched; a new root has another one.
    if (directory === this.#options.root) this.#end({ kind: 'replaced' });
  }

  #hintTree(directory: string): void {
    const path = this.#mirrorPath(directory);
    if (path === '') this.#hint({ kind: 'everything', why: 'the root changed' });
    else if (path !== null) this.#hint({ kind: 'tree', path });
  }

  /**
   * RACE: a watched directory's own end comes as an event of its own name. When another one is in its place by then,
   * chokidar subscribes to that one without a word; what happened in between is found by one more look.
   */
  async #lookAgainAt(directory: string): Promise<void> {
    try {
      await this.#options.clock.sleep(RESUBSCRIBED_AFTER_MS, this.#closing.signal);
    } catch {
      return; // The session is over.
    }
    if (isDirectory(directory)) this.#hintTree(directory);
  }

  /** A purpose folder even when it is gone; a directory whose attributes changed, and may be listed only now. */
  #isTree(path: string): boolean {
    if (this.#options.folders.includes(path)) return true;
    return isDirectory(`${this.#options.root}/${path}`);
  }

  /** Null outside of the root; the empty string for the root itself. */
  #mirrorPath(absolute: string): string | null {
    const { root } = this.#options;
    if (absolute === root) return '';
    return absolute.startsWith(`${root}/`) ? absolute.slice(root.length + 1) : null;
  }

  #hint(hint: Hint): void {
    if (this.#closing.signal.aborted) return;
    if (this.#hints.size === 0) setImmediate(() => this.#flush());
    this.#hints.set(hint.kind === 'everything' ? hint.kind : `${hint.kind} ${hint.path}`, hint);
  }

  #flush(): void {
    const hints = this.#hints;
    this.#hints = new Map();
    for (const hint of hints.values()) this.#options.onHint(hint);
  }
}
