/** Builds the parts and connects them; the only file that knows them all. */
import { readFileSync } from 'node:fs';
import type { Config } from './config/config.ts';
import { createCheck, needsFullRead } from './local/checks/checks.ts';
import { createIgnoreRules, type IgnoreRules } from './local/ignore-rules.ts';
import { createLocalTree, type ScannedTree } from './local/local-tree.ts';
import { createOpenWriters } from './local/open-writers.ts';
import { readMirrorId } from './local/root-guard.ts';
import { watchTree } from './local/watch.ts';
import { openManifest, type ManifestStore } from './manifest/manifest-store.ts';
import { hasManifest, readManifest } from './manifest/read-manifest.ts';
import { lockRoot } from './manifest/root-lock.ts';
import { lockStateDir, type Lock } from './manifest/state-lock.ts';
import { Fault } from './mirror/faults.ts';
import { Mirror } from './mirror/mirror.ts';
import type { PlannedAction } from './mirror/planned.ts';
import type { Listener } from './mirror/ports.ts';
import { previewPlan } from './mirror/preview.ts';
import type { FlushResult, MirrorControl } from './mirror/report.ts';
import type { MirrorSettings } from './mirror/settings.ts';
import type { ManifestView } from './mirror/types.ts';
import { LaneQueue, type SendLimits } from './queue/send-queue.ts';
import { createFilesClient, type FilesClient } from './remote/files-client.ts';
import { withFailPoints } from './service/fail-points.ts';
import { systemClock } from './service/system-clock.ts';

export { startEmulator } from './emulator/emulator.ts';

/** How long what is in flight may take to end when the program is asked to stop. */
const STOP_GRACE_MS = 15_000;
/** When an upload of unknown outcome is looked for, after it ended: a new file may be missing from lists for seconds. */
const RESOLVE_LOOKS_MS = [0, 2_000, 10_000] as const;

/** A mirror, ready to work. */
export interface MirrorApp {
  readonly control: MirrorControl;
  readonly mirrorId: string;
  /**
   * One pass until converged, or until only halts, persons or an API that does not answer are waited for.
   * Throws `Fault` (`unreachable`) when the API did not answer several times in a row.
   */
  converge(signal: AbortSignal): Promise<FlushResult>;
  /** The daemon: watches and mirrors until the signal aborts and what is in flight has ended. */
  run(signal: AbortSignal): Promise<void>;
  /** What `converge` would do; sends nothing and writes nothing. */
  plan(signal: AbortSignal): Promise<readonly PlannedAction[]>;
  /** A configuration that was read again. Root, state folder and base URL must be the same. */
  applyConfig(config: Config, apiKey: string | null): void;
  close(): Promise<void>;
}

export interface OpenMirrorOptions {
  readonly config: Config;
  readonly apiKey: string | null;
  readonly listener: Listener;
  /** For `plan`: takes no lock and writes nothing. */
  readonly readOnly?: boolean;
}

/** Throws `Fault`: `locked` when another process has this mirror, `manifest` or `config` when a person is needed. */
export async function openMirror(options: OpenMirrorOptions): Promise<MirrorApp> {
  return options.readOnly === true ? await openPreview(options.config) : await openWorking(options);
}

/** What is remembered, read without a lock; an empty view when there is nothing yet. */
export async function readState(stateDir: string): Promise<ManifestView> {
  return (await readManifest(stateDir)) ?? emptyView(null);
}

/** The API alone, for verbs that ask it something. */
export async function openRemote(config: Config, apiKey: string | null): Promise<FilesClient> {
  return createClient(config, () => apiKey);
}

async function openWorking({ config, apiKey, listener }: OpenMirrorOptions): Promise<MirrorApp> {
  const locks: Lock[] = [];
  let manifest: ManifestStore | null = null;
  try {
    locks.push(await lockRoot(config.root));
    // A root that somebody mirrors right now is locked, not lost; and nothing is created before that is clear.
    await refuseLostManifest(config);
    locks.push(await lockStateDir(config.stateDir));
    manifest = await openManifest({
      stateDir: config.stateDir,
      clock: systemClock,
      onWarning: (message) => listener({ kind: 'warning', message }),
    });
    return new WorkingMirror(config, apiKey, listener, manifest, locks);
  } catch (error) {
    await manifest?.close();
    for (const lock of locks) await lock.release();
    throw error;
  }
}

