import { fingerprintOf, judgeRest, needlessUploads } from './oracle.ts';
import type { OracleView } from './oracle.ts';
import { firstAccount, SimApiRecord, type Account, type Project } from './sim-account.ts';
import { SafetyMonitor } from './safety.ts';
import { SimApi } from './sim-api.ts';
import { SimClock } from './sim-clock.ts';
import { SimDisk } from './sim-disk.ts';
import { watchDisk } from './sim-hints.ts';
import type { LifeResult, SimEngine, SimPorts, StartEngine } from './sim-life.ts';
import { SimLocal } from './sim-local.ts';
import { SimStateDir } from './sim-manifest.ts';
import { Incarnation } from './sim-process.ts';
import { drawKnobs } from './sim-profile.ts';
import type { LifeKnobs, LifeProfile } from './sim-profile.ts';
import type { Change } from '../../../src/contract/types.ts';
import { SimRandom } from './sim-random.ts';
import { SimServer } from './sim-server.ts';
import { SimTrace } from './sim-trace.ts';
import { SimTroubles } from './sim-troubles.ts';
import { SimWriters } from './sim-writers.ts';

export type { LifeResult, SimEngine, SimPorts, StartEngine } from './sim-life.ts';

/** One running program and its world-side handles. */
interface Running {
  readonly incarnation: Incarnation;
  readonly local: SimLocal;
  readonly account: Account;
  engine: SimEngine | null;
  isStopping: boolean;
}

const traceLines = 3_000;
const stopMs = 180_000;
const exit = 'exit';

