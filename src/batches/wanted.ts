import type { PathRecorded, SubmissionId } from '../contract/batch.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';
import type { Clock } from '../contract/ports.ts';
import { nowSeconds } from '../contract/times.ts';
import type { MirroredFiles } from './ports.ts';
import { reconcile } from './reconcile.ts';
import { STATE_RETRY_MS, type Shelf } from './shelf.ts';
import { foldRecorded } from './wanting.ts';
import type { WantingInput } from './wanting.ts';

interface Parts {
  readonly clock: Clock;
  readonly mirrored: MirroredFiles;
  readonly newId: () => SubmissionId;
  readonly settings: () => BatchSettings;
  readonly shelf: Shelf;
}

/** Takes down what the mirror recorded, in order, until it is durable. */
export class Wanting {
  readonly #parts: Parts;
  #told: (readonly PathRecorded[])[] = [];
  #mustReconcile = false;
  #notBeforeMs = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  told(told: readonly PathRecorded[]): void {
    this.#told.push(told);
  }

  /** What is there is compared with what is known, before anything is submitted. */
  reconcile(): void {
    this.#mustReconcile = true;
  }

  get isPending(): boolean {
    return this.#mustReconcile || this.#told.length > 0;
  }

  isDue(nowMs: number): boolean {
    return this.isPending && nowMs >= this.#notBeforeMs;
  }

  get nextMs(): number {
    return this.isPending ? this.#notBeforeMs : Number.POSITIVE_INFINITY;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { shelf } = this.#parts;
    while (this.isPending && !signal.aborted) {
      const fault = await shelf.try(() => this.#step());
      if (fault === null) continue;
      this.#notBeforeMs = this.#parts.clock.monotonicMs() + STATE_RETRY_MS;
      return;
    }
  }

  async #step(): Promise<void> {
    const { mirrored, shelf } = this.#parts;
    const [first] = this.#told;
    if (first !== undefined) {
      await shelf.change(() => ({ records: foldRecorded(first, this.#input()) }));
      this.#told.shift();
      return;
    }
    await shelf.change(() => {
      const { records, memory } = reconcile(mirrored.files, shelf.memory, this.#input());
      const isSame = memory.submitFolders.join('\n') === shelf.memory.submitFolders.join('\n');
      return { records, memory: isSame ? undefined : memory };
    });
    this.#mustReconcile = false;
  }

  #input(): WantingInput {
    const { newId, settings, shelf } = this.#parts;
    return { index: shelf.index, settings: settings(), now: nowSeconds(this.#parts), newId };
  }
}
