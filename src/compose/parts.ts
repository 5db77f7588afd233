/** What each room's part is made of, as the configuration says. */
import type { Config } from '../config/config.ts';
import { createContentChecks } from '../checks/content-checks.ts';
import { readHeaders } from '../config/header-values.ts';
import { createIgnoreRules, type IgnoreRules } from '../local/ignore-rules.ts';
import { createLocalTree, type ScannedTree } from '../local/local-tree.ts';
import { createOpenWriters } from '../local/open-writers.ts';
import { folderOf } from '../contract/mirror-path.ts';
import type { MirrorSettings } from '../contract/settings.ts';
import type { SendLimits } from '../queue/send-queue.ts';
import { createFilesClient, type FilesClient } from '../remote/files-client.ts';
import { ownPackage } from '../service/own-package.ts';
import { systemClock } from '../service/system-clock.ts';

/** Below it a body is on its way at once, and a note before its last bytes would only cost time. */
const MARK_SENT_FROM_BYTES = 1_000_000;
/** Few, so that an API in trouble is asked little; enough that some slow answers hold up no others. */
const CONCURRENT_QUESTIONS = 8;

export function createTree(config: Config): { readonly local: ScannedTree; readonly rules: IgnoreRules } {
  const { root, watch, folders } = config;
  const rules = createIgnoreRules({ root, patterns: watch.ignore });
  const local = createLocalTree({
    root,
    settleMs: watch.settleSeconds * 1000,
    clock: systemClock,
    folders: folders.map(({ folder }) => folder),
    ownFolder: folderOf(config.batches.resultsFolder),
    rules,
    openWriters: createOpenWriters({ root, clock: systemClock }),
    checks: createContentChecks(),
  });
  return { local, rules };
}

/** Throws `Fault` with rule `config` when the value of a header cannot be had. */
export function createClient(config: Config, apiKey: () => string | null): FilesClient {
  const { api, batches, limits } = config;
  const { headers, secrets } = readHeaders(api.headers, process.env);
  return createFilesClient({
    baseUrl: api.baseUrl,
    apiKey,
    auth: api.auth,
    headers,
    secrets,
    uploadFields: api.uploadFields,
    expiry: api.expiry,
    organization: api.organization,
    project: api.project,
    timeoutMs: api.timeoutSeconds * 1000,
    uploadBytesPerSecond: limits.uploadBytesPerSecond,
    listParameters: api.listParameters,
    purposes: [...new Set(config.folders.map(({ purpose }) => purpose))],
    pageSize: api.pageSize,
    batches: { endpointMap: batches.endpointMap, idempotencyHeader: batches.idempotencyHeader },
    userAgent: `files-mirror/${ownPackage().version}`,
    clock: systemClock,
  });
}

export function settingsOf(config: Config): MirrorSettings {
  const { root, api, folders, deletes, watch, verifyHours, limits } = config;
  return {
    root,
    api: new URL(api.baseUrl).origin,
    folders: new Map(folders.map((rules) => [rules.folder, rules])),
    settleMs: watch.settleSeconds * 1000,
    graceMs: deletes.graceSeconds * 1000,
    maxFraction: deletes.maxFraction,
    minCount: deletes.minCount,
    rescanMs: watch.rescanSeconds * 1000,
    verifyMs: verifyHours * 3_600_000,
    storageBytes: limits.storageBytes,
    canDelete: api.deletes,
    lookMs: api.lookSeconds * 1000,
    markSentFromBytes: MARK_SENT_FROM_BYTES,
    trustReply: new Set(api.trustReply),
  };
}

export function limitsOf({ limits }: Config): SendLimits {
  const { uploadsPerMinute, concurrentUploads, concurrentDeletes } = limits;
  return {
    uploadsPerMinute,
    concurrentUploads,
    concurrentDeletes,
    concurrentQuestions: CONCURRENT_QUESTIONS,
  };
}
