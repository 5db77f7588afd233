import { type Engine, type MirrorParts, buildEngine } from './build.ts';
import { nowSeconds } from '../contract/times.ts';
import { unlessAborted } from '../contract/unless-aborted.ts';
import { survivable } from '../contract/faults.ts';
import { isSurelyOurs, orphansReleased } from './judge/fold.ts';
import { LANES, type Hint, type LocalTree } from '../contract/ports.ts';
import type {
  FlushResult,
  MirrorControl,
  MirrorStatus,
  PathReport,
  Phase,
  VerifyReport,
} from '../contract/report.ts';
import { forgetRejections } from './judge/retry.ts';
import type { MirrorSettings } from '../contract/settings.ts';
import { statusOf } from './loop/status.ts';
import { STORAGE } from './waiting/topics.ts';
import type { FileId, MirrorPath } from '../contract/types.ts';

/**
 * The engine, as others see it: paths that want a look go through the worklist to workers; a timer loop does what is
 * due (scans, deletes, probes). It knows the world only through its ports.
 */
export class Mirror implements MirrorControl {
  readonly #engine: Engine;
  readonly #abort = new AbortController();
  readonly #stopTaking = new AbortController();
  #phase: Phase = 'starting';
  #watching = 'off';
  #running: Promise<void> | null = null;
  #fatal: unknown = null;

