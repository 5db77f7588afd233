interface Line {
  held: boolean;
  /** Those who came too late, first come first. */
  readonly late: Set<string>;
}

/**
 * Mutual exclusion by key, without waiting in place: whoever comes too late is told when it is worth another try.
 * Being told is a hint: one who no longer cares need not come, so those behind should also try again by themselves
 * now and then.
 */
export class KeyedLock {
  readonly #lines = new Map<string, Line>();
  readonly #onFree: (name: string) => void;

  /** `onFree`: called with the first one in line when a key is released. */
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
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#release(key, line);
    };
  }

  #release(key: string, line: Line): void {
    line.held = false;
    const [next] = line.late;
    if (next !== undefined) line.late.delete(next);
    if (line.late.size === 0) this.#lines.delete(key);
    if (next !== undefined) this.#onFree(next);
  }
}
