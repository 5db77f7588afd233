import type { Fault } from '../../../src/contract/faults.ts';
import type {
  Clock,
  FilesApi,
  ListRequest,
  LocalTree,
  Manifest,
  MirrorEvent,
} from '../../../src/contract/ports.ts';
import type { FileId, ManifestView, MirrorPath, RemoteFile } from '../../../src/contract/types.ts';
import { judgeRest } from './oracle.ts';
import { SafetyMonitor } from './safety.ts';
import { firstAccount, SimApiRecord, type Account, type Project } from './sim-account.ts';
import { SimApi } from './sim-api.ts';
import { SimClock } from './sim-clock.ts';
import { SimDisk } from './sim-disk.ts';
import { timeoutFault } from './sim-fates.ts';
import { watchDisk } from './sim-hints.ts';
import type { SimEngine, SimPorts } from './sim-life.ts';
import { SimLocal } from './sim-local.ts';
import { SimStateDir } from './sim-manifest.ts';
import { Incarnation } from './sim-process.ts';
import { calmProfile } from './sim-profile.ts';
import { plainHabits } from './sim-listing.ts';
import type { LifeKnobs, SimSettings } from './sim-profile.ts';
import { SimRandom } from './sim-random.ts';
import { SimServer } from './sim-server.ts';
import { SimTrace } from './sim-trace.ts';

export interface LongWorldOptions<E extends SimEngine> {
  readonly seed: number;
  readonly settings: SimSettings;
  readonly startEngine: (ports: SimPorts) => E;
  readonly serverLifetimeSeconds: number;
  /** Purposes whose files the server lets expire unasked. */
  readonly expiringPurposes: readonly string[];
  /** Server clock minus the local one. */
  readonly skewMs: number;
}

const settleMs = 600_000;
const stopMs = 60_000;

/**
 * A calm world for long times: nothing fails by chance, the test says what happens. Weeks pass in seconds, because
 * the engine's own sleeps may be stretched to the next full `grainMs`, as on a machine that is asleep most of the time.
 */
export class LongWorld<E extends SimEngine> {
  readonly clock = new SimClock({ wallStartMs: 1_760_000_000_000, maxSteps: 5_000_000 });
  readonly disk: SimDisk;
  readonly server: SimServer;
  readonly safety: SafetyMonitor;
  /** Ids that were looked up one by one. */
  readonly retrieved = new Set<FileId>();
  /** Ids that a DELETE was sent for. */
  readonly deleted = new Set<FileId>();
  /** What the DELETE of an id meets, whenever it comes. */
  readonly stubborn = new Map<FileId, Fault>();
  /** Files are stored, and neither replies nor lists nor lookups tell of them. */
  isOpaque = false;
  /** Ids that are shown all the same. */
  readonly shown = new Set<FileId>();
  /** The key that the program has, and its project. */
  account: Account = firstAccount;
  /** What is remembered of it. */
  readonly apiRecord = new SimApiRecord();
  /** Requests of any kind. */
  requests = 0;
  /** Monotonic times of the requests that only ask. */
  readonly questionsAtMs: number[] = [];
  /** What becomes of a request that only asks before it reaches the server: throws, or takes its time. */
  onQuestion: (kind: 'list' | 'retrieve') => Promise<void> = async () => {};
  /** One path for each time that a content was read without being sent. */
  readonly inspected: MirrorPath[] = [];
  /** What the reply to an upload is turned into. */
  replyOf: (file: RemoteFile) => RemoteFile | Promise<RemoteFile> = (file) => file;
  /** What every change of the manifest meets. */
  commitFault: Fault | null = null;
  /** How long it takes until a change is durable. */
  commitMs = 0;
  /** How long it takes to read a content that is not sent. */
  inspectMs = 0;
  /** All that the engine has told. */
  readonly events: MirrorEvent[] = [];
  readonly trace: SimTrace;
  readonly #options: LongWorldOptions<E>;
  readonly #random: SimRandom;
  readonly #stateDir: SimStateDir;
  #knobs: LifeKnobs;
  #grainMs = 0;
  #incarnation: Incarnation | null = null;
  #engine: E | null = null;
  #incarnations = 0;