  constructor(parts: MirrorParts) {
    this.#engine = buildEngine(parts, {
      abort: this.#abort.signal,
      stopTaking: this.#stopTaking.signal,
      broke: (error) => this.#broke(error),
    });
  }

  /** Starts working: a first full scan, then whatever is marked. */
  start(): void {
    this.#engine.scans.request('start');
    this.#engine.verifications.resume();
    this.#running = this.#run();
  }

  /** Takes a hint from the watcher. */
  hint(hint: Hint): void {
    switch (hint.kind) {
      case 'path':
        // Only a scan tells what it is: its words, and those of the log, are the same at any time then.
        if (!hint.path.includes('/')) return this.#engine.scans.requestTree(hint.path);
        this.#engine.worklist.mark(hint.path);
        this.#lookForRename(hint.path);
        return;
      case 'tree':
        this.#engine.scans.requestTree(hint.path);
        return;
      case 'everything':
        this.#engine.scans.request(hint.why);
        return;
    }
  }

  /** How long ago the timer loop last went round: what grows and grows is an engine that is stuck. */
  sinceTickMs(): number {
    return this.#engine.loop.sinceTickMs();
  }

  /** How the folder is watched, for status. */
  setWatching(how: string): void {
    this.#watching = how;
  }

  /** Applies a configuration that was read again, or a new key: everything is looked at afresh. */
  reconfigure(settings: MirrorSettings, local: LocalTree): void {
    const { verifyMs } = this.#engine.config.settings;
    this.#engine.config.settings = settings;
    this.#engine.config.local = local;
    this.#engine.worklist.sortAnew();
    // By other rules, what waits for room may not be sent at all.
    this.#engine.worklist.signal(STORAGE);
    this.#engine.loop.reconsider();
    if (settings.verifyMs !== verifyMs) this.#engine.verifications.resume();
    this.#engine.scope.reconsider();
    void this.#askAnew().catch((error: unknown) => this.#broke(error));
    this.#retryNow();
    this.#engine.scans.request('configuration');
  }

  /**
   * Stops: nothing new is started, what is in flight may end within `graceMs`, the rest is aborted (an upload
   * that may have been stored keeps its intent, and is resolved at the next start).
   */
  async stop(graceMs: number): Promise<void> {
    if (this.#phase === 'stopped') return;
    this.#phase = 'stopping';
    this.#stopTaking.abort();
    for (const lane of LANES) this.#engine.queue.hold(lane, 'stopping', 'stopping', null);
    this.#engine.wakeup.now();
    const { clock } = this.#engine;
    const deadlineMs = clock.monotonicMs() + graceMs;
    while (this.#inFlight() > 0 && clock.monotonicMs() < deadlineMs) await clock.sleep(20);
    this.#abort.abort(new DOMException('stopping', 'AbortError'));
    await this.#running;
    await this.#engine.verifications.stopped();
    await this.#engine.scope.stopped();
    while (this.#engine.worklist.busyCount > 0) await clock.sleep(5);
    if (this.#fatal === null)
      await this.#engine.deleter.remember().catch((error: unknown) => this.#broke(error));
    this.#phase = 'stopped';
  }

  /** Rejects when something broke that the engine cannot go on from; resolves when it was stopped. */
  async ended(): Promise<void> {
    await this.#running;
    if (this.#fatal !== null) throw this.#fatal;
  }

  /** Remote files that were in use may not be any more: those that wait to be deleted are looked at again. */
  filesReleased(): void {
    this.#engine.collector.released();
  }

  /** Deletes this remote file of the path; the local one stays, and its time is over until it changes. Throws `Fault`. */
  async endLife(path: MirrorPath, id: FileId, signal: AbortSignal): Promise<void> {
    await this.#engine.lifeEnder.end(path, id, signal);
  }

  status(): MirrorStatus {
    return statusOf(this.#engine, {
      phase: this.#phaseNow(),
      watching: this.#watching,
      waitingDeletes: this.#engine.deleter.waitingCount,
      lastScanAt: this.#engine.scans.lastScanAt,
      lastVerifyAt: this.#engine.verifications.lastVerifyAt,
    });
  }

  report(path: MirrorPath): PathReport | null {
    return this.#engine.notes.report(path);
  }

  reports(): Iterable<PathReport> {
    return this.#engine.notes.reports();
  }

  async flush(signal: AbortSignal): Promise<FlushResult> {
    return await this.#whileItRuns(signal, async (over) => {
      await this.rescan();
      const paths = new Set([...this.#engine.worklist.paths(), ...this.#engine.deleter.waitingPaths()]);
      return await this.#engine.quiet.untilDone(paths, over);
    });
  }

  /** One pass until everything is mirrored or can only wait for a halt, an unreachable API, or a person. */
  async converge(signal: AbortSignal): Promise<FlushResult> {
    return await this.#whileItRuns(signal, async (over) => {
      await this.rescan();
      return await this.#engine.quiet.untilDone(null, over);
    });
  }

  async waitFor(path: MirrorPath, signal: AbortSignal): Promise<PathReport> {
    this.#engine.worklist.mark(path);
    return await this.#whileItRuns(signal, (over) => this.#engine.quiet.untilKnown(path, over));
  }

  async approve(folder: string | null): Promise<number> {
    const count = await this.#engine.deleter.approve(folder);
    this.#engine.wakeup.now();
    return count;
  }

  pause(): void {
    this.#engine.halts.raise({
      name: 'paused',
      since: nowSeconds(this.#engine),
      cause: 'by hand',
      held: 'nothing is sent; changes are noted',
      folder: null,
    });
  }

  resume(): void {
    this.#engine.halts.end('paused');
    this.#retryNow();
    this.#engine.wakeup.now();
  }

  async rescan(): Promise<void> {
    // A root that has just gone must not be taken for one in which nothing has changed.
    await this.#engine.root.check(0);
    await this.#engine.scans.full('asked for');
  }

  async verify(repair: boolean, signal: AbortSignal, wait = false): Promise<VerifyReport> {
    return await this.#engine.verifications.verify(repair, signal, wait);
  }

  async deleteOrphans(): Promise<number> {
    const { view, ledger } = this.#engine;
    const change = orphansReleased(view);
    if (change !== null) await ledger.commit(change);
    this.#engine.wakeup.now();
    return [...view.garbage.values()].filter(isSurelyOurs).length;
  }

  async retry(wanted: readonly MirrorPath[] | null): Promise<readonly MirrorPath[]> {
    const { view, ledger } = this.#engine;
    const paths = new Set(await forgetRejections(view, (change) => ledger.commit(change), wanted));
    for (const path of this.#engine.failures.forgive(wanted)) paths.add(path);
    if (wanted === null) this.#retryNow();
    for (const path of paths) this.#engine.worklist.mark(path);
    // Perhaps it can be seen by now; that is no news to who asked for a try.
    for (const path of this.#engine.notes.skippedAt(wanted)) this.#engine.worklist.mark(path);
    return [...paths];
  }

  /** What the server refused, it may take when it is asked otherwise, or with another key. */
  async #askAnew(): Promise<void> {
    try {
      if (!this.#engine.apiMemory.isAskedOtherwise()) return;
      this.#engine.trial.keyChanged();
      const { view, ledger } = this.#engine;
      const paths = await forgetRejections(view, (change) => ledger.commit(change), null);
      await this.#engine.apiMemory.noteAsked();
      for (const path of paths) this.#engine.worklist.mark(path);
    } catch (error) {
      // Not forgotten, or not written: the next start does it.
      this.#engine.listener({ kind: 'warning', message: survivable(error).message });
    }
  }

  /** What waits for the engine ends with it, and at once when nobody waits for the answer any more. */
  async #whileItRuns<T>(signal: AbortSignal, wait: (over: AbortSignal) => Promise<T>): Promise<T> {
    const over = AbortSignal.any([signal, this.#abort.signal]);
    over.throwIfAborted();
    return await unlessAborted(wait(over), over);
  }

  async #run(): Promise<void> {
    const { loop, scans } = this.#engine;
    try {
      await this.#askAnew();
      await loop.run();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#broke(error);
    } finally {
      await scans.stopped();
    }
  }

  #broke(error: unknown): void {
    if (this.#fatal === null) this.#fatal = error;
    this.#stopTaking.abort();
    this.#abort.abort(error);
  }

  /** A new path may be an old one's new name: its delete must not go ahead of that. */
  #lookForRename(path: MirrorPath): void {
    if (this.#engine.view.files.has(path) || this.#engine.view.files.size === 0) return;
    void this.#engine.config.local
      .statOf(path)
      .then((stat) => (stat === null ? undefined : this.#engine.scanner.noteArrival(path, stat)))
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#broke(error);
      });
  }

  /** What stood in the way may have ended: everything is tried at once. */
  #retryNow(): void {
    this.#engine.failures.forgive(null);
    this.#engine.apiHalts.retryNow();
    for (const governor of Object.values(this.#engine.governors)) governor.retryNow();
  }

  #inFlight(): number {
    return this.#engine.queue.uploadWindow().running;
  }

  #phaseNow(): Phase {
    if (this.#phase !== 'starting') return this.#phase;
    if (this.#engine.scans.lastScanAt === null) return this.#engine.scans.isRunning ? 'scanning' : 'starting';
    if (this.#engine.scans.isRunning) return 'scanning';
    if (this.#engine.scope.isUnproven()) return 'working';
    const isIdle = this.#engine.deleter.waitingCount === 0 && this.#engine.worklist.size === 0;
    return isIdle ? 'idle' : 'working';
  }
}
