import type { Change, Entry, Garbage, ManifestView, MirrorPath, Replaced } from '../../contract/types.ts';
import { Calendar } from './calendar.ts';
import { Following, type Pause } from './following.ts';

/** What all that is remembered adds up to, kept up to date: nobody need go through a million entries for it. */
export class Totals {
  readonly #view: ManifestView;
  readonly #following: Following;
  /** How many entries lie below each directory, at any depth. */
  readonly #below = new Map<MirrorPath, number>();
  readonly #expiries = new Calendar();
  #entryBytes = 0;
  #garbageBytes = 0;
  #heldGarbage = 0;

  constructor(view: ManifestView, pause: Pause, perTurn?: number) {
    this.#view = view;
    const follower = {
      enter: (path: MirrorPath, entry: Entry) => this.#count(path, entry, 1),
      leave: (path: MirrorPath, entry: Entry) => this.#count(path, entry, -1),
    };
    this.#following = new Following(view, follower, pause, perTurn);
    for (const garbage of view.garbage.values()) this.#countGarbage(garbage, 1);
  }

  /** Whoever waits for this keeps nobody else waiting: before it, the first question takes as long as all entries. */
  ready(): Promise<void> {
    return this.#following.ready();
  }

  /** To be told of every change (`Recorded`). */
  apply(change: Change, replaced: Replaced): void {
    this.#following.apply(change, replaced);
    for (const garbage of replaced.garbage.values()) this.#countGarbage(garbage, -1);
    for (const garbage of Object.values(change.garbage ?? {}))
      if (garbage !== null) this.#countGarbage(garbage, 1);
  }

  /** What is ours remotely, garbage included. */
  ownedBytes(): number {
    this.#following.complete();
    return this.#entryBytes + this.#garbageBytes;
  }

  /** Entries at or below this path: of a directory, or of a purpose folder. */
  entriesWithin(tree: MirrorPath): number {
    this.#following.complete();
    return (this.#below.get(tree) ?? 0) + (this.#view.files.has(tree) ? 1 : 0);
  }

  get heldGarbage(): number {
    return this.#heldGarbage;
  }

  /** The soonest one that is still to come: what has expired is told by its path's state. */
  nextExpiry(nowSeconds: number): { readonly path: MirrorPath; readonly expiresAt: number } | null {
    this.#following.complete();
    const next = this.#expiries.firstAfter(nowSeconds);
    return next === null ? null : { path: next.path, expiresAt: next.at };
  }

  /** Paths whose remote files expire after `afterSeconds` and no later than `untilSeconds`. */
  expiring(afterSeconds: number, untilSeconds: number): IterableIterator<MirrorPath> {
    this.#following.complete();
    return this.#expiries.between(afterSeconds, untilSeconds);
  }

  #count(path: MirrorPath, { bytes, expiresAt }: Entry, by: 1 | -1): void {
    this.#entryBytes += by * bytes;
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const directory = path.slice(0, slash);
      const count = (this.#below.get(directory) ?? 0) + by;
      if (count === 0) this.#below.delete(directory);
      else this.#below.set(directory, count);
    }
    if (expiresAt === null) return;
    if (by === 1) this.#expiries.add(path, expiresAt);
    else this.#expiries.delete(path, expiresAt);
  }

  #countGarbage({ bytes, hold }: Garbage, by: 1 | -1): void {
    this.#garbageBytes += by * bytes;
    if (hold) this.#heldGarbage += by;
  }
}