  constructor(options: LongWorldOptions<E>) {
    const { clock } = this;
    const random = new SimRandom(options.seed);
    this.#options = options;
    this.#random = random;
    this.#knobs = knobsOf(options);
    this.trace = new SimTrace(clock, 500);
    this.disk = new SimDisk(clock, random.fork('disk'));
    this.server = new SimServer({
      clock,
      knobs: this.#knobs,
      random: random.fork('server'),
      trace: this.trace,
    });
    this.server.calmDown();
    this.#stateDir = new SimStateDir(random.fork('uuid').uuid(), clock, random.fork('state'), () => {});
    this.safety = new SafetyMonitor({
      clock,
      disk: this.disk,
      server: this.server,
      stateDir: this.#stateDir,
      settings: options.settings,
      profile: calmProfile,
      trace: this.trace,
    });
  }

  get engine(): E {
    if (this.#engine === null) throw new TypeError('the program does not run');
    return this.#engine;
  }

  get settings(): SimSettings {
    return this.#knobs.settings;
  }

  get manifest(): ManifestView {
    return this.#stateDir.survivor();
  }

  /** Other rules from now on; telling the engine is the test's business. */
  set settings(settings: SimSettings) {
    this.#knobs = { ...this.#knobs, settings };
  }

  start(): void {
    this.#incarnations += 1;
    const { clock, disk, server, safety, trace } = this;
    const random = this.#random.fork(`incarnation ${this.#incarnations}`);
    const incarnation = new Incarnation({
      number: this.#incarnations,
      clock,
      killAtCall: null,
      onKill: () => {},
    });
    const shared = { clock, disk, incarnation, knobs: this.#knobs };
    const project = (): Project => this.account.project;
    const api = new SimApi({ ...shared, server, project, random: random.fork('api'), safety, trace });
    safety.incarnationStarted();
    this.#incarnation = incarnation;
    this.#engine = this.#options.startEngine({
      clock: this.#drowsy(incarnation.clock),
      local: this.#counting(
        new SimLocal({ ...shared, random: random.fork('local'), isCalm: () => true, onCreate: () => {} }),
      ),
      api: this.#noting(api),
      manifest: this.#slowly(this.#stateDir.open(incarnation)),
      apiMemory: this.apiRecord.memoryFor(() => this.account.key),
      settings: this.settings,
      random: () => random.next(),
      subscribe: (listener) => watchDisk({ ...shared, random: random.fork('hints') }, listener),
      listener: (event) => {
        this.events.push(event);
        trace.add('engine', JSON.stringify(event));
      },
      recentAttemptsMs: this.#stateDir.recentAttemptsMs(),
      incarnation: this.#incarnations,
    });
  }

  async restart(): Promise<void> {
    let isStopped = false;
    void this.engine.stop().then(() => {
      isStopped = true;
    });
    if (!(await this.clock.runUntil(() => isStopped, this.clock.monotonicMs() + stopMs))) {
      throw new Error('the engine did not stop');
    }
    this.#incarnation?.kill('exit');
    this.start();
  }

  /** The program dies as it is, and is started again. */
  crash(): void {
    this.#incarnation?.kill('crash');
    this.start();
  }

  /** Time passes; the engine wakes at full multiples of `grainMs` only, or whenever it wants with 0. */
  async pass(ms: number, grainMs: number): Promise<void> {
    this.#grainMs = grainMs;
    await this.clock.runFor(ms);
    this.#grainMs = 0;
  }

  /** Everything that is wrong at rest. What is under way just now may end first. */
  async problems(): Promise<readonly string[]> {
    const deadlineMs = this.clock.monotonicMs() + settleMs;
    for (;;) {
      const found = judgeRest({
        disk: this.disk,
        server: this.server,
        manifest: this.manifest,
        knobs: this.#knobs,
      });
      if (found.length === 0 || this.clock.monotonicMs() >= deadlineMs)
        return [...found, ...this.safety.violations];
      await this.clock.runFor(10_000);
    }
  }

  #drowsy(clock: Clock): Clock {
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: (ms, signal) => {
        const grainMs = this.#grainMs;
        const nowMs = clock.monotonicMs();
        const atMs = grainMs === 0 ? nowMs + ms : Math.ceil((nowMs + ms) / grainMs) * grainMs;
        return clock.sleep(atMs - nowMs, signal);
      },
    };
  }

  #noting(api: FilesApi): FilesApi {
    return {
      upload: async (request, signal) => {
        this.requests += 1;
        const file = await api.upload(request, signal);
        if (this.isOpaque) throw timeoutFault('unknown');
        return await this.replyOf(file);
      },
      list: (request, signal) => {
        const { inTurn = (ask) => ask() } = request;
        const asked: ListRequest = {
          ...request,
          inTurn: (ask) =>
            inTurn(async () => {
              await this.#question('list');
              return await ask();
            }),
        };
        return this.#seen(api.list(asked, signal));
      },
      probe: (signal) => {
        this.requests += 1;
        return api.probe(signal);
      },
      serverNowMs: () => api.serverNowMs(),
      retrieve: async (id, signal) => {
        this.requests += 1;
        this.retrieved.add(id);
        await this.#question('retrieve');
        return this.#hides(id) ? null : await api.retrieve(id, signal);
      },
      delete: async (id, signal) => {
        this.requests += 1;
        this.deleted.add(id);
        const fault = this.stubborn.get(id);
        if (fault !== undefined) throw fault;
        return await api.delete(id, signal);
      },
    };
  }

  async #question(kind: 'list' | 'retrieve'): Promise<void> {
    this.questionsAtMs.push(this.clock.monotonicMs());
    await this.onQuestion(kind);
  }

  #hides(id: FileId): boolean {
    return this.isOpaque && !this.shown.has(id);
  }

  async *#seen(pages: AsyncIterable<readonly RemoteFile[]>): AsyncGenerator<readonly RemoteFile[]> {
    this.requests += 1;
    for await (const page of pages) yield page.filter(({ id }) => !this.#hides(id));
  }

  #slowly(manifest: Manifest): Manifest {
    const commit = manifest.commit.bind(manifest);
    manifest.commit = async (change) => {
      if (this.commitMs > 0) await this.clock.sleep(this.commitMs);
      if (this.commitFault !== null) throw this.commitFault;
      await commit(change);
    };
    return manifest;
  }

  #counting(local: SimLocal): LocalTree {
    const inspect = local.inspect.bind(local);
    local.inspect = async (path, ...rest) => {
      this.inspected.push(path);
      const found = await inspect(path, ...rest);
      if (this.inspectMs > 0) await this.clock.sleep(this.inspectMs);
      return found;
    };
    return local;
  }
}

function knobsOf<E extends SimEngine>(options: LongWorldOptions<E>): LifeKnobs {
  return {
    settings: options.settings,
    settleMs: 2_000,
    activeMs: 0,
    writeEveryMs: 0,
    serverFaults: 0,
    localFaults: 0,
    hintFaults: 0,
    skewMs: options.skewMs,
    createdSkewMs: 0,
    listLagMs: 0,
    omits: [],
    listing: plainHabits,
    rewrites: null,
    serverLifetimeSeconds: options.serverLifetimeSeconds,
    expiringPurposes: options.expiringPurposes,
    ignoresExpiry: false,
    timeoutMs: 60_000,
    seesWriters: true,
    contentRule: false,
    serverRefuses: false,
    profile: calmProfile,
  };
}
