/** Builds the parts and connects them; the only file that knows them all. */
import { readFileSync } from 'node:fs';
import { isAbsolute, relative, sep } from 'node:path';
import type { Config } from './config/config.ts';
import { isLoopback } from './config/cross-checks.ts';
import type { Emulator, EmulatorOptions } from './emulator/emulator.ts';
import { createCheck, needsFullRead } from './local/checks/checks.ts';
import { filesBelow, type FoundBelow } from './local/files-below.ts';
import { createIgnoreRules, type IgnoreRules } from './local/ignore-rules.ts';
import { createLocalTree, type ScannedTree } from './local/local-tree.ts';
import { createOpenWriters } from './local/open-writers.ts';
import { rootFacts, type RootFacts } from './local/root-facts.ts';
import { readMirrorId } from './local/root-guard.ts';
import { admitApi, readApiIdentity, type ApiIdentity } from './manifest/api-identity.ts';
import { openManifestOf } from './manifest/manifest-of-api.ts';
import type { ManifestStore } from './manifest/manifest-store.ts';
import { hasManifest, readManifest } from './manifest/read-manifest.ts';
import { lockRoot } from './manifest/root-lock.ts';
import { stateFacts, type StateFacts } from './manifest/state-facts.ts';
import { lockStateDir } from './manifest/state-lock.ts';
import { adopt, type AdoptReport } from './mirror/adopt.ts';
import { clearGarbage } from './mirror/clear-garbage.ts';
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

/** What only some verbs need is loaded when they do. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  return await (await import('./emulator/emulator.ts')).startEmulator(options);
}
export { checkFile } from './local/checks/check-file.ts';

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
  /** The base URL is that of our own, embedded emulator. */
  readonly isEmulator?: boolean;
}

/** Throws `Fault`: `locked` when another process has this mirror, `manifest` or `config` when a person is needed. */
export async function openMirror(options: OpenMirrorOptions): Promise<MirrorApp> {
  return options.readOnly === true ? await openPreview(options) : await openWorking(options);
}

/** Takes over remote files that match local ones; see `adopt`. Throws `Fault`, as `openMirror` does too. */
export async function adoptRemote(
  options: OpenMirrorOptions & { readonly dryRun: boolean },
  signal: AbortSignal,
): Promise<AdoptReport> {
  const { config, apiKey, dryRun } = options;
  await using held = new Held();
  if (!dryRun) await held.lock(config, async () => {});
  const marked = await readMirrorId(config.root);
  const view = await viewFor(options, marked);
  const api = held.add(createClient(config, () => apiKey));
  const parts = {
    local: createTree(config).local,
    api,
    view,
    clock: systemClock,
    folders: settingsOf(config).folders,
  };
  const openManifest = async () => held.add(await openManifestFor(options, marked));
  return await adopt({ ...parts, openManifest: dryRun ? null : openManifest }, signal);
}

/** Deletes the files of the garbage list while no daemon runs; see `clearGarbage`. Throws as `openMirror` does too. */
export async function deleteOrphans(options: OpenMirrorOptions, signal: AbortSignal): Promise<number> {
  const { config, apiKey } = options;
  await using held = new Held();
  await held.lock(config, () => refuseLostManifest(config));
  const manifest = held.add(await openManifestFor(options, null));
  const api = held.add(createClient(config, () => apiKey));
  return await clearGarbage({ local: createTree(config).local, api, manifest, clock: systemClock }, signal);
}

/** Every file below a folder that `check` is to look at; what the mirror would ignore is left out. */
export function filesToCheck(
  config: Config,
  directory: string,
  signal: AbortSignal,
): AsyncIterable<FoundBelow> {
  const way = relative(config.root, directory);
  const isInRoot = way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
  const rulesRoot = isInRoot ? config.root : directory;
  return filesBelow({ directory, rulesRoot, patterns: config.watch.ignore }, signal);
}

/** What `doctor` wants to know about the places where files and state are. */
export interface Places {
  readonly root: RootFacts;
  readonly state: StateFacts;
  /** Whose ids the manifest holds; null when nothing says so. Throws `Fault` when it cannot be read. */
  readonly recordedApi: () => Promise<ApiIdentity | null>;
  /** Throws `Fault` when the manifest belongs to another API than the configured one. */
  readonly admitApi: () => Promise<'new' | 'same' | 'start-over'>;
}

/** Looks, and changes nothing. `mirrorId`: null when there is no manifest. */
export async function lookAtPlaces(config: Config, mirrorId: string | null): Promise<Places> {
  const { root, stateDir } = config;
  const { rules } = createTree(config);
  const folders = config.folders.map(({ folder }) => folder);
  return {
    root: await rootFacts({ root, folders, rules, mirrorId }),
    state: await stateFacts(stateDir),
    recordedApi: () => readApiIdentity(stateDir),
    admitApi: () => admitApi(stateDir, apiOf({ config })),
  };
}

