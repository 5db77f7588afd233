import { ApiHalts } from './acts/api-halts.ts';
import { Collector } from './acts/collector.ts';
import type { Core } from './acts/core.ts';
import { nowSeconds } from './acts/core.ts';
import { Deleter } from './acts/deleter.ts';
import { Failures } from './memory/failures.ts';
import { survivable } from '../contract/faults.ts';
import { isSurelyOurs, orphansReleased } from './judge/fold.ts';
import type { Stay } from './judge/halt-advice.ts';
import { HaltBoard } from './memory/halts.ts';
import { IdentityIndex } from './memory/identity-index.ts';
import { LaneGovernor } from './acts/lane-governor.ts';
import { Ledger } from './memory/ledger.ts';
import { LetGo } from './judge/let-go.ts';
import { countInFolder, folderOf } from '../contract/mirror-path.ts';
import { PathNotes } from './memory/path-notes.ts';
import type {
  ApiMemory,
  Clock,
  FilesApi,
  Hint,
  Lane,
  Listener,
  LocalTree,
  Manifest,
  SendQueue,
} from '../contract/ports.ts';
import { Quiet } from './loop/quiet.ts';
import type {
  FlushResult,
  MirrorControl,
  MirrorStatus,
  PathReport,
  Phase,
  VerifyReport,
} from '../contract/report.ts';
import { Resolver } from './acts/resolver.ts';
import { forgetRejections } from './judge/retry.ts';
import { RootGuard } from './acts/root-guard.ts';
import { ScanSchedule } from './loop/scan-schedule.ts';
import { Scanner } from './acts/scanner.ts';
import { ScopeGuard } from './acts/scope-guard.ts';
import { SendingRoom } from './waiting/sending-room.ts';
import type { MirrorSettings } from '../contract/settings.ts';
import { statusOf } from './loop/status.ts';
import { Storage } from './acts/storage.ts';
import type { FileId, MirrorPath } from '../contract/types.ts';
import { Trial } from './acts/trial.ts';
import { Uploader } from './acts/uploader.ts';
import { Verifier } from './acts/verifier.ts';
import { VerifySchedule } from './loop/verify-schedule.ts';
import { Wakeup } from './waiting/wakeup.ts';
import { WorkerPool } from './loop/worker-pool.ts';
import { Worker } from './acts/worker.ts';
import { Worklist } from './waiting/worklist.ts';

const ROOT_CHECK_MS = 5_000;
const STATE_PROBE_MS = 5_000;
const EXPIRY_CHECK_MS = 30_000;
/** The longest sleep of the timer loop: what has no timer of its own is seen at least this often. */
const TICK_MS = 1_000;

export interface MirrorParts {
  readonly clock: Clock;
  readonly local: LocalTree;
  readonly api: FilesApi;
  readonly manifest: Manifest;
  readonly queue: SendQueue;
  readonly apiMemory: ApiMemory;
  readonly settings: MirrorSettings;
  /** Whether it goes on when a halt ends: what is advised depends on it. */
  readonly stay: Stay;
  readonly listener: Listener;
}

/**
 * The engine: paths that want a look go through the worklist to workers; a timer loop does what is due (scans,
 * deletes, probes). It knows the world only through its ports.
 */
export class Mirror implements MirrorControl {
  readonly #core: Core;
  readonly #worker: Worker;
  readonly #deleter: Deleter;
  readonly #apiHalts: ApiHalts;
  readonly #apiMemory: ApiMemory;
  readonly #scope: ScopeGuard;
  readonly #governors: Readonly<Record<Lane, LaneGovernor>>;
  readonly #collector: Collector;
  readonly #failures = new Failures();
  readonly #root: RootGuard;
  readonly #scanner: Scanner;
  readonly #trial: Trial;
  readonly #scans: ScanSchedule;
  readonly #quiet: Quiet;
  readonly #verifications: VerifySchedule;
  readonly #pool: WorkerPool;
  readonly #wakeup: Wakeup;
  readonly #abort = new AbortController();
  readonly #stopTaking = new AbortController();
  #phase: Phase = 'starting';
  #watching = 'off';
  #tickedAtMs = 0;
  #nextRootMs = 0;
  #nextStateProbeMs = 0;
  #nextExpiryMs = 0;
  #loop: Promise<void> | null = null;
  #fatal: unknown = null;
  #foldersReady = false;

