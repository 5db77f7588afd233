import type { Core } from './core.ts';
import type { Survey } from './remote-survey.ts';

/**
 * How much of the project's storage is used, as far as is known: what the last listing showed, carried on by what
 * was uploaded and deleted since; before any listing, what this mirror owns.
 */
export class Storage {
  readonly #core: Core;
  #othersBytes = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  surveyed({ usage }: Survey): void {
    this.#othersBytes = usage.reduce((sum, each) => sum + each.unownedBytes, 0);
  }

  /** Why this upload would pass the limit; null: it fits. */
  refusal(sizeBytes: number): string | null {
    const limit = this.#core.settings.storageBytes;
    if (limit === null) return null;
    // Summed anew: an upload is at most some hundred a second, and a sum that is kept can drift.
    const used = this.#othersBytes + this.#ownedBytes();
    if (used + sizeBytes <= limit) return null;
    return `the storage limit would be passed: ${used} of ${limit} bytes are used (limits.storageBytes)`;
  }

  #ownedBytes(): number {
    const { view } = this.#core;
    let bytes = 0;
    for (const entry of view.files.values()) bytes += entry.bytes;
    for (const garbage of view.garbage.values()) bytes += garbage.bytes;
    return bytes;
  }
}