/** What is remembered, read without a lock; an empty view when there is nothing yet. */
export async function readState(stateDir: string): Promise<ManifestView> {
  return (await readManifest(stateDir)) ?? emptyView(null);
}

/** The API alone, for verbs that ask it something. */
export async function openRemote(config: Config, apiKey: string | null): Promise<FilesClient> {
  return createClient(config, () => apiKey);
}

async function openWorking(options: OpenMirrorOptions): Promise<MirrorApp> {
  const { config } = options;
  const held = new Held();
  try {
    await held.lock(config, () => refuseLostManifest(config));
    const manifest = held.add(await openManifestFor(options, null));
    return new WorkingMirror(options, manifest, held);
  } catch (error) {
    await held.close();
    throw error;
  }
}

/** What is held while a mirror is open, given back in the reverse order. */
class Held implements AsyncDisposable {
  readonly #held: (() => Promise<void>)[] = [];

  /** `clear`: throws when the mirror must not be opened. Throws `Fault` (`locked`). */
  async lock({ root, stateDir }: Config, clear: () => Promise<void>): Promise<void> {
    const rootLock = await lockRoot(root);
    this.#held.push(() => rootLock.release());
    // A root that somebody mirrors right now is locked, not lost; and nothing is created before that is clear.
    await clear();
    const stateLock = await lockStateDir(stateDir);
    this.#held.push(() => stateLock.release());
  }

  add<T extends { close(): Promise<void> }>(part: T): T {
    this.#held.push(() => part.close());
    return part;
  }

  async close(): Promise<void> {
    for (let give = this.#held.pop(); give !== undefined; give = this.#held.pop()) await give();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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
  readonly #held: Held;
  readonly #listener: Listener;
  #config: Config;
  #apiKey: string | null;
  #tree: ReturnType<typeof createTree>;
  #rewatch = new AbortController();
  #started = false;

  /** `held`: what goes with it when it is closed. */
  constructor({ config, apiKey, listener }: OpenMirrorOptions, manifest: ManifestStore, held: Held) {
    this.#config = config;
    this.#apiKey = apiKey;
    this.#listener = listener;
    this.#manifest = manifest;
    this.#held = held;
    this.#client = held.add(createClient(config, () => this.#apiKey));
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
    return await Promise.race([this.#mirror.converge(signal), this.#untilBroken()]);
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#start();
    const watching = this.#watchUntil(signal);
    try {
      await Promise.race([aborted(signal), watching, this.#untilBroken()]);
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
    await this.#held.close();
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
      const { watchTree } = await import('./local/watch.ts');
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
async function openPreview(options: OpenMirrorOptions): Promise<MirrorApp> {
  const { config } = options;
  const view = await viewFor(options, await readMirrorId(config.root));
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

async function planOf(
  config: Config,
  view: ManifestView,
  signal: AbortSignal,
): Promise<readonly PlannedAction[]> {
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
    api: new URL(config.api.baseUrl).origin,
    folders: new Map(folders.map((rules) => [rules.folder, rules])),
    settleMs: watch.settleSeconds * 1000,
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

/** Which API the configuration means. */
function apiOf({
  config,
  isEmulator = false,
}: Pick<OpenMirrorOptions, 'config' | 'isEmulator'>): ApiIdentity {
  const { host, hostname } = new URL(config.api.baseUrl);
  if (isEmulator) return { kind: 'emulator', host: hostname };
  return isLoopback(config.api.baseUrl) ? { kind: 'loopback', host: hostname } : { kind: 'remote', host };
}

/** `mirrorId`: for a new manifest; null: a new one. */
function openManifestFor(options: OpenMirrorOptions, mirrorId: string | null): Promise<ManifestStore> {
  return openManifestOf(apiOf(options), {
    stateDir: options.config.stateDir,
    clock: systemClock,
    ...(mirrorId === null ? {} : { mirrorId }),
    onWarning: (message) => options.listener({ kind: 'warning', message }),
  });
}

/** What the manifest will be when it is opened for the configured API. `mirrorId`: its id if there is none yet. */
async function viewFor(options: OpenMirrorOptions, mirrorId: string | null): Promise<ManifestView> {
  const { stateDir } = options.config;
  const verdict = await admitApi(stateDir, apiOf(options));
  const view = (await readManifest(stateDir)) ?? emptyView(mirrorId);
  return verdict === 'start-over' ? emptyView(view.mirrorId) : view;
}

function emptyView(mirrorId: string | null): ManifestView {
  return {
    mirrorId: mirrorId ?? '',
    files: new Map(),
    intents: new Map(),
    garbage: new Map(),
    rejected: new Map(),
  };
}

function programVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
