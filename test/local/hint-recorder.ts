import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { isWithin } from '../../src/mirror/mirror-path.ts';
import type { Hint } from '../../src/mirror/ports.ts';
import { createIgnoreRules } from '../../src/local/ignore-rules.ts';
import { type WatchOptions, type WatchState, watchTree } from '../../src/local/watch.ts';
import { FOLDERS, systemClock, temporaryDirectory } from './fixtures.ts';

/** A watched temporary root, and everything that was hinted and said. */
export class HintRecorder {
  readonly root: string;
  readonly states: WatchState[] = [];
  readonly done: Promise<void>;
  readonly #abort = new AbortController();
  #hints: Hint[] = [];
  #waiters = new Set<() => void>();

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
      clock: systemClock,
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

  /** A look at this path was asked for: at itself, or at a tree that it is in. */
  async path(...paths: readonly string[]): Promise<void> {
    await this.until(() => paths.every((path) => this.#hints.some((hint) => covers(hint, path))));
  }

  async everything(why: string): Promise<void> {
    await this.until(() => this.#hints.some((hint) => hint.kind === 'everything' && hint.why === why));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    waiters.forEach((resolve) => resolve());
  }
}

function covers(hint: Hint, path: string): boolean {
  if (hint.kind === 'everything') return false;
  return hint.kind === 'tree' ? isWithin(path, hint.path) : hint.path === path;
}
