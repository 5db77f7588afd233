import type { Authorization } from './access.ts';
import { batchRules } from './batch-rules.ts';
import { BatchRunner } from './batch-runner.ts';
import { BatchStore } from './batch-store.ts';
import { DEFAULT_PACE } from './batch-timeline.ts';
import type { BatchesContext } from './batches-routes.ts';
import type { Dialect } from './dialects.ts';
import { dialects } from './dialects.ts';
import type { EmulatorClock, EmulatorOptions } from './emulator-options.ts';
import { FileStore } from './file-store.ts';
import type { FilesContext } from './files-routes.ts';
import { meddleNot, type Meddle } from './meddling.ts';
import { UploadWindow } from './upload-window.ts';

const UPLOADS_PER_MINUTE = 1000;
const STORAGE_BYTES = 2_500_000_000_000;
const systemClock: EmulatorClock = { nowMs: () => Date.now() };

/** What every request needs. */
export interface Desk {
  readonly files: FilesContext;
  readonly batches: BatchesContext;
  readonly window: UploadWindow;
  readonly authorization: Authorization;
  readonly monotonicMs: () => number;
  readonly nowMs: () => number;
  readonly meddle: Meddle;
  readonly onInternalError: (error: unknown) => void;
}

export function openDesk(options: EmulatorOptions, dataDir: string): Desk {
  const {
    clock = systemClock,
    discard = false,
    storageBytes = STORAGE_BYTES,
    uploadsPerMinute = UPLOADS_PER_MINUTE,
  } = options;
  const nowMs = (): number => clock.nowMs();
  const named = dialects[options.dialect ?? 'openai'];
  const dialect: Dialect = {
    ...named,
    list: { ...named.list, ...options.list },
    batches: named.batches === null ? null : { ...named.batches, ...options.batches },
  };
  const store = new FileStore({ dataDir, id: dialect.id, discard, nowMs });
  const batches = openBatches(options, dataDir, store, dialect);
  return {
    files: {
      store,
      dialect,
      contentReadable: options.contentReadable ?? false,
      storageBytes,
      maxPageSize: options.maxPageSize ?? Infinity,
      catchUp: () => batches.runner.catchUp(),
    },
    nowMs,
    meddle: options.meddle ?? meddleNot,
    batches,
    window: new UploadWindow(uploadsPerMinute),
    authorization: options.authorization ?? 'any',
    monotonicMs: () => clock.monotonicMs?.() ?? performance.now(),
    onInternalError: options.onInternalError ?? (() => {}),
  };
}

function openBatches(
  options: EmulatorOptions,
  dataDir: string,
  files: FileStore,
  { basePath, batches: rules }: Dialect,
): BatchesContext {
  const { clock = systemClock, upstream = null } = options;
  const nowMs = (): number => clock.nowMs();
  const batches = new BatchStore(dataDir);
  const common = { batches, files, rules: rules ?? batchRules.openai, nowMs };
  const runner = new BatchRunner({
    ...common,
    pace: { ...DEFAULT_PACE, ...options.batchPace },
    seed: options.batchSeed ?? 1,
    queueTokens: options.batchQueueTokens ?? null,
    upstream,
    onError: options.onInternalError ?? (() => {}),
  });
  const maxPageSize = options.maxPageSize ?? Infinity;
  return { ...common, runner, basePath, byUpstream: upstream !== null, maxPageSize };
}
