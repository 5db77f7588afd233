import { identityKey } from '../../contract/stat-token.ts';
import type { Change, FileId, ManifestView, MirrorPath, Replaced, StatToken } from '../../contract/types.ts';

/** How long an id that was given up is remembered: far longer than any listing is stale. */
const REMEMBER_MS = 600_000;

/**
 * Which path owns an id, and which path's file had an identity (device, inode, size, mtime: what a rename keeps).
 * Derived from the manifest, built when first asked for, and kept up to date by `apply`.
 */
export class IdentityIndex {
  readonly #view: ManifestView;
  #owners: Map<FileId, MirrorPath> | null = null;
  #identities: Map<string, MirrorPath> | null = null;
  /** Ids that are being recorded. */
  readonly #held = new Set<FileId>();
  /** Ids that were ours and are no more, with the monotonic time of that, oldest first. */
  readonly #givenUp = new Map<FileId, number>();

  constructor(view: ManifestView) {
    this.#view = view;
  }

  /** The path whose entry has this id; null when none has. */
  ownerOf(id: FileId): MirrorPath | null {
    return this.#ownersMap().get(id) ?? null;
  }

  /** True when an entry or the garbage list holds this id, or is about to. */
  isOwned(id: FileId): boolean {
    return this.#ownersMap().has(id) || this.#view.garbage.has(id) || this.#held.has(id);
  }

  /** Whether this id is being recorded. */
  isHeld(id: FileId): boolean {
    return this.#held.has(id);
  }

  /**
   * Makes an id ours from now on, until disposed of: while its record is on the way to the disk. RACE: a server that
   * keeps equal contents once answers two uploads at a time with the same id.
   */
  holdId(id: FileId): Disposable {
    this.#held.add(id);
    return { [Symbol.dispose]: () => this.#held.delete(id) };
  }

  /** True when this id was ours until lately: a stale listing may still show it. */
  wasOwned(id: FileId): boolean {
    return this.#givenUp.has(id);
  }

  /** Another path than `path` whose entry was recorded with this file's identity; null when there is none. */
  otherPathOf(path: MirrorPath, stat: StatToken): MirrorPath | null {
    if (this.#view.files.size === 0) return null;
    const other = this.#identitiesMap().get(identityKey(stat)) ?? null;
    return other === path ? null : other;
  }

  /** To be told of every change (`Recorded`); `nowMs`: monotonic. */
  apply(change: Change, replaced: Replaced, nowMs: number): void {
    for (const [path, old] of replaced.files) {
      if (this.#owners?.get(old.id) === path) this.#owners.delete(old.id);
      const key = this.#identities === null ? null : identityKey(old.stat);
      if (key !== null && this.#identities?.get(key) === path) this.#identities.delete(key);
    }
    for (const [path, entry] of Object.entries(change.files ?? {})) {
      if (entry === null) continue;
      this.#owners?.set(entry.id, path);
      this.#identities?.set(identityKey(entry.stat), path);
    }
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

  #ownersMap(): Map<FileId, MirrorPath> {
    if (this.#owners === null) {
      this.#owners = new Map();
      for (const [path, entry] of this.#view.files) this.#owners.set(entry.id, path);
    }
    return this.#owners;
  }

  #identitiesMap(): Map<string, MirrorPath> {
    if (this.#identities === null) {
      this.#identities = new Map();
      for (const [path, entry] of this.#view.files) this.#identities.set(identityKey(entry.stat), path);
    }
    return this.#identities;
  }
}
