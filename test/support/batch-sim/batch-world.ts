import type { BatchEvent } from '../../../src/contract/batch-report.ts';
import type { BatchSettings } from '../../../src/contract/batch-settings.ts';
import { BatchDesk } from '../../../src/batches/batch-desk.ts';
import { SimClock, SimOverrun } from '../sim/sim-clock.ts';
import { Incarnation } from '../sim/sim-process.ts';
import { SimRandom } from '../sim/sim-random.ts';
import { SimTrace } from '../sim/sim-trace.ts';
import { BatchOracle } from './batch-oracle.ts';
import { BatchState, SimBatchesApi, SimBook, simRemover } from './batch-ports.ts';
import type { SimNet, Trouble } from './batch-ports.ts';
import { chaosProfile } from './batch-profile.ts';
import type { BatchProfile } from './batch-profile.ts';
import { BatchServer, SERVER_EPOCH_MS } from './batch-server.ts';
import { SimMirror } from './sim-mirror.ts';
import { ResultsState, SimResults } from './sim-results.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const REST_WITHIN_MS = 12 * 24 * HOUR_MS;

export interface BatchLife {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly trace: () => string[];
  readonly stats: { readonly incarnations: number; readonly batches: number; readonly virtualMs: number };
}

/** One life: files come, change and go, a person meddles, the program dies, the server and the network do as they like. */
export class BatchWorld {
  readonly clock: SimClock;
  readonly profile: BatchProfile;
  readonly oracle: BatchOracle;
  readonly server: BatchServer;
  readonly state = new BatchState();
  readonly results = new ResultsState();
  readonly net: SimNet = { trouble: null, isCalm: false };
  readonly trace: SimTrace;
  readonly warnings: string[] = [];
  readonly #random: SimRandom;
  readonly #mirror: SimMirror;
  #settings: BatchSettings;
  #incarnation: Incarnation | null = null;
  #desk: BatchDesk | null = null;
  #incarnations = 0;
  #isCalm = false;

