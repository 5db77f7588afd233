import type { HaltBoard } from '../memory/halts.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import type { Clock } from '../../contract/ports.ts';
import { nowSeconds } from '../../contract/times.ts';
import type { Totals } from '../memory/totals.ts';
import type { Survey } from '../judge/remote-survey.ts';
import { sizeOf } from '../../contract/stat-token.ts';
import type { MirrorPath, StatToken, ManifestView } from '../../contract/types.ts';
import { STORAGE } from '../waiting/topics.ts';
import type { Worklist } from '../waiting/worklist.ts';

/** What it works with. */
interface Parts {
  readonly worklist: Pick<Worklist, 'signalThose'>;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly totals: Totals;
  readonly view: ManifestView;
}

/**
 * How much of the project's storage is used, as far as is known: what the last listing showed, carried on by what
 * was uploaded and deleted since; before any listing, what this mirror owns. An upload that would pass the limit
 * is held until there is room; others go on as long as they fit.
 */
export class Storage {
  readonly #parts: Parts;
  /** Versions that were let through and whose upload has not ended yet. */
  readonly #promised = new Map<MirrorPath, StatToken>();
  /** The versions that wait for room. */
  readonly #held = new Map<MirrorPath, StatToken>();
  /** None of them fits into so many bytes. */
  #tooFewBytes = Number.POSITIVE_INFINITY;
  #othersBytes = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  surveyed({ usage }: Survey): void {
    this.#othersBytes = usage.reduce((sum, each) => sum + each.unownedBytes, 0);
  }

  /** Runs the upload of a path if it fits, its bytes set aside meanwhile. Otherwise holds the path, and says why. */
  async within<T>(path: MirrorPath, stat: StatToken, upload: () => Promise<T>): Promise<T | StorageRefusal> {
    await this.#parts.totals.ready();
    const reason = this.#refusal(sizeOf(stat));
    if (reason !== null) {
      this.#hold(path, stat, reason);
      return { refused: reason };
    }
    this.notHeld(path);
    this.#promised.set(path, stat);
    try {
      return await upload();
    } finally {
      this.#promised.delete(path);
    }
  }

  /** Why this version, which was held before, still has no room; null: it has, or was not held. */
  stillHeld(path: MirrorPath, stat: StatToken): string | null {
    return this.holds(path, stat) ? this.#refusal(sizeOf(stat)) : null;
  }

  /** Whether it is this version that waits for room. */
  holds(path: MirrorPath, stat: StatToken): boolean {
    return this.#held.get(path) === stat;
  }

  /** The path has nothing to send any more, or is let through. */
  notHeld(path: MirrorPath): void {
    if (this.#held.delete(path) && this.#held.size === 0) this.#parts.halts.end('storage');
  }

  /**
   * To be called now and then: when there is more room than there was, those who fit into it are looked at again, each
   * in its turn.
   */
  tick(): void {
    let roomBytes = this.#held.size === 0 ? 0 : this.#roomBytes();
    if (roomBytes <= this.#tooFewBytes) return;
    let smallestBytes = Number.POSITIVE_INFINITY;
    this.#parts.worklist.signalThose(STORAGE, (path) => {
      const stat = this.#held.get(path);
      const sizeBytes = stat === undefined ? 0 : sizeOf(stat);
      const fits = sizeBytes <= roomBytes;
      if (fits) roomBytes -= sizeBytes;
      else smallestBytes = Math.min(smallestBytes, sizeBytes);
      return fits;
    });
    this.#tooFewBytes = Math.max(roomBytes, smallestBytes - 1);
  }

  #hold(path: MirrorPath, stat: StatToken, cause: string): void {
    const before = this.#held.size === 0 ? Number.POSITIVE_INFINITY : this.#tooFewBytes;
    this.#tooFewBytes = Math.min(before, this.#roomBytes());
    this.#held.set(path, stat);
    this.#parts.halts.raise({
      name: 'storage',
      since: nowSeconds(this.#parts),
      cause,
      held: 'files that do not fit wait; smaller ones and deletes go on',
      folder: null,
    });
  }

  #refusal(sizeBytes: number): string | null {
    if (sizeBytes <= this.#roomBytes()) return null;
    const limit = this.#parts.config.settings.storageBytes;
    return `the storage limit would be passed: ${this.#usedBytes()} of ${limit} bytes are used (limits.storageBytes)`;
  }

  #roomBytes(): number {
    const limit = this.#parts.config.settings.storageBytes;
    return limit === null ? Number.POSITIVE_INFINITY : limit - this.#usedBytes();
  }

  #usedBytes(): number {
    return this.#othersBytes + this.#parts.totals.ownedBytes() + this.#comingBytes();
  }

  /** What is being uploaded, and what perhaps was. */
  #comingBytes(): number {
    let bytes = 0;
    // One that is recorded is owned already.
    for (const [path, stat] of this.#promised)
      if (this.#parts.view.files.get(path)?.stat !== stat) bytes += sizeOf(stat);
    for (const [path, intent] of this.#parts.view.intents)
      if (!this.#promised.has(path)) bytes += intent.bytes;
    return bytes;
  }
}

export interface StorageRefusal {
  /** What is full, in one line. */
  readonly refused: string;
}
