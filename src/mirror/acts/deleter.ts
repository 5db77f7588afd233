import type { PathNotes } from '../memory/path-notes.ts';
import { addedBy, type Ledger } from '../memory/ledger.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Pause } from '../memory/following.ts';
import { type Missing, MissingFiles } from '../memory/missing-files.ts';
import type { Totals } from '../memory/totals.ts';
import type { Clock } from '../../contract/ports.ts';
import type { Collector } from './collector.ts';
import { DeleteGuard, HELD } from './delete-guard.ts';
import { nowSeconds } from '../../contract/times.ts';
import { type Reloadable, rulesOf } from '../memory/reloadable.ts';
import { type DeleteTimes, momentOf, turnOf } from '../judge/due-delete.ts';
import { condemned } from '../judge/fold.ts';
import type { LetGo } from '../judge/let-go.ts';
import { folderOf } from '../../contract/mirror-path.ts';
import type { RootGuard } from './root-guard.ts';
import { Successors } from './successors.ts';
import { deviceOf } from '../../contract/stat-token.ts';
import type { Change, ManifestView, MirrorPath, StatToken } from '../../contract/types.ts';
import type { Wakeup } from '../waiting/wakeup.ts';
import { again, REST, type Next, type Worklist } from '../waiting/worklist.ts';

/** What is counted anew is written no more often than this: a busy folder costs a small write now and then. */
const REMEMBER_MS = 5_000;
/** Paths that are handed to the garbage list together. */
const BATCH = 32;
/** Missing files that are gone through in one turn of the loop. */
const PATHS_PER_TURN = 2_000;
/** How often the folders of what waits are looked at, and whether anything is due. */
const PERIOD_MS = 500;
const BUSY_PERIOD_MS = 50;

/** What it works with. */
interface Parts {
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly ledger: Ledger;
  readonly notes: PathNotes;
  readonly pause: Pause;
  readonly totals: Totals;
  readonly view: ManifestView;
  readonly root: RootGuard;
  readonly collector: Collector;
  readonly letGo: LetGo;
  readonly wakeup: Wakeup;
  readonly worklist: Worklist;
}

/**
 * Lets deletes go. A path found absent waits here for its grace period; the guard then decides over all that wait.
 * INVARIANT: an id is first handed to the garbage list, durably, and only then deleted (`Collector`), so a lost
 * reply can never leave an entry whose file is gone.
 */
export class Deleter {
  readonly #parts: Parts;
  readonly #missing = new MissingFiles();
  readonly #successors: Successors;
  readonly #guard: DeleteGuard;
  #lastGrowthMs = 0;
  #rememberAgainMs = 0;
  /** More are due than the lane can take. */
  #wantsRoom = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#successors = new Successors(parts);
    this.#guard = new DeleteGuard(parts, this.#missing);
    parts.ledger.subscribe((change, replaced) => {
      for (const path of addedBy(change, replaced)) {
        parts.letGo.came(folderOf(path));
        this.#missing.came(path);
      }
      this.#noteForgotten(change);
      if (this.#wantsRoom && replaced.garbage.size > 0 && !parts.collector.hasEnough) parts.wakeup.now();
    });
  }

  /** The path's file is there (again), or the path is forgotten: no delete waits for it any more. */
  forget(path: MirrorPath): void {
    this.#successors.forget(path);
    this.#missing.delete(path);
  }

  /** Whether the path's file is still gone cannot be told: until it can, nothing is deleted, and no trip forgotten. */
  doubt(path: MirrorPath): void {
    this.#missing.set(path, { inDoubt: true });
  }

  /** A file that has the identity of `from`'s entry appeared at `to`: `from` is not deleted before `to` is mirrored. */
  noteSuccessor(from: MirrorPath, to: MirrorPath): void {
    this.#successors.note(from, to);
    this.#missing.set(from, { livesOn: true });
  }

  get waitingCount(): number {
    return this.#missing.size;
  }

  isWaiting(path: MirrorPath): boolean {
    return this.#missing.has(path);
  }

