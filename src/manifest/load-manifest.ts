import { isErrno } from '../contract/errno.ts';
import { command } from '../contract/command.ts';
import { Damage, damagedManifest } from './manifest-fault.ts';
import { replayJournal } from './journal-format.ts';
import type { ReplayedJournal } from './journal-format.ts';
import { readSnapshot } from './snapshot-format.ts';
import type { ManifestData } from './manifest-data.ts';
import type { StateFile, StateFiles } from './state-files.ts';

export const snapshotName = 'manifest.json';
export const journalName = 'manifest.journal';

export interface LoadedManifest {
  readonly data: ManifestData;
  readonly snapshotBytes: number;
  /** Of the older of the two files. */
  readonly version: number;
  /** The snapshot is a person's work and bears no checksum. */
  readonly handwritten: boolean;
  /** Null: there was none, which is accepted for a handwritten snapshot alone. */
  readonly journal: ReplayedJournal | null;
}

/**
 * Reads snapshot and journal; changes neither. Null when there is no manifest yet: no files, or what a crash
 * during its very creation left, an empty journal that begins with the first change. Throws `Fault` (`manifest`,
 * fatal) when something is there that cannot be used: a damaged manifest never counts as none.
 */
export async function loadManifest(files: StateFiles): Promise<LoadedManifest | null> {
  // RACE: the snapshot is opened first. A daemon replaces it before it shortens the journal, so a reader without
  // the lock may meet an older snapshot with a newer journal (a gap, which it notices), never the silent reverse.
  const snapshot = await withFile(files, snapshotName, readSnapshot);
  const journal = await withFile(files, journalName, (file) => replayJournal(file, snapshot?.data ?? null));
  if (snapshot === null) return refuseUnlessNew(files, journal);
  if (journal === null && !snapshot.handwritten)
    throw damagedManifest(files.pathOf(journalName), journalLost);
  const { data, sizeBytes: snapshotBytes, handwritten } = snapshot;
  const version = Math.min(snapshot.version, journal?.header.version ?? snapshot.version);
  return { data, snapshotBytes, version, handwritten, journal };
}

const journalLost = new Damage(
  'is missing, but manifest.json is there',
  'nothing was changed or sent. Restore it; if it is lost for good, remove the last field `crc32` from ' +
    `manifest.json to go on with what that holds, and compare it with the API: ${command('verify')}`,
);

function refuseUnlessNew(files: StateFiles, journal: ReplayedJournal | null): null {
  // INVARIANT: a new manifest's journal is made before its snapshot, and nothing is committed before both exist.
  if (journal === null || (journal.header.base === 0 && journal.sizeBytes === journal.headerBytes)) {
    return null;
  }
  throw damagedManifest(files.pathOf(snapshotName), new Damage('is missing, but manifest.journal is there'));
}

async function withFile<T>(
  files: StateFiles,
  name: string,
  use: (file: StateFile) => Promise<T>,
): Promise<T | null> {
  const file = await files.open(name, 'read');
  if (file === null) return null;
  try {
    return await use(file);
  } catch (error) {
    if (isErrno(error)) throw error;
    // Whatever a reader stumbles over, a person is told which file that is and what to do.
    const damage = error instanceof Damage ? error : new Damage(`is damaged: ${String(error)}`);
    throw damagedManifest(files.pathOf(name), damage);
  } finally {
    await file.close();
  }
}
