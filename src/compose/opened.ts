import { lockRoot } from '../manifest/root-lock.ts';
import { lockedBy, lockHolder, lockStateDir, type StateLock } from '../manifest/state-lock.ts';
import type { MirrorIdentity } from './remembered.ts';

/** What was opened for a mirror, locks included; closed in the reverse order. */
export class Opened implements AsyncDisposable {
  readonly #parts: { close(): Promise<void> }[] = [];

  /** `clear`: throws when the mirror must not be opened. Throws `Fault` (`locked`). */
  async lock(
    { config: { root, stateDir }, verb }: Pick<MirrorIdentity, 'config' | 'verb'>,
    clear: () => Promise<void>,
  ): Promise<StateLock> {
    const rootLock = await lockRoot(root).catch(async (error: unknown) => {
      throw await lockedByStopped(root, stateDir, error);
    });
    this.add(rootLock);
    // A root that somebody mirrors right now is locked, not lost; and nothing is created before that is clear.
    await clear();
    return this.add(await lockStateDir(stateDir, undefined, undefined, verb));
  }

  add<T extends { close(): Promise<void> }>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  async close(): Promise<void> {
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) await part.close();
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
