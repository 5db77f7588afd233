import { usesOf } from './batches/in-use.ts';
/**
 * Builds the parts and connects them, for one question or wish of the command line each. This file and the folder of
 * its name are the only ones that know all rooms.
 */
import { Opened } from './compose/opened.ts';
import { leavingAlone } from './compose/batches.ts';
import {
  apiOf,
  emptyView,
  openManifestAsIs,
  openManifestFor,
  refuseLostManifest,
  scopeOf,
  viewFor,
  type MirrorIdentity,
} from './compose/remembered.ts';
import type { MirrorApp, MirrorOptions, OutwardPorts } from './compose/working-mirror.ts';
import type { Config } from './config/config.ts';
import { isInside } from './config/inside.ts';
import { nowSeconds } from './contract/times.ts';
import type { Emulator, EmulatorOptions } from './emulator/emulator.ts';
import { filesBelow, type FoundBelow } from './local/files-below.ts';
import { rootFacts, type RootFacts } from './local/root-facts.ts';
import { readMirrorId } from './local/root-guard.ts';
import { openRecordedApi } from './manifest/api-memory.ts';
import { admitApi } from './manifest/api-identity.ts';
import { readMemory } from './manifest/memory-file.ts';
import { hasManifest, readManifest } from './manifest/read-manifest.ts';
import { stateFacts, type StateFacts } from './manifest/state-facts.ts';
import type { AdoptReport } from './mirror/offline/adopt.ts';
import { requireOwnScope } from './mirror/acts/ask-scope.ts';
import { LetGo } from './mirror/judge/let-go.ts';
import type { PlannedAction } from './mirror/judge/planned.ts';
import { forgetRejections } from './mirror/judge/retry.ts';
import { NO_BATCHES, type BatchesView } from './contract/batch.ts';
import type { ManifestView, MirrorPath } from './contract/types.ts';
import type { FilesClient } from './remote/files-client.ts';
import { systemClock } from './service/system-clock.ts';

export type { MirrorApp };
export { dryRunOf, moneyOf, readRequestsFile } from './compose/requests.ts';
export { batchRules, RunFolder } from './compose/run-folder.ts';
export { deleteMade, deliver, readSummary } from './compose/run-results.ts';
export { checkFile } from './checks/check-file.ts';
export { usesOf } from './batches/in-use.ts';
export { recordedViews, totalsOf } from './batches/batch-views.ts';
export { whyNoResults } from './compose/results-place.ts';
export { plannedBatches, type PlannedBatch } from './compose/planned-batches.ts';
export { dialectNames } from './emulator/dialects.ts';
export { readApiIdentity as recordedApi } from './manifest/api-identity.ts';
export { lockHolder as findHolder } from './manifest/state-lock.ts';

// What only some verbs need is loaded when they do: `status` needs neither the engine nor the API.
const loadParts = () => import('./compose/parts.ts');

export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  return await (await import('./emulator/emulator.ts')).startEmulator(options);
}

/**
 * Throws `Fault`: `locked` when another process has this mirror, `manifest` or `config` when a person is needed.
 * `around`: what a test puts between the engine and its ports.
 */
