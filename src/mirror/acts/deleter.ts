import { counted } from '../../contract/quantities.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import { addedBy, type Ledger } from '../memory/ledger.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Clock } from '../../contract/ports.ts';
import type { Collector } from './collector.ts';
import { nowSeconds } from '../memory/times.ts';
import { type Reloadable, rulesOf } from '../memory/reloadable.ts';
import { condemned } from '../judge/fold.ts';
import { guardDeletes, type DeleteVerdict, type Trip, type WaitingDelete } from '../judge/guards.ts';
import type { LetGo } from '../judge/let-go.ts';
import { countInFolder, folderOf } from '../../contract/mirror-path.ts';
import type { RootGuard } from './root-guard.ts';
import { deviceOf, identityKey } from '../../contract/stat-token.ts';
import type { FolderLook, ManifestView, MirrorPath, StatToken } from '../../contract/types.ts';
import { again, REST, type Next, type Worklist } from '../waiting/worklist.ts';

/** Deletes wait until no new disappearance was noted for this long, so that a mass delete is seen as a whole. */
const QUIET_MS = 1_000;
/** … but not longer than this after their grace period. */
const MAX_POSTPONE_MS = 60_000;
/** What is counted anew is written no more often than this: a busy folder costs a small write now and then. */
const REMEMBER_MS = 5_000;
/** Paths that may be on their way to the garbage list at a time. */
const MAX_RELEASED = 32;
/** Judging over all waiting deletes may take a tenth of the time. */
const JUDGE_PERIOD_PER_COST = 10;

const NOTHING_DUE: DeleteVerdict = { release: [], halts: [], held: new Set(), trips: new Map() };

interface Missing {
  readonly sinceMs: number;
  onDevice: string;
  approved: boolean;
  trip: Trip | null;
  /** The last look could not tell whether the file is gone: until one can, nothing is deleted, and no trip forgotten. */
  inDoubt: boolean;
}

/** `missing`: of what it was gathered. */
interface Gathered extends WaitingDelete {
  readonly missing: Missing;
}

/** What it works with. */
interface Parts {
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly ledger: Ledger;
  readonly notes: PathNotes;
  readonly view: ManifestView;
  readonly root: RootGuard;
  readonly collector: Collector;
  readonly letGo: LetGo;
  readonly worklist: Worklist;
}

/**
 * Decides what is deleted. A path found absent waits here for its grace period; the guards then decide over all that
 * wait. INVARIANT: an id is first handed to the garbage list, durably, and only then deleted (`Collector`), so a lost
 * reply can never leave an entry whose file is gone.
 */