  constructor(seed: number, makeProfile: (random: SimRandom) => BatchProfile = chaosProfile) {
    const random = new SimRandom(seed);
    this.#random = random.fork('world');
    this.profile = makeProfile(random.fork('profile'));
    this.#settings = this.profile.settings;
    this.clock = new SimClock({
      wallStartMs: SERVER_EPOCH_MS + random.int(-5_000, 5_000),
      maxSteps: 400_000,
    });
    this.trace = new SimTrace(this.clock, 3_000);
    this.oracle = new BatchOracle(this.clock, this.state, this.results, () => this.#settings);
    this.server = new BatchServer(this.clock, random.fork('server'), this.profile, (batch) => {
      this.trace.add('server', 'stored', batch.id, batch.version, batch.request.inputFileId);
      this.oracle.stored(batch);
    });
    this.oracle.server = this.server;
    this.#mirror = new SimMirror(this.#random, this.server, this.clock, this.oracle, {
      isAlive: () => this.#desk !== null,
      tell: (told) => {
        const desk = this.#desk;
        for (const { path, before, after, why } of told) {
          this.trace.add('mirror', why, path, before?.id ?? '-', after?.id ?? '-', after?.sha256 ?? '');
        }
        void this.#incarnation?.call('mirror.tell', async () => desk?.recorded(told));
      },
    });
    this.oracle.isBad = this.profile.listLagMs > this.profile.settings.lookSeconds * 1_000;
  }

  // ── the program ──

  start(): void {
    this.#incarnations += 1;
    const random = this.#random.fork(`incarnation ${this.#incarnations}`);
    const crashes = !this.#isCalm && this.#incarnations <= this.profile.crashes;
    const incarnation = new Incarnation({
      number: this.#incarnations,
      clock: this.clock,
      killAtCall: crashes ? random.int(1, random.pick([10, 60, 400])) : null,
      onKill: (point) => {
        this.trace.add('KILLED', point);
        this.#desk = null;
        this.clock.schedule(random.int(1_000, 600_000), () => this.start());
      },
    });
    this.#incarnation = incarnation;
    const desk = this.#makeDesk(incarnation, random);
    this.#desk = desk;
    this.trace.add('START', this.#incarnations);
    // The program may die in its first act.
    desk.start();
    desk.ended().catch((error: unknown) => {
      this.oracle.violations.push(`the desk broke: ${error instanceof Error ? error.stack : String(error)}`);
    });
  }

  #makeDesk(incarnation: Incarnation, random: SimRandom): BatchDesk {
    const { server, oracle, net, profile, state, results } = this;
    const parts = { server, incarnation, random, profile, net, oracle };
    return new BatchDesk({
      api: new SimBatchesApi(parts),
      book: new SimBook(state, incarnation),
      clock: incarnation.clock,
      results: new SimResults({
        state: results,
        disk: state,
        server,
        incarnation,
        random,
        net,
        linesOf: (sha256) => this.#mirror.linesOf(sha256),
        addRetry: (origin, record, generation, lines) =>
          this.#mirror.addRetry(origin, record, generation, lines),
      }),
      listener: (event) => this.#heard(event),
      mirrorId: 'mirror',
      mirrored: { files: this.#mirror.files },
      newId: () => `s${this.#mirror.next++}`,
      readRequests: (path, sha256) => incarnation.call('read', async () => this.#mirror.read(path, sha256)),
      remover: simRemover(server, oracle, incarnation, random, net, (id) => this.#mirror.garbage.delete(id)),
      settings: this.#settings,
      held: () => (oracle.isPaused ? 'paused' : null),
    });
  }

  #heard(event: BatchEvent): void {
    this.trace.add('event', JSON.stringify(event));
    if (event.kind === 'warning') this.warnings.push(event.message);
  }

  // ── a person ──

  async meddle(): Promise<void> {
    const desk = this.#desk;
    const incarnation = this.#incarnation;
    if (desk === null || incarnation === null || this.#mirror.files.size === 0) return;
    const path = this.#random.pick([...this.#mirror.files.keys()]);
    const act = this.#random.weighted({
      submit: 3,
      again: 1,
      cancel: 2,
      retry: 3,
      approve: 2,
      resolve: 1,
      pause: 1,
    });
    this.trace.add('person', act, path);
    if (act === 'pause') {
      this.oracle.isPaused = true;
      this.clock.schedule(this.#random.int(MINUTE_MS, HOUR_MS), () => (this.oracle.isPaused = false));
    } else if (act === 'approve') await desk.approveSubmits();
    else if (act === 'cancel') await desk.cancel([path]);
    else if (act === 'resolve') await desk.resolve(path, null);
    else await this.#begin(desk, path, act);
  }

  async #begin(desk: BatchDesk, path: string, act: 'submit' | 'again' | 'retry'): Promise<void> {
    const version = this.#mirror.versionOf(path);
    // The permit comes first: the POST may be out before the verb has returned.
    const shown = desk.show(path);
    const permit = shown === null ? version : `${shown.submission}#${shown.generation}`;
    if (act !== 'submit') for (const each of new Set([version, permit])) this.oracle.permit(each);
    if (act === 'retry') await desk.retry([path]);
    else await desk.submit([path], { again: act === 'again' });
  }

  /** Submitting is switched off, and on again: what came meanwhile stays unsubmitted. */
  toggle(): void {
    const isOn = this.#settings.submitFolders.size > 0;
    this.#settings = { ...this.#settings, submitFolders: new Set(isOn ? [] : ['batch']) };
    this.trace.add('person', 'switches', !isOn);
    this.#desk?.reconfigure(this.#settings);
  }

  // ── a life ──

  #plan(): void {
    const { profile, clock } = this;
    const at = (act: () => void): void => {
      clock.schedule(this.#random.int(0, profile.lastsMs), act);
    };
    const times = (count: number, act: () => void): void => {
      for (let index = 0; index < count; index += 1) at(act);
    };
    if (this.#random.chance(0.3))
      for (let index = 0; index < profile.drops; index += 1) clock.schedule(5_000, () => this.#mirror.drop());
    else times(profile.drops, () => this.#mirror.drop());
    times(profile.drops, () => this.#mirror.stir());
    const hours = Math.ceil(profile.lastsMs / HOUR_MS);
    times(profile.personPerHour * hours, () => void this.meddle().catch(() => {}));
    times(profile.othersPerHour * hours, () => this.#others());
    times(profile.jumps, () => {
      this.oracle.isSteady = false;
      clock.jumpWall(this.#random.int(-48, 48) * HOUR_MS);
      this.trace.add('JUMP');
    });
    times(this.#random.chance(0.3) ? 2 : 0, () => this.#trouble());
    times(profile.fullDisks, () => {
      this.state.isFull = true;
      clock.schedule(this.#random.int(1_000, HOUR_MS / 2), () => (this.state.isFull = false));
    });
    if (profile.switches) times(2, () => this.toggle());
  }

  #trouble(): void {
    const trouble: Trouble = this.#random.pick(['batches-auth', 'batches-quota', 'no-batches', 'rate-limit']);
    this.net.trouble = trouble;
    this.trace.add('TROUBLE', trouble);
    this.clock.schedule(this.#random.int(MINUTE_MS, 2 * HOUR_MS), () => (this.net.trouble = null));
  }

  /** Other people of the project; some take a file of ours. */
  #others(): void {
    const ours = [...this.#mirror.files.values()];
    const usesOurs = ours.length > 0 && !this.profile.dropsMetadata && this.#random.chance(0.3);
    const inputFileId = usesOurs
      ? this.#random.pick(ours).id
      : this.server.addInput({ version: 'others', lines: [1], model: 'm9', isInvalid: false });
    this.server.create(
      {
        inputFileId,
        endpoint: '/v1/chat/completions',
        completionWindow: '24h',
        // On a server that shows none nobody could tell it from ours.
        metadata: usesOurs ? { script: 'theirs' } : {},
        outputExpiresAfterSeconds: null,
        submission: 'theirs',
      },
      false,
    );
  }

  async live(): Promise<BatchLife> {
    const { clock, oracle, profile } = this;
    try {
      this.#plan();
      this.start();
      const endMs = profile.lastsMs;
      while (clock.monotonicMs() < endMs && oracle.violations.length === 0) {
        await clock.runUntil(
          () => oracle.violations.length > 0,
          Math.min(endMs, clock.monotonicMs() + 5 * MINUTE_MS),
        );
        this.#mirror.collectGarbage(this.#desk);
      }
      await this.#calm();
      await this.#rest();
      if (oracle.violations.length === 0) oracle.final(this.warnings);
    } catch (error) {
      if (!(error instanceof SimOverrun)) throw error;
      oracle.violations.push(error.message);
    }
    const stats = {
      incarnations: this.#incarnations,
      batches: this.server.batches.filter(({ isOurs }) => isOurs).length,
      virtualMs: clock.monotonicMs(),
    };
    await this.#stop();
    return { seed: 0, violations: oracle.violations, trace: () => this.trace.lines(), stats };
  }

  /** It ends when it is told to, and touches nothing after that. */
  async #stop(): Promise<void> {
    const { clock, oracle } = this;
    let isStopped = false;
    void this.#desk?.stop().then(() => {
      isStopped = true;
      this.#desk = null;
      this.#incarnation?.markStopped();
    });
    const isDone = await clock.runUntil(() => isStopped, clock.monotonicMs() + 2 * MINUTE_MS);
    if (this.#desk !== null || !isDone) oracle.violations.push('it does not stop');
    await clock.runFor(10 * MINUTE_MS);
    const after = this.#incarnation?.callsAfterStop;
    if (after !== undefined && after.count > 0)
      oracle.violations.push(`after its stop it called ${after.last}`);
    this.#incarnation?.kill('the end');
  }

  async #calm(): Promise<void> {
    this.#isCalm = true;
    this.net.isCalm = true;
    this.net.trouble = null;
    this.oracle.isPaused = false;
    this.state.isFull = false;
    this.server.calm();
    this.#incarnation?.spare();
    if (this.#settings.submitFolders.size === 0) this.toggle();
    this.trace.add('CALM');
    await this.clock.runUntil(() => this.#desk !== null, this.clock.monotonicMs() + HOUR_MS);
  }

  /** Until nothing is left to be done; what waits for a person gets their word. */
  async #rest(): Promise<void> {
    const { clock, oracle } = this;
    const untilMs = clock.monotonicMs() + REST_WITHIN_MS;
    const isResting = (): boolean => oracle.violations.length > 0 || this.unrest().length === 0;
    while (!isResting() && clock.monotonicMs() < untilMs) {
      await clock.runUntil(() => oracle.violations.length > 0, clock.monotonicMs() + 10 * MINUTE_MS);
      this.#mirror.collectGarbage(this.#desk);
      await this.#say();
    }
    if (oracle.violations.length === 0 && !isResting()) {
      oracle.violations.push(`no rest: ${this.unrest().join('; ')}`);
    }
  }

  async #say(): Promise<void> {
    const desk = this.#desk;
    if (desk === null) return;
    const settle = <T>(act: Promise<T>): void => void act.catch(() => {});
    settle(desk.approveSubmits());
    const seen = desk.list();
    for (const view of seen) {
      if (view.state === 'submitting' && view.hold?.text.includes('resolve') === true)
        settle(this.#resolve(desk, view.path, view.submission));
    }
  }

  /** A person looks at the server's page of batches. */
  async #resolve(desk: BatchDesk, path: string, submission: string): Promise<void> {
    const found = this.server.batches.find(
      (batch) =>
        batch.isOurs && batch.request.metadata['files_mirror_submission'] === submission && !batch.isDeleted,
    );
    this.trace.add('person', 'resolves', path, found?.id ?? 'none');
    if (found === undefined) this.oracle.permit(path);
    await desk.resolve(path, found === undefined ? 'none' : { batch: found.id });
  }

  /** What is not at rest. Budgets that no day lifts are rest. */
  unrest(): string[] {
    const desk = this.#desk;
    if (desk === null) return ['the program is dead'];
    const over = new Set(['done', 'partial', 'failed', 'unavailable']);
    const left = desk.list().filter(({ state, hold }) => {
      if (over.has(state)) return false;
      const isStuck = hold?.why === 'off' || (hold?.why === 'budget' && hold.until === null);
      return !(state === 'wanted' && isStuck);
    });
    const unwritten = [...this.state.records].filter(
      ([, { state, batch, results, twins, twinsUntil }]) =>
        (over.has(state) && batch !== null && results === null) ||
        twinsUntil !== null ||
        twins.some(({ ended }) => !ended),
    );
    const unknown = [...this.#mirror.files].filter(
      ([path]) => path.startsWith('batch/') && desk.show(path) === null,
    );
    return [
      ...left.map(({ path, state, hold }) => `${path} is ${state} (${hold?.why ?? ''} ${hold?.text ?? ''})`),
      ...unwritten.map(([id, { state }]) => `${id} is ${state}, not at rest`),
      ...unknown.map(([path]) => `${path} is not known`),
    ];
  }
}

export async function runBatchLife(
  seed: number,
  makeProfile?: (random: SimRandom) => BatchProfile,
): Promise<BatchLife> {
  return { ...(await new BatchWorld(seed, makeProfile).live()), seed };
}
