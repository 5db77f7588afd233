import type { BatchMemory, BatchRecord, SubmissionId } from '../contract/batch.ts';
import { survivable } from '../contract/faults.ts';
import type { Fault } from '../contract/faults.ts';
import type { Clock } from '../contract/ports.ts';
import { BatchIndex } from './batch-index.ts';
import type { Records } from './batch-index.ts';
import type { BatchBook } from './ports.ts';

/** How long to wait before trying again to write what could not be written. */
export const STATE_RETRY_MS = 5_000;

export interface ShelfChange {
  readonly records?: Readonly<Record<SubmissionId, BatchRecord | null>> | undefined;
  readonly memory?: BatchMemory | undefined;
}

/** The records in order: one change after the other, each made from what the one before it left. */
export class Shelf {
  readonly index: BatchIndex;
  readonly #book: BatchBook;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(book: BatchBook, clock: Clock, onChange: () => void) {
    this.#book = book;
    this.#clock = clock;
    this.#onChange = onChange;
    this.index = new BatchIndex(book.batches);
  }

  get records(): Records {
    return this.index.records;
  }

  get memory(): BatchMemory {
    return this.#book.memory;
  }

  /** `make` sees what is durable; null: nothing is to be changed. Resolves when it is durable. Throws `Fault`. */
  async change(make: () => ShelfChange | null): Promise<void> {
    const turn = this.#tail.then(() => this.#commit(make));
    this.#tail = turn.catch(() => {});
    await turn;
  }

  /** One record anew, if it is still there. */
  async update(id: SubmissionId, make: (record: BatchRecord) => BatchRecord | null): Promise<void> {
    await this.change(() => {
      const record = this.records.get(id);
      if (record === undefined) return null;
      const next = make(record);
      return next === record ? null : { records: { [id]: next } };
    });
  }

  /** What has happened already: tried until it is durable, since to forget it would be to lose a batch. */
  async record(make: () => ShelfChange | null, signal: AbortSignal): Promise<void> {
    while ((await this.try(() => this.change(make))) !== null)
      await this.#clock.sleep(STATE_RETRY_MS, signal);
  }

  /** Null: done. Else why it could not be written. */
  async try(write: () => Promise<void>): Promise<Fault | null> {
    try {
      await write();
      return null;
    } catch (error) {
      return survivable(error);
    }
  }

  async #commit(make: () => ShelfChange | null): Promise<void> {
    const change = make();
    if (change === null) return;
    const records = change.records ?? {};
    if (Object.keys(records).length === 0 && change.memory === undefined) return;
    await this.#book.commit(records, change.memory);
    for (const [id, record] of Object.entries(records)) this.index.set(id, record);
    this.#onChange();
  }
}