export class Deleter {
  readonly #parts: Parts;
  readonly #missing = new Map<MirrorPath, Missing>();
  /** Gone paths whose file appeared under another path that is not mirrored yet. */
  readonly #successors = new Map<MirrorPath, MirrorPath>();
  readonly #released = new Set<MirrorPath>();
  /** Paths that are mirrored only since something is missing: they do not make what is missing any less. */
  readonly #added = new Set<MirrorPath>();
  #lastGrowthMs = 0;
  #judgeAgainMs = 0;
  #rememberAgainMs = 0;
  #verdict: DeleteVerdict = NOTHING_DUE;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.ledger.subscribe((change, replaced) => {
      for (const path of addedBy(change, replaced)) this.#noteAdded(path);
    });
  }

  /** The path's file is there (again), or the path is forgotten: no delete waits for it any more. */
  forget(path: MirrorPath): void {
    this.#successors.delete(path);
    this.#released.delete(path);
    this.#missing.delete(path);
  }

  /** Whether the path's file is still gone cannot be told at the moment. */
  doubt(path: MirrorPath): void {
    this.#released.delete(path);
    const missing = this.#missing.get(path);
    if (missing !== undefined) missing.inDoubt = true;
  }

  /** A file that has the identity of `from`'s entry appeared at `to`: `from` is not deleted before `to` is mirrored. */
  noteSuccessor(from: MirrorPath, to: MirrorPath): void {
    this.#successors.set(from, to);
  }

  /** The path was not mirrored before, and is now. */
  #noteAdded(path: MirrorPath): void {
    this.#parts.letGo.came(folderOf(path));
    if (this.#missing.size > 0) this.#added.add(path);
  }

  get waitingCount(): number {
    return this.#missing.size;
  }

  isWaiting(path: MirrorPath): boolean {
    return this.#missing.has(path);
  }

  isHeld(path: MirrorPath): boolean {
    // The verdict may be older than the approval.
    return this.#verdict.held.has(path) && this.#missing.get(path)?.approved !== true;
  }

  /** Paths that wait for grace, guard or approval. */
  waitingPaths(): IterableIterator<MirrorPath> {
    return this.#missing.keys();
  }

  /**
   * Releases what the `mass-delete` halts hold. Returns how many deletes that were. What was let go before is approved
   * with them: it was a part of what the person was shown.
   */
  approve(folder: string | null): number {
    let count = 0;
    const approvesAll = folder === null && this.#verdict.halts.some((halt) => halt.folder === null);
    for (const [path, missing] of this.#missing) {
      if ((folder !== null && folderOf(path) !== folder) || missing.approved || !this.#verdict.held.has(path))
        continue;
      missing.approved = true;
      // Who waits for it must not take it for held any more.
      this.#parts.notes.set(path, 'deleting', 'its delete is approved');
      this.#parts.letGo.forgive(approvesAll ? null : folderOf(path));
      this.#judgeAgainMs = 0;
      count += 1;
    }
    return count;
  }

  /**
   * Decides over the waiting deletes and starts what may start. `scanSoon`: a scan is running or about to, which
   * may yet find the files elsewhere. Returns the monotonic time of the next decision, or null.
   */
  async tick(scanSoon: boolean): Promise<number | null> {
    const now = this.#parts.clock.monotonicMs();
    if (now >= this.#rememberAgainMs && !this.#parts.halts.has('state')) {
      this.#rememberAgainMs = now + REMEMBER_MS;
      if (this.#isOutOfDate()) await this.remember();
    }
    if (this.#missing.size === 0) {
      this.#added.clear();
      this.#judge([], new Map());
      return null;
    }
    // A hundred thousand that wait for approval are not to be judged all the time.
    if (now < this.#judgeAgainMs) return this.#judgeAgainMs;
    const waiting = await this.#waiting(now, scanSoon);
    const folders = new Map<string, FolderLook>();
    for (const folder of new Set(waiting.map((each) => each.folder))) {
      folders.set(folder, await this.#parts.config.local.lookFolder(folder));
    }
    // Judged as soon as one is due, over all that wait; before that, a rename may still explain them.
    if (waiting.some((each) => each.due) || this.#verdict.halts.length > 0) this.#judge(waiting, folders);
    // What was released by then and came back may be missing again by now: its grace period is a new one.
    else this.#verdict = NOTHING_DUE;
    if (!this.#parts.halts.holds('delete')) await this.#release(this.#nextToRelease());
    const doneMs = this.#parts.clock.monotonicMs();
    this.#judgeAgainMs = doneMs + JUDGE_PERIOD_PER_COST * (doneMs - now);
    return Math.max(
      this.#judgeAgainMs,
      now + (this.#released.size > 0 || this.#parts.collector.isBusy ? 50 : 500),
    );
  }

  /**
   * Makes durable how the count of what was let go differs from what is on the disk: what came in its place, was approved,
   * or is back after all. Until then a crash counts some too many. Not to be called beside `tick`.
   */
  async remember(): Promise<void> {
    if (!this.#isOutOfDate()) return;
    await this.#parts.ledger.tryRemember({ letGo: this.#parts.letGo.record(this.#soon([])) });
  }

  /**
   * The worker's part, for a path that was found absent: notes it, or, once it is released, deletes it after one
   * more look at root and disk.
   */
  async handle(path: MirrorPath, onDevice: string): Promise<Next> {
    const { clock, notes } = this.#parts;
    const { settings } = this.#parts.config;
    const known = this.#missing.get(path);
    if (known === undefined) {
      this.#missing.set(path, {
        sinceMs: clock.monotonicMs(),
        onDevice,
        approved: false,
        trip: null,
        inDoubt: false,
      });
      this.#lastGrowthMs = clock.monotonicMs();
    } else {
      // A disk that was not mounted at the first look may be by now.
      known.onDevice = onDevice;
      known.inDoubt = false;
    }
    if (this.#released.has(path)) {
      try {
        return await this.#condemn(path);
      } finally {
        this.#released.delete(path);
      }
    }
    if (!this.#verdict.held.has(path)) {
      notes.set(
        path,
        'deleting',
        `removed locally; the remote file is deleted after ${settings.graceMs / 1000} s`,
      );
    }
    return REST;
  }

  /** INVARIANT: the one place where an entry becomes a delete; root and disk are looked at right before. */
  async #condemn(path: MirrorPath): Promise<Next> {
    const { view, ledger, halts } = this.#parts;
    const { local } = this.#parts.config;
    if (halts.holds('delete') || !(await this.#parts.root.check(0))) return again(0);
    const look = await local.look(path);
    // RACE: a guard may have tripped since this was released.
    if (this.#verdict.held.has(path)) return again(0);
    if (look.kind !== 'absent' || rulesOf(this.#parts.config, path)?.deletes === 'keep') return again(0);
    const isApproved = this.#missing.get(path)?.approved === true;
    // What cannot be recorded is held by the halt `state`, and released anew after it.
    if (!(await ledger.tryCommit(condemned(view, path, nowSeconds(this.#parts))))) return REST;
    if (!isApproved) this.#parts.letGo.went(folderOf(path));
    this.forget(path);
    return again(0);
  }

  /** No more than can be deleted soon: what waits here comes back with its file, and stops when a halt comes. */
  #nextToRelease(): readonly MirrorPath[] {
    const next: MirrorPath[] = [];
    for (const path of this.#verdict.release) {
      if (!this.#missing.has(path) || this.#released.has(path)) continue;
      if (this.#released.size + next.length >= MAX_RELEASED || this.#parts.collector.hasEnough) break;
      next.push(path);
    }
    return next;
  }

  /** INVARIANT: that a delete was let go is on the disk before it goes: a crash counts some too many, and none too few. */
  async #release(paths: readonly MirrorPath[]): Promise<void> {
    if (paths.length === 0) return;
    if (!(await this.#parts.ledger.tryRemember({ letGo: this.#parts.letGo.record(this.#soon(paths)) })))
      return;
    for (const path of paths) {
      // RACE: it may have come back while that was written.
      if (!this.#missing.has(path)) continue;
      this.#released.add(path);
      this.#parts.worklist.mark(path);
    }
  }

  #isOutOfDate(): boolean {
    return this.#parts.letGo.differsFrom(this.#parts.ledger.memory.letGo, this.#soon([]));
  }

  /** By folder, how many unapproved deletes are released or, with these paths, about to be. */
  #soon(paths: readonly MirrorPath[]): ReadonlyMap<string, number> {
    const soon = new Map<string, number>();
    for (const path of [...this.#released, ...paths]) {
      if (this.#missing.get(path)?.approved === true) continue;
      soon.set(folderOf(path), (soon.get(folderOf(path)) ?? 0) + 1);
    }
    return soon;
  }

  async #waiting(now: number, scanSoon: boolean): Promise<Gathered[]> {
    const { view } = this.#parts;
    const { settings } = this.#parts.config;
    const quiet = now - this.#lastGrowthMs >= Math.min(settings.graceMs, QUIET_MS);
    const waiting: Gathered[] = [];
    for (const [path, missing] of this.#missing) {
      const stat = mirroredStat(view, path);
      if (stat === null) {
        this.forget(path);
        continue;
      }
      if (this.#successors.has(path) && (await this.#hasSuccessor(path))) continue;
      const age = now - missing.sinceMs;
      const isRipe = quiet || age >= settings.graceMs + MAX_POSTPONE_MS;
      const due = age >= settings.graceMs && !scanSoon && !missing.inDoubt && isRipe;
      const otherDevice = missing.onDevice !== deviceOf(stat);
      waiting.push({
        missing,
        path,
        folder: folderOf(path),
        due,
        approved: missing.approved,
        trip: missing.trip,
        otherDevice,
      });
    }
    return waiting;
  }

  /** Whether the file lives on under another path that is not mirrored yet. */
  async #hasSuccessor(path: MirrorPath): Promise<boolean> {
    const { view, notes } = this.#parts;
    const { local } = this.#parts.config;
    const to = this.#successors.get(path);
    const entry = view.files.get(path);
    if (to === undefined || entry === undefined) return false;
    // A refused successor will never take over: then the old path is simply gone.
    const state = notes.stateOf(to);
    const outside = rulesOf(this.#parts.config, to) === null;
    const hopeless =
      outside || view.files.has(to) || state === 'rejected' || state === 'ignored' || state === 'skipped';
    const stat = hopeless ? null : await local.statOf(to);
    if (stat === null || identityKey(stat) !== identityKey(entry.stat)) {
      this.#successors.delete(path);
      return false;
    }
    const reason = `renamed to ${to}; the remote file stays until that is mirrored`;
    // Whatever keeps the new name back is said of that one.
    notes.set(path, 'held', reason, 'time');
    return true;
  }

  /** However long a halt lasts: what came since and went again is none of the files that are there. */
  #stillAdded(): readonly MirrorPath[] {
    const { view } = this.#parts;
    for (const path of this.#added) {
      if (!view.files.has(path) || this.#missing.has(path)) this.#added.delete(path);
    }
    return [...this.#added];
  }

  /** RACE: since the waiting ones were gathered, the disk was looked at; some may be back or approved by now. */
  #stillWaiting(gathered: readonly Gathered[]): WaitingDelete[] {
    return gathered
      .filter(({ path, missing }) => this.#missing.get(path) === missing)
      .map(({ missing, ...each }) => ({ ...each, approved: missing.approved }));
  }

  #judge(gathered: readonly Gathered[], folders: ReadonlyMap<string, FolderLook>): void {
    const { view, halts, notes } = this.#parts;
    const { settings } = this.#parts.config;
    const waiting = this.#stillWaiting(gathered);
    const before = this.#verdict.halts;
    const added = this.#stillAdded();
    this.#verdict = guardDeletes({
      waiting,
      entriesTotal: view.files.size - added.length,
      entriesInFolder: (folder) => countInFolder(view.files.keys(), folder) - countInFolder(added, folder),
      lookOfFolder: (folder) => folders.get(folder) ?? null,
      letGoTotal: this.#parts.letGo.total(),
      letGoInFolder: (folder) => this.#parts.letGo.ofFolder(folder),
      maxFraction: settings.maxFraction,
      minCount: settings.minCount,
    });
    for (const [path, trip] of this.#verdict.trips) {
      const missing = this.#missing.get(path);
      if (missing !== undefined) missing.trip = trip;
    }
    for (const old of before) {
      if (!this.#verdict.halts.some((halt) => halt.folder === old.folder))
        halts.end('mass-delete', old.folder);
    }
    for (const halt of this.#verdict.halts) {
      halts.raise({
        name: 'mass-delete',
        since: nowSeconds(this.#parts),
        cause: `${halt.cause} (${halt.count}/${halt.of})`,
        held: `${counted(halt.waiting, 'delete waits', 'deletes wait')}; uploads go on`,
        folder: halt.folder,
      });
    }
    for (const path of this.#verdict.held)
      notes.set(path, 'held', 'its delete waits for approval (mass-delete)');
  }
}

/** The stat of what the path has remotely, a version that is held included; null: it has nothing. */
function mirroredStat(view: ManifestView, path: MirrorPath): StatToken | null {
  const entry = view.files.get(path);
  if (entry !== undefined) return entry.stat;
  const rejection = view.rejected.get(path);
  return rejection?.kept === undefined ? null : rejection.stat;
}
