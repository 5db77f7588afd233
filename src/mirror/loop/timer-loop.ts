import type { ApiHalts } from '../acts/api-halts.ts';
import type { Collector } from '../acts/collector.ts';
import type { Deleter } from '../acts/deleter.ts';
import type { ExpiryWatch } from '../acts/expiry-watch.ts';
import type { RootGuard } from '../acts/root-guard.ts';
import type { Storage } from '../acts/storage.ts';
import type { ScopeGuard } from '../acts/scope-guard.ts';
import { survivable } from '../../contract/faults.ts';
import type { Clock, Listener } from '../../contract/ports.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import type { Totals } from '../memory/totals.ts';
import type { Wakeup } from '../waiting/wakeup.ts';
import type { Worklist } from '../waiting/worklist.ts';
import type { ScanSchedule } from './scan-schedule.ts';
import type { VerifySchedule } from './verify-schedule.ts';
import type { WorkerPool } from './worker-pool.ts';

const ROOT_CHECK_MS = 5_000;
const STATE_PROBE_MS = 5_000;
/** The longest sleep: what has no timer of its own is seen at least this often. */
const TICK_MS = 1_000;

/** What it works with. */
interface Parts {
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly ledger: Ledger;
  readonly listener: Listener;
  readonly totals: Totals;
  readonly wakeup: Wakeup;
  readonly worklist: Worklist;
  readonly apiHalts: ApiHalts;
  readonly collector: Collector;
  readonly deleter: Deleter;
  readonly expiry: ExpiryWatch;
  readonly pool: WorkerPool;
  readonly root: RootGuard;
  readonly scans: ScanSchedule;
  readonly scope: ScopeGuard;
  readonly storage: Storage;
  readonly verifications: VerifySchedule;
  readonly abort: AbortSignal;
  readonly stopTaking: AbortSignal;
}

/** Goes round and does what is due: scans, deletes, probes, verifications. */
export class TimerLoop {
  readonly #parts: Parts;
  #tickedAtMs: number;
  #nextRootMs = 0;
  #nextStateProbeMs = 0;
  #foldersReady = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#tickedAtMs = parts.clock.monotonicMs();
  }

  /** How long ago it last went round. */
  sinceTickMs(): number {
    return this.#parts.clock.monotonicMs() - this.#tickedAtMs;
  }

  /** The configuration is another one: folders that are missing in it are made, once the root was looked at. */
  reconsider(): void {
    this.#foldersReady = false;
    // The new tree takes nothing for absent, a missing folder neither, before it was asked about the root.
    this.#nextRootMs = 0;
  }

  /** Resolves when nothing is to be taken any more. Throws what a tick threw. */
  async run(): Promise<void> {
    const { clock, pool, wakeup, stopTaking } = this.#parts;
    this.#tickedAtMs = clock.monotonicMs();
    while (!stopTaking.aborted) {
      const nextMs = await this.#tick();
      this.#tickedAtMs = clock.monotonicMs();
      pool.pump();
      await wakeup.sleepUntil(Math.min(nextMs, clock.monotonicMs() + TICK_MS), stopTaking);
    }
  }

  /** Does what is due and returns the monotonic time of the next thing that will be. */
  async #tick(): Promise<number> {
    const { clock, halts, ledger, worklist, root, scans, verifications, abort } = this.#parts;
    const { collector, deleter, expiry, apiHalts, scope } = this.#parts;
    const now = clock.monotonicMs();
    if (now >= this.#nextRootMs) {
      this.#nextRootMs = now + ROOT_CHECK_MS;
      await root.check(0);
    }
    if (halts.has('state') && now >= this.#nextStateProbeMs) {
      this.#nextStateProbeMs = now + STATE_PROBE_MS;
      await ledger.probe();
    }
    if (!this.#foldersReady && !halts.has('root')) await this.#createFolders();
    scans.tick(!halts.has('root'), abort);
    expiry.tick();
    await verifications.tick(abort);
    this.#parts.storage.tick();
    const next = [
      worklist.wake(clock.monotonicMs()),
      collector.tick(),
      await deleter.tick(scans.isSoon()),
      apiHalts.tick(abort),
      scope.tick(),
    ];
    return Math.min(...next.filter((each) => each !== null), Number.POSITIVE_INFINITY);
  }

  /** Purpose folders that are missing and never held anything of ours; others' absence means something. */
  async #createFolders(): Promise<void> {
    const { config, totals, listener } = this.#parts;
    const { settings, local } = config;
    this.#foldersReady = true;
    for (const folder of settings.folders.keys()) {
      if ((await local.lookFolder(folder)).kind !== 'gone') continue;
      await totals.ready();
      if (totals.entriesWithin(folder) > 0) continue;
      try {
        await local.createFolder(folder);
      } catch (error) {
        listener({ kind: 'warning', message: survivable(error).message });
      }
    }
  }
}
