import type { Lane, UploadRequest } from '../../../src/contract/ports.ts';
import type { FileId, MirrorPath } from '../../../src/contract/types.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimDisk } from './sim-disk.ts';
import type { SimStateDir } from './sim-manifest.ts';
import type { Incarnation } from './sim-process.ts';
import type { LifeProfile, SimSettings } from './sim-profile.ts';
import { uploadKeyOf } from './sim-rules.ts';
import type { SimServer } from './sim-server.ts';
import type { SimTrace } from './sim-trace.ts';

export interface SafetyTools {
  readonly clock: SimClock;
  readonly disk: SimDisk;
  readonly server: SimServer;
  readonly stateDir: SimStateDir;
  readonly settings: SimSettings;
  readonly profile: LifeProfile;
  readonly trace: SimTrace;
}

interface Attempt {
  readonly key: string;
  readonly incarnation: Incarnation;
}

interface Pause {
  readonly lane: Lane;
  readonly incarnation: Incarnation;
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * How long a decision may be older than the truth: a look, a re-check and the way into the queue take time, and no
 * program can make them one with the request.
 */
const toleranceMs = 2_000;
const windowMs = 60_000;

/**
 * Watches every request as it is made, for what must never happen at all (promises 2 to 5): the oracle at rest could
 * no longer see it.
 */
export class SafetyMonitor {
  readonly violations: string[] = [];
  /** One `uploadKeyOf` for each upload attempt so far. */
  readonly uploadKeys: string[] = [];
  readonly #tools: SafetyTools;
  readonly #inFlight = new Set<Attempt>();
  readonly #pauses: Pause[] = [];
  readonly #replied = new Set<FileId>();
  #arrivals: { readonly atMs: number; readonly wallOffsetMs: number }[] = [];
  #deletes = 0;
  #probes = 0;
  #probesOfEpisodeMs = -1;
  #incarnationsOfEpisode = new Set<Incarnation>();

  constructor(tools: SafetyTools) {
    this.#tools = tools;
  }

  /** Upload attempts so far. */
  get uploads(): number {
    return this.uploadKeys.length;
  }

  get deletes(): number {
    return this.#deletes;
  }

  add(violation: string): void {
    const line = `at ${(this.#tools.clock.monotonicMs() / 1000).toFixed(3)} s: ${violation}`;
    this.#tools.trace.add('VIOLATION', violation);
    if (this.violations.length < 50) this.violations.push(line);
  }

