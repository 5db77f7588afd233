/** The batch desk on its parts, and what the mirror is told of it. */
import { randomUUID } from 'node:crypto';
import { BatchDesk } from '../batches/batch-desk.ts';
import { newRecord } from '../batches/wanting.ts';
import type { BatchBook, BatchFiles } from '../batches/ports.ts';
import { createReadRequests } from '../batches/results/local-requests.ts';
import { createResultsDesk } from '../batches/results/results-desk.ts';
import { realResultsDisk } from '../batches/results/results-disk.ts';
import type { Config } from '../config/config.ts';
import type { BatchRecord, SubmissionId } from '../contract/batch.ts';
import type { BatchListener } from '../contract/batch-report.ts';
import { Fault } from '../contract/faults.ts';
import { folderOf } from '../contract/mirror-path.ts';
import { pathsRecorded } from '../contract/path-recorded.ts';
import type { LocalTree, Manifest, SendQueue, UploadRequest } from '../contract/ports.ts';
import { nowSeconds } from '../contract/times.ts';
import type { Change, FileId, MirrorPath } from '../contract/types.ts';
import type { ManifestStore } from '../manifest/manifest-store.ts';
import type { FilesClient } from '../remote/files-client.ts';
import { systemClock } from '../service/system-clock.ts';

/** Holds of a lane that are over by themselves, soon. */
const PASSING_HOLDS: ReadonlySet<string> = new Set(['retry-after', 'backoff']);

interface Parts {
  readonly config: Config;
  readonly manifest: ManifestStore;
  readonly api: FilesClient;
  readonly queue: SendQueue;
  readonly local: () => LocalTree;
  readonly listener: BatchListener;
  /** Deletes the remote file of a path whose local one stays. */
  readonly endLife: (path: MirrorPath, id: FileId, signal: AbortSignal) => Promise<void>;
}

export function openBatchDesk(parts: Parts): BatchDesk {
  const { config, manifest, api, queue, listener, endLife } = parts;
  const desk = new BatchDesk({
    api: api.batches,
    book: bookOf(manifest),
    clock: systemClock,
    results: resultsOf(parts),
    listener,
    mirrorId: manifest.mirrorId,
    mirrored: manifest,
    newId: randomUUID,
    readRequests: createReadRequests(config.root, realResultsDisk),
    remover: {
      deleteMade: async (id, signal) => {
        await queue.delete(() => api.delete(id, signal), signal);
      },
      deleteInput: endLife,
    },
    settings: config.batches,
    held: () => queue.holds('delete').find(({ name }) => !PASSING_HOLDS.has(name))?.why ?? null,
  });
  manifest.subscribe((change, replaced) => {
    const told = pathsRecorded(change, replaced);
    if (told.length > 0) desk.recorded(told);
  });
  return desk;
}

function bookOf(manifest: ManifestStore): BatchBook {
  return {
    batches: manifest.batches,
    get memory() {
      return manifest.batchMemory;
    },
    commit: (batches, batchMemory) =>
      manifest.commit({ batches, ...(batchMemory === undefined ? {} : { batchMemory }) }),
  };
}

function resultsOf({ config, manifest, api, queue, local }: Parts): ReturnType<typeof createResultsDesk> {
  const { root, stateDir, batches, folders } = config;
  const files: BatchFiles = {
    upload: (request, signal) => inLane(queue, request, (sent) => api.upload(request, sent), signal),
    list: (request, signal) => api.list(request, signal),
    retrieve: (id, signal) => api.retrieve(id, signal),
    content: (id, signal) => api.content(id, signal),
    serverNowMs: () => api.serverNowMs(),
    // Asked about the few that may be an upload whose reply was lost.
    isKnown: (id) =>
      manifest.garbage.has(id) ||
      manifest.files.values().some((entry) => entry.id === id) ||
      manifest.batches.values().some(({ inputFileId }) => inputFileId === id),
  };
  return createResultsDesk({
    root,
    stateDir,
    resultsFolder: batches.resultsFolder,
    keepsFolder: folders.filter(({ purpose }) => purpose === 'batch').length > 1,
    files,
    clock: systemClock,
    lookSeconds: batches.lookSeconds,
    expiresAfterSeconds: null,
    assertRoot: async () => {
      const look = await local().lookRoot(manifest.mirrorId);
      if (look.kind === 'ok') return;
      const why = look.kind === 'bad' ? look.reason : 'its marker .files-mirror.json is missing';
      const details = { disposition: 'halt', halt: 'root', outcome: 'refused', rule: 'root' } as const;
      throw new Fault(`${root}: ${why}`, details);
    },
  });
}

/** An upload of batches waits for its place and takes its unit of the window, as any other. */
async function inLane<T>(
  queue: SendQueue,
  { remoteName, sizeBytes }: UploadRequest,
  upload: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  return await queue.upload(
    { path: remoteName, sizeBytes, priority: 0 },
    (sending) => {
      sending();
      return upload(signal);
    },
    signal,
  );
}

/** The manifest for `adopt`: what that takes over is not submitted by itself, since it may have been by who uploaded it. */
export function leavingAlone(manifest: ManifestStore, config: Config): Pick<Manifest, 'mirrorId' | 'commit'> {
  const now = nowSeconds({ clock: systemClock });
  return {
    mirrorId: manifest.mirrorId,
    commit: (change) => manifest.commit({ ...change, batches: leftAlone(change, config, now) }),
  };
}

function leftAlone(
  { files = {} }: Change,
  { batches }: Config,
  nowSeconds: number,
): NonNullable<Change['batches']> {
  const records: Record<SubmissionId, BatchRecord> = {};
  for (const [path, entry] of Object.entries(files)) {
    if (entry?.purpose !== 'batch' || !batches.submitFolders.has(folderOf(path))) continue;
    records[randomUUID()] = { ...newRecord(path, entry, nowSeconds), leftAlone: true };
  }
  return records;
}
