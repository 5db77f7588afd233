import { fileOf, identityKey } from '../../contract/stat-token.ts';
import type { Change, FileId, ManifestView, MirrorPath, Replaced, StatToken } from '../../contract/types.ts';
import { LargeMap } from './large-map.ts';
import { Following, type Follower, type Pause } from './following.ts';

/** How long an id that was given up is remembered: far longer than any listing is stale. */
const REMEMBER_MS = 600_000;

/**
 * Which path owns an id, and which path's file had an identity (device, inode, size, mtime: what a rename keeps).
 * Follows from the manifest; whoever awaits `ready` before asking keeps nobody else waiting.
 */
export class IdentityIndex {
  readonly #view: ManifestView;
  readonly #following: Following;
  readonly #owners = new LargeMap<MirrorPath>();
  /** By inode and device, of which a million are less dear than whole identities: one file has one path but for links. */
  readonly #files = new LargeMap<MirrorPath>();
  /** Ids that are being recorded. */
  readonly #reserved = new Set<FileId>();
  /** Ids that were ours and are no more, with the monotonic time of that, oldest first. */
  readonly #givenUp = new Map<FileId, number>();

  constructor(view: ManifestView, pause: Pause, perTurn?: number) {
    this.#view = view;
    const follower: Follower = {
      enter: (path, { id, stat }) => {
        this.#owners.set(id, path);
        this.#files.set(fileOf(stat), path);
      },
      leave: (path, { id, stat }) => {
        if (this.#owners.get(id) === path) this.#owners.delete(id);
        if (this.#files.get(fileOf(stat)) === path) this.#files.delete(fileOf(stat));
      },
    };
    this.#following = new Following(view, follower, pause, perTurn);
  }

  ready(): Promise<void> {
    return this.#following.ready();
  }

  /** The path whose entry has this id; null when none has. */
  ownerOf(id: FileId): MirrorPath | null {
    this.#following.complete();
    return this.#owners.get(id) ?? null;
  }

  /** True when an entry or the garbage list has this id, or is about to. */
  isOwned(id: FileId): boolean {
    return this.ownerOf(id) !== null || this.#view.garbage.has(id) || this.#reserved.has(id);
  }

  /** Whether this id is being recorded. */
  isReserved(id: FileId): boolean {
    return this.#reserved.has(id);
  }

  /**
   * Makes an id ours from now on, until disposed of: while its record is on the way to the disk. RACE: a server that
   * keeps equal contents once answers two uploads at a time with the same id.
   */
  reserveId(id: FileId): Disposable {
    this.#reserved.add(id);
    return { [Symbol.dispose]: () => this.#reserved.delete(id) };
  }

  /** True when this id was ours until lately: a stale listing may still show it. */
  wasOwned(id: FileId): boolean {
    return this.#givenUp.has(id);
  }

  /** Another path than `path` whose entry was recorded with this file's identity; null when there is none. */
  otherPathOf(path: MirrorPath, stat: StatToken): MirrorPath | null {
    this.#following.complete();
    const other = this.#files.get(fileOf(stat));
    const entry = other === undefined || other === path ? undefined : this.#view.files.get(other);
    return entry !== undefined && identityKey(entry.stat) === identityKey(stat) ? (other ?? null) : null;
  }

  /** To be told of every change (`Recorded`); `nowMs`: monotonic. */
  apply(change: Change, replaced: Replaced, nowMs: number): void {
    this.#following.apply(change, replaced);
    for (const [id, garbage] of Object.entries(change.garbage ?? {})) {
      if (garbage === null) this.#giveUp(id, nowMs);
    }
  }

  #giveUp(id: FileId, nowMs: number): void {
    this.#givenUp.set(id, nowMs);
    for (const [old, atMs] of this.#givenUp) {
      if (nowMs - atMs < REMEMBER_MS) return;
      this.#givenUp.delete(old);
    }
  }
}
