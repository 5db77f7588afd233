import type { FileId } from '../../contract/types.ts';

/** Far longer than a look-up goes back before its upload. */
const REMEMBER_MS = 3_600_000;

/**
 * Which files of nobody a listing has shown, and since when: what was there before an upload is not what it made. And
 * which of them may be of another upload of ours, of which nobody could tell.
 */
export class SeenFiles {
  /** Monotonic times of the first sight, oldest first. */
  readonly #firstMs = new Map<FileId, number>();
  readonly #disputed = new Set<FileId>();

  note(ids: Iterable<FileId>, nowMs: number): void {
    for (const id of ids) if (!this.#firstMs.has(id)) this.#firstMs.set(id, nowMs);
    for (const [id, firstMs] of this.#firstMs) {
      if (nowMs - firstMs < REMEMBER_MS) return;
      this.#firstMs.delete(id);
      this.#disputed.delete(id);
    }
  }

  /** Of an upload that was given up, these may be it. */
  dispute(ids: Iterable<FileId>): void {
    for (const id of ids) this.#disputed.add(id);
  }

  isDisputed(id: FileId): boolean {
    return this.#disputed.has(id);
  }

  /** `startedMs`: monotonic; null when an attempt is of an earlier run, which tells nothing. */
  isOlderThan(id: FileId, startedMs: number | null): boolean {
    const firstMs = this.#firstMs.get(id);
    return startedMs !== null && firstMs !== undefined && firstMs <= startedMs;
  }
}