  isHeld(path: MirrorPath): boolean {
    const missing = this.#missing.get(path);
    return missing !== undefined && this.#guard.isHeld(missing);
  }

  /** Paths that wait for grace, guard or approval. */
  waitingPaths(): IterableIterator<MirrorPath> {
    return this.#missing.paths();
  }

  /** See `DeleteGuard.approve`. */
  async approve(folder: string | null): Promise<number> {
    return await this.#guard.approve(folder);
  }

  /**
   * Decides over the waiting deletes and lets go what may go. `scanSoon`: a scan is running or about to, which may yet
   * find the files elsewhere. Returns the monotonic time of the next decision, or null.
   */
  async tick(scanSoon: boolean): Promise<number | null> {
    const { clock, collector, config, totals } = this.#parts;
    const startedMs = clock.monotonicMs();
    if (startedMs >= this.#rememberAgainMs && !this.#parts.halts.has('state')) {
      this.#rememberAgainMs = startedMs + REMEMBER_MS;
      await this.remember();
    }
    this.#wantsRoom = false;
    if (this.#missing.size === 0) {
      this.#missing.forgetNewcomers();
      await this.#guard.judge(false);
      return null;
    }
    await totals.ready();
    await this.#ripen();
    await this.#successors.look(
      (path) => this.#missing.has(path),
      (path) => this.#noSuccessor(path),
    );
    await this.#guard.look();
    const { graceMs } = config.settings;
    const nowMs = clock.monotonicMs();
    const wentAny = await this.#letGoDue({ nowMs, lastGrowthMs: this.#lastGrowthMs, graceMs, scanSoon });
    return nowMs + (wentAny || collector.isBusy ? BUSY_PERIOD_MS : PERIOD_MS);
  }

  /**
   * Makes durable how the count of what was let go differs from what is on the disk: what came in its place, was approved,
   * or is back after all. Until then a crash counts some too many. Not to be called beside `tick`.
   */
  async remember(): Promise<void> {
    await this.#rememberWith([]);
  }

  /** The worker's part, for a path that was found absent. */
  handle(path: MirrorPath, onDevice: string): Next {
    const { clock, config, notes, view } = this.#parts;
    const stat = mirroredStat(view, path);
    if (stat === null) return REST;
    // A disk that was not mounted at the first look may be by now.
    const otherDevice = onDevice !== deviceOf(stat);
    const known = this.#missing.get(path);
    if (known === undefined) {
      this.#lastGrowthMs = clock.monotonicMs();
      this.#missing.add(path, this.#lastGrowthMs, { otherDevice, livesOn: this.#successors.has(path) });
    } else this.#missing.set(path, { otherDevice, inDoubt: false });
    if (this.isHeld(path) || known?.livesOn === true) return REST;
    const grace = `${config.settings.graceMs / 1000} s`;
    notes.set(path, 'deleting', `removed locally; the remote file is deleted after ${grace}`);
    this.#missing.set(path, { isTold: false });
    return REST;
  }

  /** Their grace period is over. */
  async #ripen(): Promise<void> {
    const { clock, config, pause } = this.#parts;
    let count = 0;
    for (const { path, sinceMs } of this.#missing.young()) {
      if (clock.monotonicMs() - sinceMs < config.settings.graceMs) return;
      this.#missing.ripen(path);
      count += 1;
      if (count % PATHS_PER_TURN === 0) await pause();
    }
  }

  #noSuccessor(path: MirrorPath): void {
    const isTold = this.#missing.get(path)?.trip !== null;
    this.#missing.set(path, { livesOn: false, isTold });
    if (this.isHeld(path)) this.#parts.notes.set(path, 'held', HELD);
  }

  /** As many as the lane can take. Returns whether any went. */
  async #letGoDue(times: DeleteTimes): Promise<boolean> {
    for (let wentAny = false; ; wentAny = true) {
      // Judged as soon as one is due, over all that wait; before that, a rename may still explain them.
      await this.#guard.judge(this.#ripe(times).next().done !== true);
      const batch = this.#claimNext(times);
      if (batch.length === 0 || !(await this.#letGo(batch))) return wentAny;
    }
  }

  /** What is due, whether a guard holds it or not; of those that are due later, perhaps some that are not found yet. */
  *#ripe(times: DeleteTimes): IterableIterator<Missing> {
    for (const folder of this.#missing.folders()) {
      for (const which of ['approved', 'open'] as const) {
        for (const path of this.#missing.ripe(folder, which)) {
          const missing = this.#missing.get(path);
          // They are in the order of their age.
          if (missing === undefined || turnOf(momentOf(missing, times)) !== 'due') break;
          yield missing;
          if (this.#guard.holds(missing)) break;
        }
      }
    }
  }

  /** No more than can be deleted soon: what waits here comes back with its file, and stops when a halt comes. */
  #claimNext(times: DeleteTimes): readonly Missing[] {
    const { collector, halts, worklist } = this.#parts;
    const batch: Missing[] = [];
    if (halts.holds('delete')) return batch;
    for (const missing of this.#ripe(times)) {
      this.#wantsRoom = collector.hasEnough;
      if (batch.length >= BATCH || this.#wantsRoom) break;
      // One that a worker has is looked at just now.
      if (!this.#guard.holds(missing) && worklist.claim(missing.path)) batch.push(missing);
    }
    return batch;
  }

  /** INVARIANT: that a delete was let go is on the disk before it goes: a crash counts some too many, and none too few. */
  async #letGo(batch: readonly Missing[]): Promise<boolean> {
    const { config, halts, root, worklist } = this.#parts;
    try {
      if (!(await this.#rememberWith(batch))) return false;
      const looks = await Promise.all(batch.map(({ path }) => config.local.look(path)));
      if (!(await root.check(0)) || halts.holds('delete')) return false;
      const went = await Promise.all(
        batch.map(async (missing, index) => {
          const isAbsent = looks[index]?.kind === 'absent';
          return await this.#condemn(missing, isAbsent);
        }),
      );
      return went.includes(true);
    } finally {
      for (const { path } of batch) worklist.done(path, again(0));
    }
  }

  /** INVARIANT: the one place where an entry becomes a delete; root and disk were looked at right before. */
  async #condemn(missing: Missing, isAbsent: boolean): Promise<boolean> {
    const { config, ledger, letGo, view } = this.#parts;
    const { path, folder, approved } = missing;
    // RACE: meanwhile it may have come back, or a guard may hold it.
    if (this.#missing.get(path) !== missing || this.#guard.holds(missing)) return false;
    if (!isAbsent || rulesOf(config, path)?.deletes === 'keep') {
      // What it is, its worker finds out.
      this.doubt(path);
      return false;
    }
    // What cannot be recorded is held by the halt `state`, and let go anew after it.
    if (!(await ledger.tryCommit(condemned(view, path, nowSeconds(this.#parts))))) return false;
    if (!approved) letGo.went(folder);
    this.forget(path);
    return true;
  }

  /** False: it cannot be written. `soon`: what is about to be let go. */
  async #rememberWith(soon: readonly Missing[]): Promise<boolean> {
    const { ledger, letGo } = this.#parts;
    const counts = new Map<string, number>();
    for (const { folder, approved } of soon) if (!approved) counts.set(folder, (counts.get(folder) ?? 0) + 1);
    if (!letGo.differsFrom(ledger.memory.letGo, counts)) return true;
    return await ledger.tryRemember({ letGo: letGo.record(counts) });
  }

  /** Whatever becomes of it, its path has nothing remotely any more. */
  #noteForgotten({ files = {}, rejected = {} }: Change): void {
    for (const path of [...Object.keys(files), ...Object.keys(rejected)]) {
      if (mirroredStat(this.#parts.view, path) !== null) continue;
      this.#successors.forget(path);
      this.#missing.forgotten(path);
    }
  }
}

/** The stat of what the path has remotely, a version that is held included; null: it has nothing. */
function mirroredStat(view: ManifestView, path: MirrorPath): StatToken | null {
  const entry = view.files.get(path);
  if (entry !== undefined) return entry.stat;
  const rejection = view.rejected.get(path);
  return rejection?.kept === undefined ? null : rejection.stat;
}
