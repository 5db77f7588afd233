/** Mutual exclusion by key, first come first served. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Takes the lock at once, behind everyone who asked before. Await `ready`, then call `release` once. */
  take(key: string): { readonly ready: Promise<void>; readonly release: () => void } {
    const ready = this.#tails.get(key) ?? Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const tail = ready.then(() => promise);
    this.#tails.set(key, tail);
    const release = (): void => {
      resolve();
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    };
    return { ready, release };
  }
}
