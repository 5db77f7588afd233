import type { HaltBoard } from '../memory/halts.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import type { Clock } from '../../contract/ports.ts';
import { nowSeconds } from '../memory/times.ts';
import type { Survey } from '../judge/remote-survey.ts';
import { sizeOf } from '../../contract/stat-token.ts';
import type { MirrorPath, StatToken, ManifestView } from '../../contract/types.ts';

/** What is owned is summed no more often than this. */
const SUM_AGAIN_MS = 1_000;

/** What it works with. */
interface Parts {
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly view: ManifestView;
}

/**
 * How much of the project's storage is used, as far as is known: what the last listing showed, carried on by what
 * was uploaded and deleted since; before any listing, what this mirror owns. An upload that would pass the limit
 * is held until there is room; others go on as long as they fit.
 */
export class Storage {
  readonly #parts: Parts;
  /** Bytes of uploads that were let through and have not ended yet. */
  readonly #promised = new Map<MirrorPath, number>();
  /** The versions that wait for room. */
  readonly #held = new Map<MirrorPath, StatToken>();
  #othersBytes = 0;
  #owned = { bytes: 0, untilMs: Number.NEGATIVE_INFINITY };

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  surveyed({ usage }: Survey): void {
    this.#othersBytes = usage.reduce((sum, each) => sum + each.unownedBytes, 0);
  }

  /** Runs the upload of a path if it fits, its bytes set aside meanwhile. Otherwise holds the path, and says why. */
  async within<T>(path: MirrorPath, stat: StatToken, upload: () => Promise<T>): Promise<T | StorageRefusal> {
    const sizeBytes = sizeOf(stat);
    const reason = this.#refusal(sizeBytes);
    if (reason !== null) {
      this.#hold(path, stat, reason);
      return { refused: reason };
    }
    this.notHeld(path);
    this.#promised.set(path, sizeBytes);
    try {
      return await upload();
    } finally {
      this.#promised.delete(path);
      // Until it is summed anew. What was not sent after all needs no room, and what perhaps was has an intent.
      if (this.#parts.view.files.get(path)?.stat === stat) this.#owned.bytes += sizeBytes;
    }
  }

  /** Why this version, which was held before, still has no room; null: it has, or was not held. */
  stillHeld(path: MirrorPath, stat: StatToken): string | null {
    return this.#held.get(path) === stat ? this.#refusal(sizeOf(stat)) : null;
  }

  /** The path has nothing to send any more, or is let through. */
  notHeld(path: MirrorPath): void {
    if (this.#held.delete(path) && this.#held.size === 0) this.#parts.halts.end('storage');
  }

  #hold(path: MirrorPath, stat: StatToken, cause: string): void {
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
    const limit = this.#parts.config.settings.storageBytes;
    if (limit === null) return null;
    const used = this.#othersBytes + this.#ownedBytes() + this.#comingBytes();
    if (used + sizeBytes <= limit) return null;
    return `the storage limit would be passed: ${used} of ${limit} bytes are used (limits.storageBytes)`;
  }

  #ownedBytes(): number {
    const { view, clock } = this.#parts;
    if (clock.monotonicMs() < this.#owned.untilMs) return this.#owned.bytes;
    let bytes = 0;
    for (const entry of view.files.values()) bytes += entry.bytes;
    for (const garbage of view.garbage.values()) bytes += garbage.bytes;
    this.#owned = { bytes, untilMs: clock.monotonicMs() + SUM_AGAIN_MS };
    return bytes;
  }

  /** What is being uploaded, and what perhaps was. */
  #comingBytes(): number {
    let bytes = 0;
    for (const sizeBytes of this.#promised.values()) bytes += sizeBytes;
    for (const [path, intent] of this.#parts.view.intents)
      if (!this.#promised.has(path)) bytes += intent.bytes;
    return bytes;
  }
}

export interface StorageRefusal {
  /** What is full, in one line. */
  readonly refused: string;
}