  constructor(parts: MirrorParts) {
    const { clock, local, api, manifest, queue, listener } = parts;
    const index = new IdentityIndex(manifest);
    const halts = new HaltBoard(queue, listener, parts.stay);
    const settings = parts.settings;
    const worklist = new Worklist(
      (path) => this.#core.settings.folders.get(folderOf(path))?.priority ?? 0,
      () => clock.monotonicMs(),
    );
    this.#core = {
      clock,
      local,
      api,
      queue,
      view: manifest,
      ledger: new Ledger(
        manifest,
        index,
        halts,
        clock,
        (id) => this.#collector.add(id),
        (path) => this.#deleter.noteAdded(path),
        (fault) => this.#broke(fault),
      ),
      index,
      notes: new PathNotes(manifest, (folder) => this.#core.settings.folders.get(folder)?.purpose ?? null),
      halts,
      listener,
      worklist,
      sendingRoom: new SendingRoom(),
      broke: (error) => this.#broke(error),
      settings,
    };
    const core = this.#core;
    this.#wakeup = new Wakeup(clock);
    const mark = (path: MirrorPath): void => this.mark(path);
    this.#apiHalts = new ApiHalts(core);
    const trial = new Trial(core, this.#abort.signal);
    this.#trial = trial;
    this.#apiMemory = parts.apiMemory;
    this.#scope = new ScopeGuard(core, parts.apiMemory, this.#apiHalts, this.#abort.signal);
    this.#governors = { upload: new LaneGovernor(core, 'upload'), delete: new LaneGovernor(core, 'delete') };
    this.#root = new RootGuard(core, () => this.#scans.request('the root is back'));
    this.#collector = new Collector(
      core,
      this.#root,
      this.#governors.delete,
      this.#apiHalts,
      trial,
      this.#scope,
      this.#abort.signal,
    );
    const letGo = new LetGo(clock, manifest.memory.letGo);
    this.#deleter = new Deleter(core, this.#root, this.#collector, letGo, mark);
    const resolver = new Resolver(core);
    const storage = new Storage(core);
    const uploader = new Uploader(
      core,
      resolver,
      this.#governors.upload,
      this.#apiHalts,
      trial,
      this.#scope,
      this.#root,
      this.#failures,
    );
    this.#worker = new Worker({
      core,
      uploader,
      resolver,
      deleter: this.#deleter,
      apiHalts: this.#apiHalts,
      failures: this.#failures,
      root: this.#root,
      storage,
      trial,
      scope: this.#scope,
    });
    const lost = (path: MirrorPath, id: FileId): void => {
      this.#worker.noteLost(id);
      mark(path);
    };
    const verifier = new Verifier(core, trial, this.#scope, lost, (survey) => storage.surveyed(survey));
    this.#verifications = new VerifySchedule(core, verifier, () => this.#worker.hasLost());
    this.#pool = new WorkerPool(
      core,
      this.#worker,
      this.#wakeup,
      this.#abort.signal,
      this.#stopTaking.signal,
    );
    this.#scanner = new Scanner(core, this.#deleter, mark);
    this.#scans = new ScanSchedule(core, this.#scanner, () => this.#wakeup.now());
    this.#quiet = new Quiet(
      core,
      this.#deleter,
      this.#collector,
      this.#governors,
      this.#failures,
      this.#scope,
    );
  }

  /** Starts working: a first full scan, then whatever is marked. */
  start(): void {
    this.#tickedAtMs = this.#core.clock.monotonicMs();
    this.#scans.request('start');
    this.#verifications.resume();
    this.#loop = this.#run();
  }

  /** Wants a look at this path. */
  mark(path: MirrorPath): void {
    this.#core.worklist.mark(path);
    this.#pool.pump();
  }

  /** Takes a hint from the watcher. */
  hint(hint: Hint): void {
    switch (hint.kind) {
      case 'path':
        // Only a scan tells what it is: its words, and those of the log, are the same at any time then.
        if (!hint.path.includes('/')) return this.#scans.requestTree(hint.path);
        this.mark(hint.path);
        this.#lookForRename(hint.path);
        return;
      case 'tree':
        this.#scans.requestTree(hint.path);
        return;
      case 'everything':
        this.#scans.request(hint.why);
        return;
    }
  }

  /** How long ago the timer loop last went round: what grows and grows is an engine that is stuck. */
  sinceTickMs(): number {
    return this.#core.clock.monotonicMs() - this.#tickedAtMs;
  }

  /** How the folder is watched, for status. */
  setWatching(how: string): void {
    this.#watching = how;
  }

  /** Applies a configuration that was read again, or a new key: everything is looked at afresh. */
  reconfigure(settings: MirrorSettings, local: LocalTree): void {
    const { verifyMs } = this.#core.settings;
    this.#core.settings = settings;
    this.#core.local = local;
    this.#core.worklist.sortAnew();
    this.#foldersReady = false;
    // The new tree takes nothing for absent, a missing folder neither, before it was asked about the root.
    this.#nextRootMs = 0;
    if (settings.verifyMs !== verifyMs) this.#verifications.resume();
    this.#scope.reconsider();
    void this.#askAnew().catch((error: unknown) => this.#broke(error));
    this.#retryNow();
    this.#scans.request('configuration');
  }

  /**
   * Stops: nothing new is started, what is in flight may end within `graceMs`, the rest is aborted (an upload
   * that may have been stored keeps its intent, and is resolved at the next start).
   */
  async stop(graceMs: number): Promise<void> {
    if (this.#phase === 'stopped') return;
    this.#phase = 'stopping';
    this.#stopTaking.abort();
    for (const lane of ['upload', 'delete'] as const)
      this.#core.queue.hold(lane, 'stopping', 'stopping', null);
    this.#wakeup.now();
    const { clock } = this.#core;
    const deadlineMs = clock.monotonicMs() + graceMs;
    while (this.#inFlight() > 0 && clock.monotonicMs() < deadlineMs) await clock.sleep(20);
    this.#abort.abort(new DOMException('stopping', 'AbortError'));
    await this.#loop;
    await this.#verifications.stopped();
    await this.#scope.stopped();
    while (this.#core.worklist.busyCount > 0) await clock.sleep(5);
    if (this.#fatal === null) await this.#deleter.remember().catch((error: unknown) => this.#broke(error));
    this.#phase = 'stopped';
  }

  /** Rejects when something broke that the engine cannot go on from; resolves when it was stopped. */
  async ended(): Promise<void> {
    await this.#loop;
    if (this.#fatal !== null) throw this.#fatal;
  }

  status(): MirrorStatus {
    return statusOf(this.#core, {
      phase: this.#phaseNow(),
      watching: this.#watching,
      waitingDeletes: this.#deleter.waitingCount,
      lastScanAt: this.#scans.lastScanAt,
      lastVerifyAt: this.#verifications.lastVerifyAt,
    });
  }

  report(path: MirrorPath): PathReport | null {
    return this.#core.notes.report(path);
  }

  reports(): Iterable<PathReport> {
    return this.#core.notes.reports();
  }

  async flush(signal: AbortSignal): Promise<FlushResult> {
    return await this.#whileItRuns(signal, async (over) => {
      await this.rescan();
      const paths = new Set([...this.#core.worklist.paths(), ...this.#deleter.waitingPaths()]);
      return await this.#quiet.untilDone(paths, over);
    });
  }

  /** One pass until everything is mirrored or can only wait for a halt, an unreachable API, or a person. */
  async converge(signal: AbortSignal): Promise<FlushResult> {
    return await this.#whileItRuns(signal, async (over) => {
      await this.rescan();
      return await this.#quiet.untilDone(null, over);
    });
  }

  async waitFor(path: MirrorPath, signal: AbortSignal): Promise<PathReport> {
    this.mark(path);
    return await this.#whileItRuns(signal, (over) => this.#quiet.untilKnown(path, over));
  }

  approve(folder: string | null): number {
    const count = this.#deleter.approve(folder);
    this.#wakeup.now();
    return count;
  }

  pause(): void {
    this.#core.halts.raise({
      name: 'paused',
      since: nowSeconds(this.#core),
      cause: 'by hand',
      held: 'nothing is sent; changes are noted',
      folder: null,
    });
  }

  resume(): void {
    this.#core.halts.end('paused');
    this.#retryNow();
    this.#wakeup.now();
  }

  async rescan(): Promise<void> {
    // A root that has just gone must not be taken for one in which nothing has changed.
    await this.#root.check(0);
    await this.#scans.full('asked for');
  }

  async verify(repair: boolean, signal: AbortSignal, wait = false): Promise<VerifyReport> {
    return await this.#verifications.verify(repair, signal, wait);
  }

  async deleteOrphans(): Promise<number> {
    const { view, ledger } = this.#core;
    const change = orphansReleased(view);
    if (change !== null) await ledger.commit(change);
    this.#wakeup.now();
    return [...view.garbage.values()].filter(isSurelyOurs).length;
  }

  async retry(wanted: readonly MirrorPath[] | null): Promise<readonly MirrorPath[]> {
    const { view, ledger } = this.#core;
    const paths = new Set(await forgetRejections(view, (change) => ledger.commit(change), wanted));
    for (const path of this.#failures.forgive(wanted)) paths.add(path);
    if (wanted === null) this.#retryNow();
    for (const path of paths) this.mark(path);
    return [...paths];
  }

  /** What the server refused, it may take when it is asked otherwise, or with another key. */
  async #askAnew(): Promise<void> {
    try {
      if (!this.#apiMemory.isAskedOtherwise()) return;
      this.#trial.keyChanged();
      const { view, ledger } = this.#core;
      const paths = await forgetRejections(view, (change) => ledger.commit(change), null);
      await this.#apiMemory.noteAsked();
      for (const path of paths) this.mark(path);
    } catch (error) {
      // Not forgotten, or not written: the next start does it.
      this.#core.listener({ kind: 'warning', message: survivable(error).message });
    }
  }

  /** What waits for the engine ends with it, and at once when nobody waits for the answer any more. */
  async #whileItRuns<T>(signal: AbortSignal, wait: (over: AbortSignal) => Promise<T>): Promise<T> {
    const over = AbortSignal.any([signal, this.#abort.signal]);
    over.throwIfAborted();
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const onOver = (): void => reject(over.reason);
    over.addEventListener('abort', onOver, { once: true });
    try {
      return await Promise.race([wait(over), ended]);
    } finally {
      over.removeEventListener('abort', onOver);
    }
  }

  async #run(): Promise<void> {
    const signal = this.#abort.signal;
    try {
      await this.#askAnew();
      while (!this.#stopTaking.signal.aborted) {
        const nextMs = await this.#tick(signal);
        this.#tickedAtMs = this.#core.clock.monotonicMs();
        this.#pool.pump();
        const untilMs = Math.min(nextMs, this.#core.clock.monotonicMs() + TICK_MS);
        await this.#wakeup.sleepUntil(untilMs, this.#stopTaking.signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#broke(error);
    } finally {
      await this.#scans.stopped();
    }
  }

  /** Does what is due and returns the monotonic time of the next thing that will be. */
  async #tick(signal: AbortSignal): Promise<number> {
    const { clock, halts, ledger, worklist } = this.#core;
    const now = clock.monotonicMs();
    if (now >= this.#nextRootMs) {
      this.#nextRootMs = now + ROOT_CHECK_MS;
      await this.#root.check(0);
    }
    if (halts.has('state') && now >= this.#nextStateProbeMs) {
      this.#nextStateProbeMs = now + STATE_PROBE_MS;
      await ledger.probe();
    }
    if (!this.#foldersReady && !halts.has('root')) await this.#createFolders();
    this.#scans.tick(!halts.has('root'), signal);
    if (now >= this.#nextExpiryMs) {
      this.#nextExpiryMs = now + EXPIRY_CHECK_MS;
      this.#scanner.sweepExpiry();
    }
    await this.#verifications.tick(signal);
    const next = [
      worklist.wake(clock.monotonicMs()),
      this.#collector.tick(),
      await this.#deleter.tick(this.#scans.isSoon()),
      this.#apiHalts.tick(signal),
      this.#scope.tick(),
    ];
    return Math.min(...next.filter((each) => each !== null), Number.POSITIVE_INFINITY);
  }

  /** Purpose folders that are missing and never held anything of ours; others' absence means something. */
  async #createFolders(): Promise<void> {
    const { settings, local, view, listener } = this.#core;
    this.#foldersReady = true;
    for (const folder of settings.folders.keys()) {
      if ((await local.lookFolder(folder)).kind !== 'gone') continue;
      if (countInFolder(view.files.keys(), folder) > 0) continue;
      try {
        await local.createFolder(folder);
      } catch (error) {
        listener({ kind: 'warning', message: survivable(error).message });
      }
    }
  }

  #broke(error: unknown): void {
    if (this.#fatal === null) this.#fatal = error;
    this.#stopTaking.abort();
    this.#abort.abort(error);
  }

  /** A new path may be an old one's new name: its delete must not go ahead of that. */
  #lookForRename(path: MirrorPath): void {
    if (this.#core.view.files.has(path) || this.#core.view.files.size === 0) return;
    void this.#core.local.statOf(path).then((stat) => {
      if (stat !== null) this.#scanner.noteArrival(path, stat);
    });
  }

  /** What stood in the way may have ended: everything is tried at once. */
  #retryNow(): void {
    this.#failures.forgive(null);
    this.#apiHalts.retryNow();
    for (const governor of Object.values(this.#governors)) governor.retryNow();
  }

  #inFlight(): number {
    return this.#core.queue.uploadWindow().running;
  }

  #phaseNow(): Phase {
    if (this.#phase !== 'starting') return this.#phase;
    if (this.#scans.lastScanAt === null) return this.#scans.isRunning ? 'scanning' : 'starting';
    if (this.#scans.isRunning) return 'scanning';
    if (this.#scope.isUnproven()) return 'working';
    return this.#deleter.waitingCount === 0 && !this.#hasWork() ? 'idle' : 'working';
  }

  /** What is skipped is looked at again now and then in case it can be seen by then; that is no work. */
  #hasWork(): boolean {
    const { worklist, notes } = this.#core;
    for (const path of worklist.paths()) if (notes.stateOf(path) !== 'skipped') return true;
    return false;
  }
}
