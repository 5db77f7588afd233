import type { MirrorPath } from '../../contract/types.ts';
import type { Topic, Worklist } from './worklist.ts';

/**
 * Which paths are being uploaded under a key: one at a time. Whoever comes too late waits on the key's topic, and is
 * woken when it is his turn and the key is free.
 */
export class UploadKeys {
  readonly #worklist: Pick<Worklist, 'wakeNext' | 'mark' | 'topicOf'>;
  /** Who found a key taken, and perhaps does not stand on its topic yet. */
  readonly #suitors = new Map<Topic, Set<MirrorPath>>();
  readonly #holders = new Map<Topic, Set<MirrorPath>>();
  readonly #keyOf = new Map<MirrorPath, Topic>();

  constructor(worklist: Pick<Worklist, 'wakeNext' | 'mark' | 'topicOf'>) {
    this.#worklist = worklist;
  }

  /** False: another path has it. A path has one key at a time. */
  take(key: Topic, path: MirrorPath): boolean {
    const holders = this.#holders.get(key);
    if (holders !== undefined && [...holders].some((holder) => holder !== path)) {
      this.#suitors.set(key, (this.#suitors.get(key) ?? new Set()).add(path));
      return false;
    }
    this.hold(key, path);
    return true;
  }

  /** For what is under way already, whoever else has the key: it is free when none of them has it any more. */
  hold(key: Topic, path: MirrorPath): void {
    if (this.#keyOf.get(path) !== key) this.release(path);
    this.#keyOf.set(path, key);
    const holders = this.#holders.get(key);
    if (holders === undefined) this.#holders.set(key, new Set([path]));
    else holders.add(path);
  }

  /** Gives back what the path has, if anything. */
  release(path: MirrorPath): void {
    const key = this.#keyOf.get(path);
    const holders = key === undefined ? undefined : this.#holders.get(key);
    if (key === undefined || holders === undefined) return;
    this.#keyOf.delete(path);
    holders.delete(path);
    if (holders.size > 0) return;
    this.#holders.delete(key);
    this.#worklist.wakeNext(key);
    // RACE: between finding the key taken and waiting on its topic, a look takes some turns of the loop.
    for (const suitor of this.#suitors.get(key) ?? [])
      if (this.#worklist.topicOf(suitor) !== key) this.#worklist.mark(suitor);
    this.#suitors.delete(key);
  }
}
