import type { Config } from '../config/config.ts';
import { lockRoot } from '../manifest/root-lock.ts';
import { lockStateDir, type StateLock } from '../manifest/state-lock.ts';

/** What is held while a mirror is open, given back in the reverse order. */
export class Held implements AsyncDisposable {
  readonly #held: (() => Promise<void>)[] = [];

  /** `clear`: throws when the mirror must not be opened. Throws `Fault` (`locked`). */
  async lock({ root, stateDir }: Config, clear: () => Promise<void>): Promise<StateLock> {
    const rootLock = await lockRoot(root);
    this.#held.push(() => rootLock.release());
    // A root that somebody mirrors right now is locked, not lost; and nothing is created before that is clear.
    await clear();
    const stateLock = await lockStateDir(stateDir);
    this.#held.push(() => stateLock.release());
    return stateLock;
  }

  add<T extends { close(): Promise<void> }>(part: T): T {
    this.#held.push(() => part.close());
    return part;
  }

  async close(): Promise<void> {
    for (let give = this.#held.pop(); give !== undefined; give = this.#held.pop()) await give();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
