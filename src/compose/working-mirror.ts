import { once } from 'node:events';
import type { Config } from '../config/config.ts';
import type { RecordedApi } from '../manifest/api-memory.ts';
import type { ManifestStore } from '../manifest/manifest-store.ts';
import { Mirror } from '../mirror/mirror.ts';
import type { AppListener } from '../contract/app-event.ts';
import type { BatchControl, WaitOutcome } from '../contract/batch-report.ts';
import type { FilesApi, Manifest } from '../contract/ports.ts';
import type { BatchDesk } from '../batches/batch-desk.ts';
import type { AppStatus, FlushResult, MirrorControl } from '../contract/report.ts';
import { LaneQueue } from '../queue/send-queue.ts';
import { systemClock } from '../service/system-clock.ts';
import type { Opened } from './opened.ts';
import { openBatchDesk } from './batches.ts';
import { createClient, createTree, limitsOf, settingsOf } from './parts.ts';
import type { MirrorIdentity } from './remembered.ts';

/** How long what is in flight may take to end when the program is asked to stop. */
const STOP_GRACE_MS = 15_000;

/** What a mirror is opened with. */
export interface MirrorOptions extends MirrorIdentity {
  readonly apiKey: string | null;
  readonly listener: AppListener;
}

/** What the engine's memory and its server are reached by. */
export interface OutwardPorts {
  readonly api: FilesApi;
  readonly manifest: Manifest;
}

/** A mirror, ready to work. */
export interface MirrorApp {
  readonly control: MirrorControl;
  readonly batches: BatchControl;
  status(): AppStatus;
  /**
   * One pass until converged, or until only halts, persons or an API that does not answer are waited for.
   * Batches that are due are submitted, asked for and fetched as well. Throws `Fault` (`unreachable`) when the API did
   * not answer several times in a row.
   */
  converge(signal: AbortSignal): Promise<FlushResult>;
  /** What is due of batches now is done: the part of `converge` that is left after one more was asked for. */
  settleBatches(signal: AbortSignal): Promise<void>;
  /** Until all batches have ended, or only what waits for a person is left. Rejects when the engine breaks. */
  waitForBatches(signal: AbortSignal): Promise<WaitOutcome>;
  /** How long ago the engine last went round, milliseconds: what grows and grows is one that is stuck. */
  sinceTickMs(): number;
  /** The daemon: watches and mirrors until the signal aborts and what is in flight has ended. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * A configuration that was read again. Root, state folder and base URL must be the same. Throws `Fault`, and changes
   * nothing, when an ignore file cannot be read.
   */
  applyConfig(config: Config, apiKey: string | null): void;
  close(): Promise<void>;
}

/** The daemon, and one pass of it: the engine on its parts, and the watcher beside it. */
export class WorkingMirror implements MirrorApp {
  readonly batches: BatchDesk;
  readonly #mirror: Mirror;
  readonly #queue: LaneQueue;
  readonly #opened: Opened;
  readonly #memory: RecordedApi;
  readonly #listener: AppListener;
  #config: Config;
  #apiKey: string | null;
  #tree: ReturnType<typeof createTree>;
  #rewatch = new AbortController();
  #started = false;

  /** `opened`: what goes with it when it is closed. `around`: what a test puts between the engine and its ports. */
  constructor(
    { config, apiKey, listener, verb }: MirrorOptions,
    { manifest, memory }: { readonly manifest: ManifestStore; readonly memory: RecordedApi },
    opened: Opened,
    around: (ports: OutwardPorts) => OutwardPorts,
  ) {
    this.#memory = memory;
    this.#config = config;
    this.#apiKey = apiKey;
    this.#listener = listener;
    this.#opened = opened;
    const api = opened.add(createClient(config, () => this.#apiKey));
    this.#queue = new LaneQueue({
      clock: systemClock,
      random: Math.random,
      ...limitsOf(config),
      recentAttemptsMs: manifest.recentAttempts(),
    });
    this.#tree = createTree(config);
    this.batches = openBatchDesk({
      config,
      manifest,
      api,
      queue: this.#queue,
      local: () => this.#tree.local,
      listener: (event) => {
        listener(event);
        if (event.kind === 'batch-ended' || event.kind === 'results-written') this.#mirror.filesReleased();
      },
      endLife: (path, id, over) => this.#mirror.endLife(path, id, over),
    });
    this.#mirror = new Mirror({
      clock: systemClock,
      local: this.#tree.local,
      ...around({ api, manifest }),
      queue: this.#queue,
      apiMemory: memory,
      settings: settingsOf(config),
      stay: verb === 'run' ? 'daemon' : 'pass',
      listener,
      uses: this.batches,
    });
  }

  get control(): MirrorControl {
    return this.#mirror;
  }

  status(): AppStatus {
    const status = this.#mirror.status();
    const halts = [...status.halts, ...this.batches.halts()];
    return { ...status, halts, batches: this.batches.totals() };
  }

  sinceTickMs(): number {
    return this.#mirror.sinceTickMs();
  }

  async converge(signal: AbortSignal): Promise<FlushResult> {
    this.#start();
    return await Promise.race([this.#pass(signal), this.#untilBroken()]);
  }

  async settleBatches(signal: AbortSignal): Promise<void> {
    this.#start();
    await Promise.race([this.batches.settled(signal), this.#untilBroken()]);
  }

  async waitForBatches(signal: AbortSignal): Promise<WaitOutcome> {
    this.#start();
    return await Promise.race([this.batches.wait(null, signal), this.#untilBroken()]);
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#start();
    // Ends with this run, however it ends: an engine that broke must not leave a watcher that keeps the program alive.
    const over = new AbortController();
    const watching = this.#watchUntil(AbortSignal.any([signal, over.signal]));
    try {
      await Promise.race([aborted(signal), watching, this.#untilBroken()]);
    } finally {
      over.abort();
      await this.#stop();
    }
    await watching;
  }

  applyConfig(config: Config, apiKey: string | null): void {
    // First what can be refused: all of it comes into force, or nothing.
    const tree = createTree(config);
    this.#config = config;
    this.#apiKey = apiKey;
    this.#memory.useKey(apiKey);
    this.#tree = tree;
    this.#queue.setLimits(limitsOf(config));
    this.#mirror.reconfigure(settingsOf(config), this.#tree.local);
    this.batches.reconfigure(config.batches);
    this.#rewatch.abort();
  }

  async close(): Promise<void> {
    await this.#stop();
    this.#queue.close();
    await this.#opened.close();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#mirror.start();
    this.batches.start();
  }

  async #pass(signal: AbortSignal): Promise<FlushResult> {
    const { problems, halts } = await this.#mirror.converge(signal);
    await this.batches.settled(signal);
    return { problems, halts: [...halts, ...this.batches.halts()] };
  }

  async #stop(): Promise<void> {
    await this.batches.stop();
    await this.#mirror.stop(STOP_GRACE_MS);
  }

  /** Watches, and starts over with the current configuration whenever that was replaced. */
  async #watchUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#rewatch = new AbortController();
      const { watch, folders, root } = this.#config;
      const { watchTree } = await import('../local/watch.ts');
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
    await Promise.race([this.#mirror.ended(), this.batches.ended()]);
    return await new Promise<never>(() => {});
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
