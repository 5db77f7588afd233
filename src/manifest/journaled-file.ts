import type { Adapter } from 'lowdb';
import type { Clock } from '../contract/ports.ts';
import { replacedBy } from '../contract/replaced.ts';
import type { Recorded } from '../contract/types.ts';
import { manifestVersion } from './manifest-schema.ts';
import { journalHeader, journalLines } from './journal-format.ts';
import type { PendingChange } from './journal-format.ts';
import { journalName, loadManifest, snapshotName } from './load-manifest.ts';
import type { LoadedManifest } from './load-manifest.ts';
import { applyChange } from './manifest-data.ts';
import type { ManifestData } from './manifest-data.ts';
import { cutOf, writeSnapshot } from './snapshot-format.ts';
import type { StateFile, StateFiles } from './state-files.ts';

const copyBytes = 1 << 20;
const partialSuffix = '.tmp';

interface OpenJournal {
  readonly file: StateFile;
  readonly headerBytes: number;
  /** Everything before is durable and whole; the next line goes here. */
  endBytes: number;
  /**
   * Something failed after which the file cannot be relied on. It takes no more lines; `write` replaces it.
   * QUIRK: after a failed fsync Linux drops the pages and reports success the next time, so trying the same
   * file again would lose them silently.
   */
  suspect: boolean;
}

/**
 * lowdb's file adapter with a journal: `write` is the snapshot, `append` the way of everyday changes.
 *
 * INVARIANT: at every instant the snapshot on disk (change S) and the journal on disk (base B ≤ S, all changes
 * after B) give the state of the last durable change. The snapshot is replaced first, durably; then the journal
 * by one that begins at S. Until then the old one, which also leads on from S, stays.
 */
export class JournaledFile implements Adapter<ManifestData> {
  readonly #files: StateFiles;
  readonly #clock: Clock;
  readonly #assertHeld: () => void;
  #journal: OpenJournal | null = null;
  #snapshotBytes = 0;
  /** Ends when the journal is free: appending and replacing it exclude each other. */
  #journalFree: Promise<unknown> = Promise.resolve();
  #lastWrite: Promise<unknown> = Promise.resolve();

  /** `assertHeld` throws when the folder is another's by now: nothing is written then. */
  constructor(files: StateFiles, clock: Clock, assertHeld: () => void = () => {}) {
    this.#files = files;
    this.#clock = clock;
    this.#assertHeld = assertHeld;
  }

  get snapshotBytes(): number {
    return this.#snapshotBytes;
  }

  get journalBytes(): number {
    return this.#journal?.endBytes ?? 0;
  }

  /** Is there anything that the snapshot does not hold? */
  get journalHasLines(): boolean {
    return this.#journal !== null && this.#journal.endBytes > this.#journal.headerBytes;
  }

