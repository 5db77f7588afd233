import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { newId } from './file-store.ts';
import { RecordJournal } from './record-journal.ts';
import type { StoredBatch } from './stored-batch.ts';
import { storedBatchSchema } from './stored-batch.ts';

/** What is known of a batch before it is stored. */
export type NewBatch = Pick<
  StoredBatch,
  | 'createdAtMs'
  | 'endpoint'
  | 'inputFileId'
  | 'completionWindow'
  | 'metadata'
  | 'outputExpiresAfterSeconds'
  | 'idempotencyKey'
  | 'byUpstream'
>;

interface WorkPaths {
  /** The batch's own link to its input, which lasts when the file is deleted. */
  readonly input: string;
  /** Answers of another server, as they come. */
  readonly output: string;
  readonly errors: string;
}

/** The batches: in memory and in a journal; the files of those that run beside it. */
export class BatchStore {
  readonly #journal: RecordJournal<StoredBatch>;
  readonly #workDir: string;
  /** Oldest first. */
  readonly #byId = new Map<string, StoredBatch>();
  /** Those that have not ended, which alone are ever looked through. */
  readonly #open = new Set<string>();
  #nextSequence = 0;

  /** Throws `Error` when its journal is damaged or its folder cannot be used. */
  constructor(dataDir: string) {
    this.#workDir = join(dataDir, 'batches');
    mkdirSync(this.#workDir, { recursive: true, mode: 0o700 });
    const { journal, records } = RecordJournal.open(join(dataDir, 'batches.jsonl'), storedBatchSchema);
    this.#journal = journal;
    for (const batch of records) this.#remember(batch);
    const running = new Set([...this.open()].map(({ sequence }) => String(sequence)));
    for (const name of readdirSync(this.#workDir)) {
      if (!running.has(name.replace(/\..*$/, ''))) rmSync(join(this.#workDir, name), { force: true });
    }
  }

  /** Oldest first. */
  all(): readonly StoredBatch[] {
    return [...this.#byId.values()];
  }

  /** Those that have not ended, oldest first. */
  *open(): Generator<StoredBatch, void> {
    for (const id of this.#open) {
      const batch = this.#byId.get(id);
      if (batch !== undefined) yield batch;
    }
  }

  get(id: string): StoredBatch | null {
    return this.#byId.get(id) ?? null;
  }

  /** `prepare` is given the paths before the batch exists. */
  add(
    batch: NewBatch,
    id: { readonly prefix: string; readonly characters: number },
    prepare: (paths: WorkPaths) => void,
  ): StoredBatch {
    const begun = {
      reading: null,
      inProgressAtMs: null,
      finalizingAtMs: null,
      cancellingAtMs: null,
      end: null,
    };
    const stored = { ...batch, ...begun, id: newId(id), sequence: this.#nextSequence };
    prepare(this.paths(stored));
    this.#journal.added(stored);
    this.#remember(stored);
    return stored;
  }

  /** Nothing when it was removed. */
  change(id: string, changes: Partial<StoredBatch>): StoredBatch | null {
    const batch = this.#byId.get(id);
    if (batch === undefined) return null;
    const changed = { ...batch, ...changes };
    this.#journal.added(changed);
    this.#remember(changed);
    if (changed.end !== null) this.#clear(changed);
    return changed;
  }

  /** False when there is no such batch. */
  remove(id: string): boolean {
    const batch = this.#byId.get(id);
    if (batch === undefined) return false;
    this.#journal.removed(id);
    this.#byId.delete(id);
    this.#open.delete(id);
    this.#clear(batch);
    return true;
  }

  paths({ sequence }: StoredBatch): WorkPaths {
    const path = (ending: string): string => join(this.#workDir, `${sequence}.${ending}`);
    return { input: path('input'), output: path('output'), errors: path('errors') };
  }

  close(): void {
    this.#journal.close();
  }

  #remember(batch: StoredBatch): void {
    this.#byId.set(batch.id, batch);
    if (batch.end === null) this.#open.add(batch.id);
    else this.#open.delete(batch.id);
    this.#nextSequence = Math.max(this.#nextSequence, batch.sequence + 1);
  }

  #clear(batch: StoredBatch): void {
    for (const path of Object.values(this.paths(batch))) rmSync(path, { force: true });
  }
}
