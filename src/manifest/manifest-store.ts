/** What is remembered, durable at every commit: the front door of this room, which does not know what entries mean. */
import { randomUUID } from 'node:crypto';
import { Low } from 'lowdb';
import { isErrno } from '../contract/errno.ts';
import type { BatchMemory, BatchRecord, SubmissionId } from '../contract/batch.ts';
import { changesNothing } from '../contract/changes-nothing.ts';
import { Fault } from '../contract/faults.ts';
import type { Clock, Manifest } from '../contract/ports.ts';
import type {
  Change,
  Entry,
  FileId,
  Garbage,
  Intent,
  Memory,
  MirrorPath,
  Recorded,
  Rejection,
} from '../contract/types.ts';
import type { PendingChange } from './journal-format.ts';
import { JournaledFile } from './journaled-file.ts';
import { journalName, snapshotName } from './load-manifest.ts';
import { emptyData, recentAttempts } from './manifest-data.ts';
import type { ManifestData } from './manifest-data.ts';
import { unusable, unwritableManifest } from './manifest-fault.ts';
import { memoryName, readMemory, writeMemory } from './memory-file.ts';
import { createStateDir, stateFilesIn } from './state-files.ts';
import type { StateFiles } from './state-files.ts';

/** The journal may grow to this, or to half of the snapshot, before a snapshot is written. */
const journalLimitBytes = 1_000_000;
/** Without commits for so long, a journal worth it is folded into a snapshot. */
const idleMs = 10_000;
/** After a snapshot failed, the next is not tried before. */
const snapshotRetryMs = 60_000;
/** Commits that go into one write at most. */
const groupLimit = 2_000;

export interface ManifestOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  /** For a new manifest (`adopt` takes it from the root's marker); one that exists keeps its own. Default: a random UUID. */
  readonly mirrorId?: string;
  /** Told of what does no harm yet, e.g. that a snapshot could not be written and the journal grows. */
  readonly onWarning: (message: string) => void;
  /** Throws when the lock on the folder was lost (`StateLock.assertHeld`): from then on nothing is written. */
  readonly assertHeld?: () => void;
  /** Where the files are kept; tests put a disk here that crashes. */
  readonly files?: StateFiles;
}

interface Waiting extends PendingChange {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens the manifest in this folder, or makes a new one if there is none. The caller holds the lock of the folder.
 * Throws `Fault` (`manifest`, fatal) when a manifest is there that cannot be used; the files are left as they are.
 */
export async function openManifest(options: ManifestOptions): Promise<ManifestStore> {
  const { stateDir, clock, onWarning } = options;
  const files = options.files ?? stateFilesIn(stateDir);
  const assertHeld = options.assertHeld ?? (() => {});
  const adapter = new JournaledFile(files, clock, assertHeld);
  try {
    if (options.files === undefined) await createStateDir(stateDir);
    const nothing = emptyData(options.mirrorId ?? randomUUID());
    const low = new Low<ManifestData>(adapter, nothing);
    await low.read();
    const isNew = low.data === nothing;
    if (isNew) await low.write();
    const memory = await readMemory(stateDir, files);
    return new ManifestStore({ low, adapter, files, clock, memory, assertHeld, isNew, onWarning });
  } catch (error) {
    await adapter.close();
    return unusable(stateDir)(error);
  }
}

interface StoreParts {
  readonly low: Low<ManifestData>;
  readonly adapter: JournaledFile;
  readonly files: StateFiles;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly assertHeld: () => void;
  readonly isNew: boolean;
  readonly onWarning: (message: string) => void;
}

/** The durable `Manifest`. Made by `openManifest`. */
export class ManifestStore implements Manifest {
  /** True when there was no manifest before. */
  readonly isNew: boolean;
  readonly #low: Low<ManifestData>;
  readonly #adapter: JournaledFile;
  readonly #files: StateFiles;
  readonly #clock: Clock;
  readonly #onWarning: (message: string) => void;
  readonly #closing = new AbortController();
  readonly #attemptsBefore: readonly number[];
  readonly #assertHeld: () => void;
  readonly #subscribers: Recorded[] = [];
  #memory: Memory;
  /** Ends when the memory is written: one at a time, in the order in which they were asked for. */
  #remembering: Promise<unknown> = Promise.resolve();
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | null = null;
  #snapshotting: Promise<void> | null = null;
  #nextSnapshotMs = -Infinity;
  #idleWatch: Promise<void> | null = null;
  #lastCommitMs: number;

  constructor({ low, adapter, files, clock, memory, assertHeld, isNew, onWarning }: StoreParts) {
    this.isNew = isNew;
    this.#memory = memory;
    this.#assertHeld = assertHeld;
    this.#low = low;
    this.#adapter = adapter;
    this.#files = files;
    this.#clock = clock;
    this.#onWarning = onWarning;
    this.#lastCommitMs = clock.monotonicMs();
    this.#attemptsBefore = recentAttempts(low.data, clock.wallMs());
    this.#foldJournalWhenDue();
  }