  /** Loads, heals a torn tail, and opens the journal. Null: there is no manifest yet; the first `write` makes one. */
  async read(): Promise<ManifestData | null> {
    const loaded = await loadManifest(this.#files);
    if (loaded === null) return null;
    this.#snapshotBytes = loaded.snapshotBytes;
    await this.#openJournal(loaded);
    if (loaded.handwritten) await this.write(loaded.data);
    return loaded.data;
  }

  /**
   * Makes the changes durable as one group, then applies them to the data, and tells of each. If that fails, the data
   * is left as it was, and the journal too: cut back, or suspect and replaced before the next group.
   */
  async append(data: ManifestData, changes: readonly PendingChange[], told: Recorded): Promise<void> {
    let isReplaced = false;
    while (!(await this.#exclusively(() => this.#add(data, changes, told, isReplaced)))) {
      await this.write(data);
      isReplaced = true;
    }
  }

  /** False, and nothing was done, when the journal must be replaced first. */
  async #add(
    data: ManifestData,
    changes: readonly PendingChange[],
    told: Recorded,
    isReplaced: boolean,
  ): Promise<boolean> {
    const journal = this.#journal;
    // RACE: looked at in the same turn as it is added to; a snapshot that fails in between makes it suspect.
    if (journal === null || journal.suspect || (!isReplaced && (await isForeign(journal)))) return false;
    const atMs = Math.floor(this.#clock.wallMs());
    const lines = journalLines(changes, data.seq, atMs);
    this.#assertHeld();
    await addDurably(journal, lines);
    // INVARIANT: the end of the journal and the data move together, in one turn of the loop, so that a
    // snapshot's cut knows where in the journal it is.
    journal.endBytes += lines.length;
    for (const { change } of changes) {
      const replaced = replacedBy(data, change);
      applyChange(data, change, data.seq + 1, atMs);
      told(change, replaced);
    }
    return true;
  }

  /** Writes a snapshot of the data as it is now, and shortens the journal. Commits go on meanwhile. */
  async write(data: ManifestData): Promise<void> {
    const previous = this.#lastWrite;
    const write = previous.catch(() => {}).then(() => this.#writeSnapshot(data));
    this.#lastWrite = write;
    await write;
  }

  async close(): Promise<void> {
    await this.#lastWrite.catch(() => {});
    await this.#exclusively(async () => {
      await this.#journal?.file.close();
      this.#journal = null;
    });
  }

  async #writeSnapshot(data: ManifestData): Promise<void> {
    this.#assertHeld();
    const cut = cutOf(data, this.#clock.wallMs());
    const before = this.#journal;
    const cutBytes = before?.endBytes ?? 0;
    // A new manifest's journal comes first; see `loadManifest`.
    if (before === null) await this.#replaceJournal(cut.mirrorId, cut.seq, 0);
    await this.#createWhole(snapshotName, async (file) => {
      this.#snapshotBytes = await writeSnapshot(file, cut);
    });
    if (before === null) return;
    await this.#exclusively(() => this.#replaceJournal(cut.mirrorId, cut.seq, cutBytes));
  }

  /** A new journal that begins after change `base`, with what the present one holds from `fromByte` on. */
  async #replaceJournal(mirrorId: string, base: number, fromByte: number): Promise<void> {
    const old = this.#journal;
    const header = journalHeader(mirrorId, base);
    const name = `${journalName}${partialSuffix}`;
    const file = await this.#create(name);
    let replacement: OpenJournal;
    try {
      await file.write(header, 0);
      const tailBytes =
        old === null ? 0 : await copyRange(old.file, fromByte, old.endBytes, file, header.length);
      await file.sync();
      this.#assertHeld();
      await this.#files.rename(name, journalName);
      // Lines go to the new file from here on; they are durable once its name is.
      replacement = { file, headerBytes: header.length, endBytes: header.length + tailBytes, suspect: true };
      this.#journal = replacement;
    } catch (error) {
      await this.#discard(file, name);
      throw error;
    }
    await old?.file.close();
    await this.#files.syncDirectory();
    replacement.suspect = false;
  }

  async #createWhole(name: string, fill: (file: StateFile) => Promise<void>): Promise<void> {
    const partial = `${name}${partialSuffix}`;
    const file = await this.#create(partial);
    try {
      await fill(file);
      await file.sync();
      // RACE: writing it took its time; whoever was taken for dead meanwhile must replace nothing.
      this.#assertHeld();
      await this.#files.rename(partial, name);
    } catch (error) {
      await this.#discard(file, partial);
      throw error;
    }
    await file.close();
    await this.#files.syncDirectory();
  }

  async #create(name: string): Promise<StateFile> {
    // A file left by a crash may have a wider mode or another owner.
    await this.#files.remove(name);
    const file = await this.#files.open(name, 'create');
    if (file === null) throw new Error(`${name} was not created`);
    return file;
  }

  /** Frees the space of a file that could not be completed. The first error is the one to tell, not these. */
  async #discard(file: StateFile, name: string): Promise<void> {
    await file.close().catch(() => {});
    try {
      // What has this name may be another process's by now.
      this.#assertHeld();
      await this.#files.remove(name);
    } catch {
      // The next one who needs the name removes it.
    }
  }

  async #openJournal({ data, journal, version }: LoadedManifest): Promise<void> {
    if (journal === null) return this.#replaceJournal(data.mirrorId, data.seq, 0);
    const file = await this.#files.open(journalName, 'update');
    if (file === null) throw new Error('the journal vanished while it was opened');
    const { headerBytes, endBytes } = journal;
    // What an older program wrote becomes this one's with the first change: no line of ours stands behind its header.
    this.#journal = { file, headerBytes, endBytes, suspect: version < manifestVersion };
    if (journal.sizeBytes === journal.endBytes) return;
    await file.truncate(journal.endBytes);
    await file.sync();
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#journalFree.then(work);
    this.#journalFree = turn.catch(() => {});
    return turn;
  }
}

/** Removed or changed by someone else: lines added there would be lost or torn. */
async function isForeign(journal: OpenJournal): Promise<boolean> {
  const { links, sizeBytes } = await journal.file.info();
  return links === 0 || sizeBytes !== journal.endBytes;
}

async function addDurably(journal: OpenJournal, lines: Buffer): Promise<void> {
  let written = false;
  try {
    await journal.file.write(lines, journal.endBytes);
    written = true;
    await journal.file.sync();
  } catch (error) {
    await takeBack(journal, written);
    throw error;
  }
}

/** Cuts off what a failed append may have left, lest it stand torn between good lines later. */
async function takeBack(journal: OpenJournal, syncFailed: boolean): Promise<void> {
  journal.suspect = true;
  try {
    await journal.file.truncate(journal.endBytes);
    await journal.file.sync();
    // A write that failed (disk full) is undone by this; a failed sync is not, whatever the second one says.
    journal.suspect = syncFailed;
  } catch {
    // Stays suspect. The error of the append is the one to tell.
  }
}

async function copyRange(
  from: StateFile,
  startByte: number,
  endByte: number,
  to: StateFile,
  toByte: number,
): Promise<number> {
  const buffer = Buffer.allocUnsafe(Math.min(copyBytes, endByte - startByte));
  let copied = 0;
  while (startByte + copied < endByte) {
    const wanted = Math.min(buffer.length, endByte - startByte - copied);
    const bytes = buffer.subarray(0, await from.read(buffer.subarray(0, wanted), startByte + copied));
    if (bytes.length === 0) throw new Error('the journal is shorter than what was written to it');
    await to.write(bytes, toByte + copied);
    copied += bytes.length;
  }
  return copied;
}
