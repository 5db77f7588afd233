import { join } from 'node:path';
import { NO_BATCH_MEMORY } from '../contract/batch.ts';
import { remembersNothing } from '../contract/remembers-nothing.ts';
import { NO_MEMORY } from '../contract/types.ts';
import { admitApi, nameOf, writeApiRecord } from './api-identity.ts';
import type { ApiIdentity } from './api-identity.ts';
import { journalName, snapshotName } from './load-manifest.ts';
import { sectionNames } from './manifest-data.ts';
import { unusable } from './manifest-fault.ts';
import { openManifest } from './manifest-store.ts';
import type { ManifestOptions, ManifestStore } from './manifest-store.ts';
import { readManifest } from './read-manifest.ts';
import { createStateDir, stateFilesIn } from './state-files.ts';
import type { StateFiles } from './state-files.ts';

/** Keys in one change: a journal line is written and read as one text. */
const keysPerChange = 10_000;
const copyBytes = 256 * 1024;

/**
 * Opens the manifest for this API, and records which one that is. A manifest of the emulator is copied aside and
 * begun anew when a remote API takes its place: same mirror, nothing uploaded yet. The caller holds the lock.
 * Throws `Fault`: `config` when the manifest belongs to another API, and what `openManifest` throws.
 */
export async function openManifestOf(api: ApiIdentity, options: ManifestOptions): Promise<ManifestStore> {
  const { stateDir, files = stateFilesIn(stateDir) } = options;
  const verdict = await admitApi(stateDir, api, files);
  if (verdict === 'start-over') await copyAside(api, options);
  const manifest = await openManifest(options);
  try {
    if (verdict === 'start-over') await forgetEverything(manifest);
    if (verdict !== 'same') await writeApiRecord(files, { identity: api, fingerprints: null });
    return manifest;
  } catch (error) {
    await manifest.close();
    throw error;
  }
}

/**
 * Keeps what the emulator's manifest says in a folder of its own.
 *
 * Copied and then emptied, not moved: a crash between two moves would leave a manifest that looks damaged.
 */
async function copyAside(api: ApiIdentity, options: ManifestOptions): Promise<void> {
  const { stateDir, clock, onWarning, files = stateFilesIn(stateDir) } = options;
  const view = await readManifest(stateDir, files);
  if (view === null || remembersNothing(view)) return;
  const aside = join(stateDir, asideName(api, clock.wallMs()));
  await copyManifest(files, aside).catch(unusable(aside));
  onWarning(
    `so far this folder was mirrored to the emulator of files-mirror itself; from now on it is mirrored to ${nameOf(api)}: every file is uploaded there, and nothing is deleted. What was recorded about the emulator's files is kept in ${aside}`,
  );
}

/** E.g. `before-api.openai.com-20261122T010500000Z`. */
function asideName({ host }: ApiIdentity, nowMs: number): string {
  const when = new Date(nowMs).toISOString().replaceAll(/[-:.]/g, '');
  return `before-${host.replaceAll(':', '-')}-${when}`;
}

async function copyManifest(from: StateFiles, folder: string): Promise<void> {
  await createStateDir(folder);
  const to = stateFilesIn(folder);
  for (const name of [snapshotName, journalName]) await copyFile(name, from, to);
  await to.syncDirectory();
}

async function copyFile(name: string, from: StateFiles, to: StateFiles): Promise<void> {
  const source = await from.open(name, 'read');
  const target = await to.open(name, 'create');
  try {
    const chunk = Buffer.alloc(copyBytes);
    for (let at = 0; ;) {
      const readBytes = (await source?.read(chunk, at)) ?? 0;
      if (readBytes === 0) break;
      await target?.write(chunk.subarray(0, readBytes), at);
      at += readBytes;
    }
    await target?.sync();
  } finally {
    await source?.close();
    await target?.close();
  }
}

/**
 * Only the mirror's id stays. A crash on the way leaves a part, and the API identity as it was, so that the next
 * start does the rest.
 */
async function forgetEverything(manifest: ManifestStore): Promise<void> {
  await manifest.remember(NO_MEMORY);
  await manifest.commit({ batchMemory: NO_BATCH_MEMORY });
  for (const section of sectionNames) {
    const keys = [...manifest[section].keys()];
    for (let at = 0; at < keys.length; at += keysPerChange) {
      const gone = Object.fromEntries(keys.slice(at, at + keysPerChange).map((key) => [key, null]));
      await manifest.commit({ [section]: gone });
    }
  }
}
