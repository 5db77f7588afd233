type OnAbort = (reason: unknown) => void;

/**
 * Many waiters on few signals, with one listener on each signal: an `EventTarget` goes through all its listeners
 * whenever one is added or removed.
 */
export class AbortFan {
  readonly #waiters = new WeakMap<AbortSignal, Set<OnAbort>>();

  /** Calls `onAbort` when the signal aborts, unless the returned function was called before. */
  wait(signal: AbortSignal, onAbort: OnAbort): () => void {
    const waiters = this.#waiters.get(signal) ?? this.#listen(signal);
    waiters.add(onAbort);
    return () => waiters.delete(onAbort);
  }

  #listen(signal: AbortSignal): Set<OnAbort> {
    const waiters = new Set<OnAbort>();
    this.#waiters.set(signal, waiters);
    const tellAll = (): void => {
      for (const onAbort of waiters) onAbort(signal.reason);
      waiters.clear();
    };
    signal.addEventListener('abort', tellAll, { once: true });
    return waiters;
  }
}