/** Plays one whole life. Deterministic: the same seed, engine and profile give the same result. */
export async function runLife(
  seed: number,
  startEngine: StartEngine,
  profile: LifeProfile,
): Promise<LifeResult> {
  const world = new SimWorld(seed, startEngine, profile);
  try {
    await world.live();
  } catch (error) {
    world.safety.add(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  }
  return world.result();
}

class SimWorld {
  readonly safety: SafetyMonitor;
  readonly #seed: number;
  readonly #random: SimRandom;
  readonly #knobs: LifeKnobs;
  readonly #clock: SimClock;
  readonly #trace: SimTrace;
  readonly #disk: SimDisk;
  readonly #server: SimServer;
  readonly #stateDir: SimStateDir;
  readonly #writers: SimWriters;
  readonly #troubles: SimTroubles;
  readonly #startEngine: StartEngine;
  readonly #apiRecord = new SimApiRecord();
  #running: Running | null = null;
  #incarnations = 0;
  /** The key that the next incarnation starts with. */
  #account: Account = firstAccount;
  #keys = 0;
  #crashesLeft: number;
  #isCalm = false;

  constructor(seed: number, startEngine: StartEngine, profile: LifeProfile) {
    const random = new SimRandom(seed);
    const knobs = drawKnobs(profile, random.fork('knobs'));
    const clock = new SimClock({
      wallStartMs: 1_760_000_000_000 + random.int(0, 999),
      maxSteps: profile.maxSteps,
    });
    const trace = new SimTrace(clock, traceLines);
    const disk = new SimDisk(clock, random.fork('disk'));
    const server = new SimServer({ clock, knobs, random: random.fork('server'), trace });
    const stateDir = new SimStateDir(random.fork('uuid').uuid(), clock, random.fork('state'), (change) => {
      this.#checkDropped(change);
      trace.add('manifest', JSON.stringify(change));
    });
    this.#seed = seed;
    this.#random = random;
    this.#knobs = knobs;
    this.#clock = clock;
    this.#trace = trace;
    this.#disk = disk;
    this.#server = server;
    this.#stateDir = stateDir;
    this.#startEngine = startEngine;
    this.#crashesLeft = random.int(0, profile.crashes);
    this.safety = new SafetyMonitor({
      clock,
      disk,
      server,
      stateDir,
      settings: knobs.settings,
      profile,
      trace,
    });
    this.#writers = new SimWriters({ clock, disk, knobs, random: random.fork('writers'), trace });
    this.#troubles = new SimTroubles({
      clock,
      disk,
      server,
      stateDir,
      knobs,
      random: random.fork('troubles'),
      trace,
      restart: () => this.#restart(),
      exchangeKey: (project) => this.#exchangeKey(project),
      restoreKey: () => this.#restoreKey(),
    });
  }

  /** Work and troubles, then peace; in peace the world must come right, stay right, and the program must stop. */
  async live(): Promise<void> {
    this.#writers.populate();
    this.#troubles.start();
    this.#boot();
    this.#writers.start();
    await this.#clock.runFor(this.#knobs.activeMs);
    this.#makePeace();
    const fingerprint = fingerprintOf(this.#disk);
    if (!(await this.#comesRight(this.#knobs.profile.convergeMs))) return;
    await this.#staysRight();
    await this.#stopForGood();
    if (fingerprintOf(this.#disk) !== fingerprint) this.safety.add('a local file was changed');
  }

  result(): LifeResult {
    return {
      seed: this.#seed,
      violations: this.safety.violations,
      trace: () => this.#trace.lines(),
      stats: {
        virtualMs: this.#clock.monotonicMs(),
        steps: this.#clock.steps,
        incarnations: this.#incarnations,
        uploads: this.safety.uploads,
        deletes: this.safety.deletes,
      },
    };
  }

  #makePeace(): void {
    this.#trace.add('world', 'peace');
    this.#isCalm = true;
    this.#troubles.end();
    this.#writers.rest();
    this.#running?.incarnation.spare();
  }

  async #comesRight(withinMs: number): Promise<boolean> {
    const deadlineMs = this.#clock.monotonicMs() + withinMs;
    let problems = this.#judge();
    for (let round = 1; problems.length > 0; round += 1) {
      if (this.#clock.monotonicMs() >= deadlineMs) {
        for (const problem of problems)
          this.safety.add(`not right after ${withinMs / 1000} s of peace: ${problem}`);
        return false;
      }
      await this.#clock.runFor(5_000);
      if (round % 12 === 0) this.#running?.engine?.approve();
      problems = this.#judge();
    }
    this.#trace.add('world', 'is right');
    return true;
  }

  async #staysRight(): Promise<void> {
    const before = this.safety.uploads;
    await this.#clock.runFor(this.#knobs.profile.holdMs);
    // A renewal may be under way just now.
    if (!(await this.#comesRight(120_000))) return;
    if (!this.#renews()) {
      const needless = needlessUploads(this.#view(), this.safety.uploadKeys.slice(before));
      for (const key of needless) this.safety.add(`an upload of (${key}) although nothing had changed`);
    }
    // A renewal may be under way just now; what it opened is closed again.
    const open = (): number => this.#running?.local.openVersions ?? 0;
    if (!(await this.#clock.runUntil(() => open() === 0, this.#clock.monotonicMs() + 120_000)))
      this.safety.add(`${open()} files were left open`);
  }

  #renews(): boolean {
    return this.#knobs.settings.folders.some(({ onExpiry }) => onExpiry === 'renew');
  }

  #judge(): string[] {
    return judgeRest(this.#view());
  }

  #view(): OracleView {
    const manifest = this.#stateDir.survivor();
    return { disk: this.#disk, server: this.#server, manifest, knobs: this.#knobs };
  }

  #boot(): void {
    const number = (this.#incarnations += 1);
    const random = this.#random.fork(`incarnation ${number}`);
    const dies = !this.#isCalm && this.#crashesLeft > 0;
    const incarnation = new Incarnation({
      number,
      clock: this.#clock,
      // Early ones often: starting up, and resolving what the last crash left, is where crashes hurt.
      killAtCall: dies ? random.int(1, random.pick([20, 200, 2_000])) : null,
      onKill: (point) => this.#died(point, random),
    });
    const shared = { clock: this.#clock, disk: this.#disk, incarnation, knobs: this.#knobs };
    const isCalm = (): boolean => this.#isCalm;
    const local = new SimLocal({
      ...shared,
      random: random.fork('local'),
      isCalm,
      onCreate: (what) => this.safety.created(what),
    });
    const account = this.#accountNow();
    const running: Running = { incarnation, local, account, engine: null, isStopping: false };
    this.#running = running;
    this.#trace.add('process', `incarnation ${number} starts with ${account.key} of ${account.project}`);
    this.safety.incarnationStarted();
    const engineRandom = random.fork('engine');
    const ports: SimPorts = {
      clock: incarnation.clock,
      local,
      api: new SimApi({
        ...shared,
        server: this.#server,
        project: () => account.project,
        random: random.fork('api'),
        safety: this.safety,
        trace: this.#trace,
      }),
      manifest: this.#stateDir.open(incarnation),
      apiMemory: this.#apiRecord.memoryFor(
        () => account.key,
        () => this.#checkConfirmed(account),
      ),
      settings: this.#knobs.settings,
      random: () => engineRandom.next(),
      subscribe: (listener) => watchDisk({ ...shared, random: random.fork('hints') }, listener),
      listener: (event) => {
        if (!incarnation.dead) this.#trace.add(`engine ${number}`, JSON.stringify(event));
      },
      recentAttemptsMs: this.#stateDir.recentAttemptsMs(),
      incarnation: number,
    };
    void this.#start(running, ports);
  }

  async #start(running: Running, ports: SimPorts): Promise<void> {
    try {
      running.engine = await this.#startEngine(ports);
    } catch (error) {
      if (!running.incarnation.dead) this.safety.add(`the engine failed to start: ${String(error)}`);
    }
  }

  #died(point: string, random: SimRandom): void {
    this.#trace.add('process', 'dies at', point);
    this.#running = null;
    if (point !== exit) this.#crashesLeft -= 1;
    this.#clock.schedule(random.int(300, 20_000), () => this.#boot());
  }

  #exchangeKey(project: Project): void {
    this.#keys += 1;
    this.#account = { key: `key ${this.#keys}`, project };
    this.#trace.add('world', 'the key is exchanged:', this.#account.key, 'of', project);
    this.#restart();
  }

  #restoreKey(): void {
    this.#account = { key: this.#apiRecord.idsKey ?? this.#account.key, project: 'home' };
    // One that is not up yet has read the key already.
    const isOther = this.#running !== null && this.#running.account.key !== this.#account.key;
    if (isOther) this.#restart();
  }

  /** A key of another project can only be told from one of this by a file that is there, and stays. */
  #accountNow(): Account {
    if (this.#account.project === 'home') return this.#account;
    const isTellable = [...this.#stateDir.survivor().files.values()].some(({ id }) => {
      const file = this.#server.get(id);
      return file !== null && file.expiresAt === null && this.#server.isLive(file);
    });
    return isTellable ? this.#account : { key: `${this.#account.key}, another`, project: 'home' };
  }

  /** No id may be lost because another project does not know it. */
  #checkDropped({ files = {}, garbage = {} }: Change): void {
    if (this.#running?.account.project !== 'other') return;
    const before = this.#stateDir.survivor();
    const dropped = Object.keys(files).flatMap((path) => before.files.get(path)?.id ?? []);
    for (const [id, value] of Object.entries(garbage)) if (value === null) dropped.push(id);
    const kept = new Set(Object.values(files).flatMap((entry) => entry?.id ?? []));
    for (const id of dropped) {
      if ((garbage[id] ?? null) === null && !kept.has(id))
        this.safety.add(`${id} was dropped with a key of another project`);
    }
  }

  #checkConfirmed({ project }: Account): void {
    if (project === 'other') this.safety.add('the ids were taken for those of another project');
  }

  /** An orderly stop, after which the process exits and is started again. */
  #restart(): void {
    const running = this.#running;
    if (running === null || running.isStopping) return;
    this.#trace.add('process', 'is asked to stop');
    this.#stop(running, () => running.incarnation.kill(exit));
    this.#clock.schedule(
      stopMs,
      () => {
        this.safety.add(`stop() took more than ${stopMs / 1000} s`);
        running.incarnation.kill(exit);
      },
      running.incarnation,
    );
  }

  async #stopForGood(): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    let isStopped = false;
    this.#stop(running, () => {
      isStopped = true;
      running.incarnation.markStopped();
    });
    if (!(await this.#clock.runUntil(() => isStopped, this.#clock.monotonicMs() + stopMs))) {
      this.safety.add(`stop() took more than ${stopMs / 1000} s`);
      return;
    }
    // A stop may interrupt a renewal; and later, nobody renews.
    const problems = this.#renews() ? [] : this.#judge();
    for (const problem of problems) this.safety.add(`after stop(): ${problem}`);
    await this.#clock.runFor(600_000);
    const { count, last } = running.incarnation.callsAfterStop;
    if (count > 0) this.safety.add(`${count} port calls after stop(), the last: ${last}`);
  }

  #stop(running: Running, onStopped: () => void): void {
    const { engine, incarnation } = running;
    // SIGTERM before it is up: the default action ends the process.
    if (engine === null) {
      incarnation.kill(exit);
      return;
    }
    running.isStopping = true;
    engine.stop().then(onStopped, (error: unknown) => {
      if (!incarnation.dead) this.safety.add(`stop() failed: ${String(error)}`);
    });
  }
}
