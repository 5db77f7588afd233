import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Clock, Hint } from '../../src/contract/ports.ts';
import { createIgnoreRules } from '../../src/local/ignore-rules.ts';
import { type WatchOptions, type WatchState, watchTree } from '../../src/local/watch.ts';
import { FOLDERS, systemClock, temporaryDirectory } from './fixtures.ts';

/** Waits are cut short, so that what is checked every second is checked ten times a second. */
const hastyClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 100), signal),
};

/** A watched temporary root, and everything that was hinted and said. */
export class HintRecorder {
  readonly root: string;
  readonly states: WatchState[] = [];
  readonly done: Promise<void>;
  readonly #abort = new AbortController();
  #hints: Hint[] = [];
  #waiters = new Set<() => void>();
  #waking = false;

  constructor(overrides: Partial<WatchOptions> = {}) {
    this.root = overrides.root ?? join(temporaryDirectory(), 'root');
    if (overrides.root === undefined) mkdirSync(join(this.root, 'batch'), { recursive: true });
    this.done = watchTree({
      root: this.root,
      folders: FOLDERS,
      mode: 'native',
      pollMs: 5000,
      lastScanMs: () => 0,
      rules: createIgnoreRules({ root: this.root, patterns: [] }),
      clock: hastyClock,
      onHint: (hint) => {
        this.#hints.push(hint);
        this.#wake();
      },
      onState: (state) => {
        this.states.push(state);
        this.#wake();
      },
      signal: this.#abort.signal,
      ...overrides,
    });
    onTestFinished(() => this.stop());
  }

  at(path: string): string {
    return join(this.root, path);
  }

  get hints(): readonly Hint[] {
    return this.#hints;
  }

  forget(): void {
    this.#hints = [];
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.done;
  }

  /** Resolves as soon as the condition holds; the test's own time limit is the end of patience. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  /** Native watching has begun. */
  async ready(): Promise<void> {
    await this.everything('the watcher is ready');
    this.forget();
  }

  /** A look at each of these paths was asked for: at itself, or at a tree that it is in. */
  async path(...paths: readonly string[]): Promise<void> {
    let open = paths;
    await this.until(() => {
      const looks = new Set(
        this.#hints.map((hint) => (hint.kind === 'everything' ? '' : `${hint.kind} ${hint.path}`)),
      );
      open = open.filter(
        (path) => !looks.has(`path ${path}`) && !treesOf(path).some((tree) => looks.has(`tree ${tree}`)),
      );
      return open.length === 0;
    });
  }

  async everything(why: string): Promise<void> {
    await this.until(() => this.#hints.some((hint) => hint.kind === 'everything' && hint.why === why));
  }

  #wake(): void {
    if (this.#waking) return;
    this.#waking = true;
    // Once for all that was hinted in this turn of the event loop.
    setImmediate(() => {
      this.#waking = false;
      const waiters = this.#waiters;
      this.#waiters = new Set();
      waiters.forEach((resolve) => resolve());
    });
  }
}

/** The path itself and every directory above it. */
function treesOf(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
