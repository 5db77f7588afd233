interface Line {
  held: boolean;
  /** Those who came too late, first come first. */
  readonly late: Set<string>;
}

/**
 * Mutual exclusion by key, without waiting in place: whoever comes too late stands in line, and is told when it is
 * free. INVARIANT: as long as somebody stands in the line of a key that is free, one who was told has neither taken
 * it nor passed by yet. So nobody need try again by himself.
 */
export class KeyedLock {
  readonly #lines = new Map<string, Line>();
  /** Who was told of which keys, and has not come yet. */
  readonly #told = new Map<string, Set<string>>();
  readonly #onFree: (name: string) => void;

  /** `onFree`: called with the first one in line when a key is released; who was told owes a `take` or a `passBy`. */
  constructor(onFree: (name: string) => void) {
    this.#onFree = onFree;
  }

  /** Takes the lock and returns its release; null when another has it: then `name` stands in line. */
  take(key: string, name: string): (() => void) | null {
    const line = this.#lines.get(key) ?? { held: false, late: new Set<string>() };
    this.#lines.set(key, line);
    if (line.held) {
      line.late.add(name);
      return null;
    }
    line.held = true;
    line.late.delete(name);
    this.#told.get(name)?.delete(key);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      line.held = false;
      this.#tellNext(key);
    };
  }

  /** Whatever `name` was told of and did not take is the next one's. */
  passBy(name: string): void {
    const keys = this.#told.get(name);
    if (keys === undefined) return;
    this.#told.delete(name);
    for (const key of keys) this.#tellNext(key);
  }

  #tellNext(key: string): void {
    const line = this.#lines.get(key);
    if (line === undefined || line.held) return;
    const [next] = line.late;
    if (next !== undefined) line.late.delete(next);
    if (line.late.size === 0) this.#lines.delete(key);
    if (next === undefined) return;
    this.#told.set(next, (this.#told.get(next) ?? new Set()).add(key));
    this.#onFree(next);
  }
}