export async function openMirror(
  options: MirrorOptions,
  around: (ports: OutwardPorts) => OutwardPorts = (ports) => ports,
): Promise<MirrorApp> {
  const { config } = options;
  const opened = new Opened();
  try {
    const lock = await opened.lock(options, () => refuseLostManifest(config));
    const manifest = opened.add(await openManifestFor(options, null, lock));
    const scope = scopeOf(options, options.apiKey);
    const memory = await openRecordedApi(config.stateDir, scope, false);
    const { WorkingMirror } = await import('./compose/working-mirror.ts');
    return new WorkingMirror(options, { manifest, memory }, opened, around);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** What one pass would do. Takes no lock, sends nothing and writes nothing. Throws `Fault`, as `openMirror` does too. */
export async function planMirror(
  options: MirrorIdentity,
  signal: AbortSignal,
): Promise<readonly PlannedAction[]> {
  const { config } = options;
  await refuseLostManifest(config);
  const view = await viewFor(options, await readMirrorId(config.root));
  const { createTree, settingsOf } = await loadParts();
  const { previewPlan } = await import('./mirror/offline/preview.ts');
  const { local } = createTree(config);
  const letGo = new LetGo(systemClock, (await readMemory(config.stateDir)).letGo);
  return await previewPlan(
    { local, view, settings: settingsOf(config), letGo, nowSeconds: nowSeconds({ clock: systemClock }) },
    signal,
  );
}

/** Takes over remote files that match local ones; see `adopt`. Throws `Fault`, as `openMirror` does too. */
export async function adoptRemote(
  options: MirrorOptions & { readonly dryRun: boolean },
  signal: AbortSignal,
): Promise<AdoptReport> {
  const { config, apiKey, dryRun } = options;
  const { createClient, createTree, settingsOf } = await loadParts();
  const { adopt } = await import('./mirror/offline/adopt.ts');
  await using opened = new Opened();
  const lock = dryRun ? null : await opened.lock(options, async () => {});
  const marked = await readMirrorId(config.root);
  const view = await viewFor(options, marked);
  const api = opened.add(createClient(config, () => apiKey));
  const scope = scopeOf(options, apiKey);
  const parts = {
    local: createTree(config).local,
    api,
    view,
    changes: (await openRecordedApi(config.stateDir, scope, true)).changes(),
    clock: systemClock,
    folders: settingsOf(config).folders,
  };
  const openManifest =
    lock === null
      ? null
      : async () => leavingAlone(opened.add(await openManifestFor(options, marked, lock)), config);
  const report = await adopt({ ...parts, openManifest }, signal);
  if (!dryRun) await (await openRecordedApi(config.stateDir, scope, false)).confirm();
  return report;
}

/** Deletes the files of the garbage list while no daemon runs; see `clearGarbage`. Throws as `openMirror` does too. */
export async function deleteOrphans(options: MirrorOptions, signal: AbortSignal): Promise<number> {
  const { config, apiKey } = options;
  const { createClient, createTree } = await loadParts();
  const { clearGarbage } = await import('./mirror/offline/clear-garbage.ts');
  await using opened = new Opened();
  const lock = await opened.lock(options, () => refuseLostManifest(config));
  const manifest = opened.add(await openManifestFor(options, null, lock));
  const api = opened.add(createClient(config, () => apiKey));
  const apiMemory = await openRecordedApi(config.stateDir, scopeOf(options, apiKey), false);
  const { local } = createTree(config);
  return await clearGarbage(
    { local, api, manifest, apiMemory, clock: systemClock, uses: usesOf(manifest.batches) },
    signal,
  );
}

/** Forgets, while no daemon runs, that files were rejected; see `forgetRejections`. Throws as `openMirror` does too. */
export async function retryRejected(
  options: MirrorIdentity & Pick<MirrorOptions, 'listener'>,
  wanted: readonly MirrorPath[] | null,
): Promise<readonly MirrorPath[]> {
  const { config } = options;
  if (!(await hasManifest(config.stateDir))) return [];
  await using opened = new Opened();
  const lock = await opened.lock(options, async () => {});
  // As it is: whichever API is configured for this verb, nothing is asked of it.
  const manifest = opened.add(await openManifestAsIs(options, lock));
  return await forgetRejections(manifest, (change) => manifest.commit(change), wanted);
}

/** Every file below a folder that `check` is to look at; what the mirror would ignore is left out. */
export function filesToCheck(
  config: Config,
  directory: string,
  signal: AbortSignal,
): AsyncIterable<FoundBelow> {
  const rulesRoot = isInside(directory, config.root) ? config.root : directory;
  return filesBelow({ directory, rulesRoot, patterns: config.watch.ignore }, signal);
}

/** What `doctor` wants to know about the places where files and state are. */
export interface Places {
  readonly root: RootFacts;
  readonly state: StateFacts;
}

/** Looks, and changes nothing. `mirrorId`: null when there is no manifest. */
export async function lookAtPlaces(config: Config, mirrorId: string | null): Promise<Places> {
  const { root, stateDir } = config;
  const { createTree } = await loadParts();
  const { rules } = createTree(config);
  const folders = config.folders.map(({ folder }) => folder);
  return {
    root: await rootFacts({ root, folders, rules, mirrorId }),
    state: await stateFacts(stateDir),
  };
}

/**
 * Whether the API has the recorded ids; asked only when what they belong to has changed, which it returns in words.
 * Throws `Fault` when they are not known there (halt `scope`), or when the API does not tell.
 */
export async function checkScope(
  options: MirrorIdentity & { readonly apiKey: string | null },
  { api, view }: { readonly api: FilesClient; readonly view: ManifestView },
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (view.files.size === 0 && view.garbage.size === 0) return [];
  const scope = scopeOf(options, options.apiKey);
  const changes = (await openRecordedApi(options.config.stateDir, scope, true)).changes();
  if (changes.length > 0) await requireOwnScope({ api, view, clock: systemClock }, changes, signal);
  return changes;
}

/** What is remembered, read without a lock; an empty view when there is nothing yet. */
export async function readState(stateDir: string): Promise<ManifestView & BatchesView> {
  return (await readManifest(stateDir)) ?? { ...emptyView(null), ...NO_BATCHES };
}

/** What its ids are worth to the configured API. Throws `Fault` (`config`) when they belong to another one. */
export async function admitConfiguredApi(config: Config): Promise<'new' | 'same' | 'start-over'> {
  return await admitApi(config.stateDir, apiOf({ config }));
}

/** The API alone, for verbs that ask it something. */
export async function openRemote(config: Config, apiKey: string | null): Promise<FilesClient> {
  return (await loadParts()).createClient(config, () => apiKey);
}
