import type { BatchRecord, SubmissionId } from '../contract/batch.ts';
import { originOf } from './batch-index.ts';
import type { BatchIndex } from './batch-index.ts';
import { isFinished, outcomeOf } from './batch-views.ts';
import type { WaitOutcome } from '../contract/batch-report.ts';
import { unlessAborted } from '../contract/unless-aborted.ts';

interface Waiter {
  readonly origins: Set<SubmissionId>;
  /** What comes while it waits belongs to it too. */
  readonly isForAll: boolean;
  readonly resolve: (outcome: WaitOutcome) => void;
}

/** Who waits for the end of batches. */
export class Waiters {
  readonly #index: BatchIndex;
  readonly #isHalted: (id: SubmissionId, record: BatchRecord) => boolean;
  readonly #waiters = new Set<Waiter>();

  constructor(index: BatchIndex, isHalted: (id: SubmissionId, record: BatchRecord) => boolean) {
    this.#index = index;
    this.#isHalted = isHalted;
  }

  /** For these submissions of generation 0; null: for all that there are. */
  async wait(origins: readonly SubmissionId[] | null, signal: AbortSignal): Promise<WaitOutcome> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<WaitOutcome>();
    const waiter = { origins: new Set(origins), isForAll: origins === null, resolve };
    this.#waiters.add(waiter);
    try {
      return await unlessAborted(promise, signal);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** Something changed. */
  tell(): void {
    for (const waiter of this.#waiters) {
      if (waiter.isForAll) {
        for (const [id, record] of this.#index.active) {
          if (!isFinished(record)) waiter.origins.add(originOf(id, record));
        }
      }
      const outcome = outcomeOf(waiter.origins, this.#index, this.#isHalted);
      if (outcome !== null) waiter.resolve(outcome);
    }
  }
}