/**
 * A root that bears a marker while there is no manifest: either the manifest was lost, or this is another mirror's
 * folder. A new manifest would upload everything a second time.
 */
async function refuseLostManifest(config: Config): Promise<void> {
  const marked = await readMirrorId(config.root);
  if (marked === null || (await hasManifest(config.stateDir))) return;
  throw new Fault(
    `${config.root} belongs to mirror ${marked}, but ${config.stateDir} holds no manifest; restore that folder or point stateDir to it, or take the remote files over with: files-mirror adopt`,
    { disposition: 'fatal', outcome: 'refused', rule: 'manifest' },
  );
}

class WorkingMirror implements MirrorApp {
  readonly #mirror: Mirror;
  readonly #manifest: ManifestStore;
  readonly #client: FilesClient;
  readonly #queue: LaneQueue;
  readonly #locks: readonly Lock[];
  readonly #listener: Listener;
  #config: Config;
  #apiKey: string | null;
  #tree: ReturnType<typeof createTree>;
  #rewatch = new AbortController();
  #started = false;

  constructor(config: Config, apiKey: string | null, listener: Listener, manifest: ManifestStore, locks: readonly Lock[]) {
    this.#config = config;
    this.#apiKey = apiKey;
    this.#listener = listener;
    this.#manifest = manifest;
    this.#locks = locks;
    this.#client = createClient(config, () => this.#apiKey);
    this.#queue = new LaneQueue({
      clock: systemClock,
      random: Math.random,
      ...limitsOf(config),
      recentAttemptsMs: manifest.recentAttempts(),
    });
    this.#tree = createTree(config);
    this.#mirror = new Mirror({
      clock: systemClock,
      local: this.#tree.local,
      ...withFailPoints({ api: this.#client, manifest }, process.env),
      queue: this.#queue,
      settings: settingsOf(config),
      listener,
    });
  }

  get control(): MirrorControl {
    return this.#mirror;
  }

  get mirrorId(): string {
    return this.#manifest.mirrorId;
  }

  async converge(signal: AbortSignal): Promise<FlushResult> {
    this.#start();
    const result = await Promise.race([this.#mirror.converge(signal), this.#untilBroken()]);
    const unreachable = this.#mirror.unreachable();
    if (unreachable !== null && result.halts.length === 0) {
      throw new Fault(`the API does not answer: ${unreachable}`, { disposition: 'retry', outcome: 'refused', rule: 'unreachable' });
    }
    return result;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#start();
    const watching = this.#watchUntil(signal);
    try {
      await Promise.race([aborted(signal), this.#untilBroken()]);
    } finally {
      this.#rewatch.abort();
      await this.#mirror.stop(STOP_GRACE_MS);
      if (signal.aborted) await watching;
    }
  }

  async plan(signal: AbortSignal): Promise<readonly PlannedAction[]> {
    return await planOf(this.#config, this.#manifest, signal);
  }

  applyConfig(config: Config, apiKey: string | null): void {
    this.#config = config;
    this.#apiKey = apiKey;
    this.#queue.setLimits(limitsOf(config));
    this.#tree = createTree(config);
    this.#mirror.reconfigure(settingsOf(config), this.#tree.local);
    this.#rewatch.abort();
  }

  async close(): Promise<void> {
    await this.#mirror.stop(STOP_GRACE_MS);
    this.#queue.close();
    await this.#client.close();
    await this.#manifest.close();
    for (const lock of this.#locks) await lock.release();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#mirror.start();
  }

  /** Watches, and starts over with the current configuration whenever that was replaced. */
  async #watchUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#rewatch = new AbortController();
      const { watch, folders, root } = this.#config;
      await watchTree({
        root,
        folders: folders.map(({ folder }) => folder),
        mode: watch.mode,
        pollMs: watch.pollSeconds * 1000,
        lastScanMs: () => this.#tree.local.lastScanMs(),
        rules: this.#tree.rules,
        clock: systemClock,
        onHint: (hint) => this.#mirror.hint(hint),
        onState: ({ watching, warning }) => {
          this.#mirror.setWatching(watching);
          if (warning !== null) this.#listener({ kind: 'warning', message: warning });
        },
        signal: AbortSignal.any([signal, this.#rewatch.signal]),
      });
      // With watching off there is nothing to wait for but the next configuration.
      if (!this.#rewatch.signal.aborted) await aborted(AbortSignal.any([signal, this.#rewatch.signal]));
    }
  }

  /** Rejects when the engine broke; never resolves. */
  async #untilBroken(): Promise<never> {
    await this.#mirror.ended();
    return await new Promise<never>(() => {});
  }
}

/** The mirror as `plan` sees it. */
async function openPreview(config: Config): Promise<MirrorApp> {
  const view = (await readManifest(config.stateDir)) ?? emptyView(await readMirrorId(config.root));
  const unavailable = (): never => {
    throw new TypeError('a mirror that was opened read-only can only plan');
  };
  return {
    get control(): MirrorControl {
      return unavailable();
    },
    mirrorId: view.mirrorId,
    converge: async () => unavailable(),
    run: async () => unavailable(),
    plan: (signal) => planOf(config, view, signal),
    applyConfig: unavailable,
    close: async () => {},
  };
}

async function planOf(config: Config, view: ManifestView, signal: AbortSignal): Promise<readonly PlannedAction[]> {
  const { local } = createTree(config);
  const nowSeconds = Math.floor(systemClock.wallMs() / 1000);
  return await previewPlan({ local, view, settings: settingsOf(config), nowSeconds }, signal);
}

function createTree(config: Config): { readonly local: ScannedTree; readonly rules: IgnoreRules } {
  const { root, watch, folders } = config;
  const rules = createIgnoreRules({ root, patterns: watch.ignore });
  const local = createLocalTree({
    root,
    settleMs: watch.settleSeconds * 1000,
    clock: systemClock,
    folders: folders.map(({ folder }) => folder),
    rules,
    openWriters: createOpenWriters({ root, clock: systemClock }),
    checks: { createCheck, needsFullRead },
  });
  return { local, rules };
}

function createClient(config: Config, apiKey: () => string | null): FilesClient {
  const { api, limits } = config;
  return createFilesClient({
    baseUrl: api.baseUrl,
    apiKey,
    auth: api.auth,
    headers: api.headers,
    organization: api.organization,
    project: api.project,
    timeoutMs: api.timeoutSeconds * 1000,
    uploadBytesPerSecond: limits.uploadBytesPerSecond,
    listParameters: api.listParameters,
    userAgent: `files-mirror/${programVersion()}`,
    clock: systemClock,
  });
}

function settingsOf(config: Config): MirrorSettings {
  const { root, folders, deletes, watch, verifyHours, limits } = config;
  return {
    root,
    folders: new Map(folders.map((rules) => [rules.folder, rules])),
    graceMs: deletes.graceSeconds * 1000,
    maxFraction: deletes.maxFraction,
    minCount: deletes.minCount,
    rescanMs: watch.rescanSeconds * 1000,
    verifyMs: verifyHours * 3_600_000,
    storageBytes: limits.storageBytes,
    resolveLooksMs: RESOLVE_LOOKS_MS,
  };
}

function limitsOf({ limits }: Config): SendLimits {
  const { uploadsPerMinute, concurrentUploads, concurrentDeletes } = limits;
  return { uploadsPerMinute, concurrentUploads, concurrentDeletes };
}

function emptyView(mirrorId: string | null): ManifestView {
  return { mirrorId: mirrorId ?? '', files: new Map(), intents: new Map(), garbage: new Map(), rejected: new Map() };
}

function programVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
