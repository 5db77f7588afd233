import { isErrno } from '../contract/errno.ts';
import { Fault } from '../contract/faults.ts';
import type { BatchesView } from '../contract/batch.ts';
import type { ManifestView } from '../contract/types.ts';
import { journalName, loadManifest, snapshotName } from './load-manifest.ts';
import { unusable, unusableStateDir } from './manifest-fault.ts';
import { stateFilesIn } from './state-files.ts';
import type { StateFiles } from './state-files.ts';

const tries = 5;

/** What was remembered when it was read; it does not follow later changes. */
export interface ManifestSnapshot extends ManifestView, BatchesView {
  /** Number of the last change contained. */
  readonly seq: number;
}

/**
 * Reads the manifest without the lock and without changing anything; a daemon may be writing to it. Null when
 * there is none. Throws `Fault` (`manifest`, fatal) when it cannot be used.
 */
export async function readManifest(
  stateDir: string,
  files: StateFiles = stateFilesIn(stateDir),
): Promise<ManifestSnapshot | null> {
  for (let left = tries - 1; ; left -= 1) {
    let before = '';
    try {
      before = await identities(files);
      return (await loadManifest(files))?.data ?? null;
    } catch (error) {
      if (isErrno(error)) throw unusableStateDir(stateDir, error);
      // RACE: a snapshot that was finished meanwhile leaves us with halves that do not fit.
      const changed = before !== (await identities(files));
      if (!(error instanceof Fault) || !changed || left === 0) throw error;
    }
  }
}

/**
 * Is there a manifest in this folder, usable or not? Costs next to nothing. Throws `Fault` (`manifest`, fatal) when
 * what is there cannot be told from the rest of one.
 */
export async function hasManifest(
  stateDir: string,
  files: StateFiles = stateFilesIn(stateDir),
): Promise<boolean> {
  const snapshot = await files.open(snapshotName, 'read').catch(unusable(stateDir));
  await snapshot?.close();
  if (snapshot !== null) return true;
  return (await readManifest(stateDir, files)) !== null;
}

async function identities(files: StateFiles): Promise<string> {
  const found: string[] = [];
  for (const name of [snapshotName, journalName]) {
    const file = await files.open(name, 'read');
    found.push(file === null ? '-' : (await file.info()).identity);
    await file?.close();
  }
  return found.join(' ');
}