  get mirrorId(): string {
    return this.#low.data.mirrorId;
  }

  get files(): ReadonlyMap<MirrorPath, Entry> {
    return this.#low.data.files;
  }

  get intents(): ReadonlyMap<MirrorPath, Intent> {
    return this.#low.data.intents;
  }

  get garbage(): ReadonlyMap<FileId, Garbage> {
    return this.#low.data.garbage;
  }

  get rejected(): ReadonlyMap<MirrorPath, Rejection> {
    return this.#low.data.rejected;
  }

  get batches(): ReadonlyMap<SubmissionId, BatchRecord> {
    return this.#low.data.batches;
  }

  get batchMemory(): BatchMemory {
    return this.#low.data.batchMemory;
  }

  get memory(): Memory {
    return this.#memory;
  }

  /** Number of the last durable change. */
  get seq(): number {
    return this.#low.data.seq;
  }

  /**
   * When the upload attempts of earlier runs ended that may still count in the window of 60 s, as it was when
   * the manifest was opened: wall clock, unix milliseconds. An attempt that was open counts as ended at opening.
   */
  recentAttempts(): readonly number[] {
    return this.#attemptsBefore;
  }

  async commit(change: Change): Promise<void> {
    if (this.#closing.signal.aborted) throw new Error('the manifest is closed');
    // INVARIANT: a line of the journal has content.
    if (changesNothing(change)) return;
    const json = JSON.stringify(change);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ change, json, resolve, reject });
    this.#flushing ??= this.#flush();
    await promise;
  }

  subscribe(told: Recorded): void {
    this.#subscribers.push(told);
  }

  async remember(memory: Memory): Promise<void> {
    if (this.#closing.signal.aborted) throw new Error('the manifest is closed');
    const turn = this.#remembering.then(async () => {
      this.#assertHeld();
      await writeMemory(this.#files, memory);
      this.#memory = memory;
    });
    this.#remembering = turn.catch(() => {});
    try {
      await turn;
    } catch (error) {
      throw this.#faultFor(memoryName, error);
    }
  }

  /** Writes a snapshot now. Commits go on meanwhile. Throws `Fault` with halt `state`; nothing is lost then. */
  async snapshotNow(): Promise<void> {
    try {
      await this.#low.write();
    } catch (error) {
      throw this.#faultFor(snapshotName, error);
    }
  }

  /** Waits for the commits under way, folds the journal into a snapshot if that pays, and lets go of the files. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#flushing;
    await this.#remembering;
    await this.#idleWatch;
    await this.#snapshotting;
    if (this.#foldingPays()) await this.#foldJournal();
    await this.#adapter.close();
  }

  /** One group after the other: while one is on its way to the disk, the next one gathers. */
  async #flush(): Promise<void> {
    // Commits made in this turn of the loop go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, groupLimit);
      try {
        await this.#adapter.append(this.#low.data, group, (change, replaced) => {
          for (const told of this.#subscribers) told(change, replaced);
        });
        for (const { resolve } of group) resolve();
        this.#lastCommitMs = this.#clock.monotonicMs();
        this.#foldJournalWhenDue();
      } catch (error) {
        const fault = this.#faultFor(journalName, error);
        for (const { reject } of group) reject(fault);
      }
    }
    this.#flushing = null;
  }

  #foldJournalWhenDue(): void {
    const limitBytes = Math.max(journalLimitBytes, this.#adapter.snapshotBytes / 2);
    if (this.#adapter.journalBytes > limitBytes && this.#clock.monotonicMs() >= this.#nextSnapshotMs) {
      this.#snapshotting ??= this.#foldJournal().finally(() => (this.#snapshotting = null));
    } else if (this.#adapter.journalHasLines) {
      this.#idleWatch ??= this.#foldJournalWhenIdle().finally(() => (this.#idleWatch = null));
    }
  }

  async #foldJournalWhenIdle(): Promise<void> {
    for (;;) {
      const restMs = this.#lastCommitMs + idleMs - this.#clock.monotonicMs();
      if (restMs <= 0) break;
      try {
        await this.#clock.sleep(restMs, this.#closing.signal);
      } catch {
        return; // Closing, which folds by itself.
      }
    }
    if (this.#foldingPays() && this.#snapshotting === null) await this.#foldJournal();
  }

  /** A huge snapshot is not rewritten for a few lines: reading them at the next start costs far less. */
  #foldingPays(): boolean {
    const { journalHasLines, journalBytes, snapshotBytes } = this.#adapter;
    return journalHasLines && (snapshotBytes < journalLimitBytes || journalBytes > snapshotBytes / 16);
  }

  async #foldJournal(): Promise<void> {
    try {
      await this.snapshotNow();
    } catch (error) {
      this.#nextSnapshotMs = this.#clock.monotonicMs() + snapshotRetryMs;
      this.#onWarning(error instanceof Error ? error.message : String(error));
    }
  }

  #faultFor(name: string, error: unknown): unknown {
    if (error instanceof Fault || !isErrno(error)) return error;
    return unwritableManifest(this.#files.pathOf(name), error);
  }
}
