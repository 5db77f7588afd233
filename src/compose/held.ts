import { lockRoot } from '../manifest/root-lock.ts';
import { lockedBy, lockHolder, lockStateDir, type StateLock } from '../manifest/state-lock.ts';
import type { MirrorIdentity } from './remembered.ts';

/** What is held while a mirror is open, given back in the reverse order. */
export class Held implements AsyncDisposable {
  readonly #held: (() => Promise<void>)[] = [];

  /** `clear`: throws when the mirror must not be opened. Throws `Fault` (`locked`). */
  async lock(
    { config: { root, stateDir }, verb }: Pick<MirrorIdentity, 'config' | 'verb'>,
    clear: () => Promise<void>,
  ): Promise<StateLock> {
    const rootLock = await lockRoot(root).catch(async (error: unknown) => {
      throw await lockedByStopped(root, stateDir, error);
    });
    this.#held.push(() => rootLock.release());
    // A root that somebody mirrors right now is locked, not lost; and nothing is created before that is clear.
    await clear();
    const stateLock = await lockStateDir(stateDir, undefined, undefined, verb);
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

/** A holder that was stopped cannot say its pid; its state folder can, if it is this one. */
async function lockedByStopped(root: string, stateDir: string, error: unknown): Promise<unknown> {
  const holder = await lockHolder(stateDir);
  return holder?.isStopped === true ? lockedBy(holder.pid, root, false, true) : error;
}