  /**
   * A new incarnation knows earlier uploads by the wall clock alone: those from before somebody set it cannot be
   * held against it, unless the profile demands even that.
   */
  incarnationStarted(): void {
    if (this.#tools.profile.windowSurvivesJumps) return;
    const offsetMs = this.#wallOffsetMs();
    this.#arrivals = this.#arrivals.filter(({ wallOffsetMs }) => wallOffsetMs === offsetMs);
  }

  uploadStarted(request: UploadRequest, incarnation: Incarnation): Attempt {
    const { stateDir, trace } = this.#tools;
    const { purpose, remoteName, sizeBytes } = request;
    trace.add('api', 'upload', purpose, remoteName, sizeBytes);
    const attempt = { key: uploadKeyOf(purpose, remoteName, sizeBytes), incarnation };
    this.uploadKeys.push(attempt.key);
    if ([...this.#inFlight].some((other) => other.key === attempt.key && other.incarnation === incarnation)) {
      this.add(`two uploads of (${attempt.key}) are in flight together: the lost one could not be told`);
    }
    const isAnnounced = [...stateDir.survivor().intents.values()].some(
      (intent) =>
        intent.purpose === purpose && intent.remoteName === remoteName && intent.bytes === sizeBytes,
    );
    if (!isAnnounced) this.add(`an upload of (${attempt.key}) without a durable intent`);
    this.#checkPause('upload', incarnation);
    this.#inFlight.add(attempt);
    return attempt;
  }

  uploadEnded(attempt: Attempt): void {
    this.#inFlight.delete(attempt);
  }

  /** The server sees an upload: it counts, whatever comes of it. */
  readonly uploadArrived = (): void => {
    const nowMs = this.#tools.clock.monotonicMs();
    const limit = this.#tools.settings.uploadsPerMinute;
    this.#arrivals = this.#arrivals.filter(({ atMs }) => atMs > nowMs - windowMs);
    this.#arrivals.push({ atMs: nowMs, wallOffsetMs: this.#wallOffsetMs() });
    if (this.#arrivals.length > limit) {
      this.add(`${this.#arrivals.length} uploads arrived within 60 s, ${limit} are allowed`);
    }
  };

  /** A 429 with this `Retry-After` was answered: nothing may be sent in this lane before it is over. */
  paused(lane: Lane, incarnation: Incarnation, retryAfterMs: number): void {
    const nowMs = this.#tools.clock.monotonicMs();
    this.#pauses.push({ lane, incarnation, fromMs: nowMs + toleranceMs, untilMs: nowMs + retryAfterMs });
    if (this.#pauses.length > 32) this.#pauses.shift();
  }

  /** With a wrong key: one probe a minute, not more (twice that is tolerated here), and what was in flight. */
  requestStarted(incarnation: Incarnation): void {
    const { clock, server } = this.#tools;
    const forMs = clock.monotonicMs() - server.episodeSinceMs;
    if (server.episode !== 'auth' || forMs < 10_000) return;
    if (this.#probesOfEpisodeMs !== server.episodeSinceMs) {
      this.#probesOfEpisodeMs = server.episodeSinceMs;
      this.#probes = 0;
      this.#incarnationsOfEpisode = new Set();
    }
    this.#probes += 1;
    this.#incarnationsOfEpisode.add(incarnation);
    const allowed = 2 * (Math.floor(forMs / 60_000) + 1) + 12 * this.#incarnationsOfEpisode.size;
    if (this.#probes > allowed)
      this.add(`${this.#probes} requests in ${forMs} ms with a key that is not accepted`);
  }

  /** An upload was answered with this id: that it is asked about is a part of the upload. */
  replied(id: FileId): void {
    this.#replied.add(id);
  }

  /** Whether a question is one of those that wait for their turn. `id` null: a page of a listing. */
  isInLane(id: FileId | null): boolean {
    return id === null || !this.#replied.has(id);
  }

  questionStarted(id: FileId | null, incarnation: Incarnation): void {
    if (this.isInLane(id)) this.#checkPause('ask', incarnation);
  }

  /** Whether the manifest knows this id, as an entry's or as garbage. */
  isRecorded(id: FileId): boolean {
    const { files, garbage } = this.#tools.stateDir.survivor();
    return garbage.has(id) || [...files.values()].some((entry) => entry.id === id);
  }

  deleteStarted(id: FileId, incarnation: Incarnation): void {
    const { clock, disk, server, stateDir, trace } = this.#tools;
    this.#deletes += 1;
    this.#checkPause('delete', incarnation);
    trace.add('api', 'delete', id, `incarnation=${incarnation.number}`);
    const known = stateDir.survivor();
    if (server.get(id)?.madeBy === 'foreign') this.add(`DELETE of ${id}, which is not ours`);
    const path = [...known.files].find(([, entry]) => entry.id === id)?.[0];
    if (path === undefined && !known.garbage.has(id))
      this.add(`DELETE of ${id}, which the manifest does not record`);
    if (disk.root !== 'mounted' && clock.monotonicMs() - disk.rootSinceMs > toleranceMs) {
      this.add(`DELETE of ${id} while the root is ${disk.root}`);
    }
    if (path !== undefined) this.#checkGone(path, id);
  }

  /** The mirror made something in the root that is visible. */
  created(what: string): void {
    const { clock, disk, stateDir } = this.#tools;
    const awayMs = clock.monotonicMs() - disk.rootSinceMs;
    if (disk.root === 'mounted' || awayMs <= toleranceMs || stateDir.survivor().files.size === 0) return;
    this.add(`created ${what} in a root that is ${disk.root}`);
  }

  #checkPause(lane: Lane, incarnation: Incarnation): void {
    const nowMs = this.#tools.clock.monotonicMs();
    const pause = this.#pauses.find(
      (each) =>
        each.lane === lane && each.incarnation === incarnation && nowMs > each.fromMs && nowMs < each.untilMs,
    );
    if (pause !== undefined) this.add(`${lane} ${pause.untilMs - nowMs} ms before the end of Retry-After`);
  }

  #wallOffsetMs(): number {
    return this.#tools.clock.wallMs() - this.#tools.clock.monotonicMs();
  }

  /** The current entry of a file that is there must not be deleted: its successor is not recorded. */
  #checkGone(path: MirrorPath, id: FileId): void {
    const { clock, disk } = this.#tools;
    if (disk.root !== 'mounted') return;
    const found = disk.resolve(disk.home, path);
    if (found.kind !== 'found' || found.node.kind !== 'file') return;
    const presentMs = clock.monotonicMs() - found.sinceMs;
    if (presentMs > toleranceMs)
      this.add(`DELETE of ${id}, although its file ${path} is there for ${presentMs} ms`);
  }
}
