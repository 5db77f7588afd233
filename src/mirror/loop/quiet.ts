import type { AskingRoom } from '../waiting/asking-room.ts';
import { ANSWER } from '../waiting/topics.ts';
import type { Worklist } from '../waiting/worklist.ts';
import { FAILURES_TO_TELL, isAnswered, type Awaited, type Obstacles } from '../judge/answered.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import { needOf } from '../../contract/attention.ts';
import type { Collector } from '../acts/collector.ts';
import type { Deleter } from '../acts/deleter.ts';
import type { Failures } from '../memory/failures.ts';
import type { FileUses } from '../../contract/file-uses.ts';
import { Fault } from '../../contract/faults.ts';
import type { ApiTrouble, LaneGovernor } from '../acts/lane-governor.ts';
import type { Lane, Clock } from '../../contract/ports.ts';
import type { FlushResult, PathReport } from '../../contract/report.ts';
import type { ScopeGuard } from '../acts/scope-guard.ts';
import type { FileId, MirrorPath, PathState, ManifestView } from '../../contract/types.ts';

/** A file that still changes after this long is not waited for. */
const SETTLING_TO_TELL_MS = 30_000;
const FIRST_POLL_MS = 10;
const LAST_POLL_MS = 250;

const FINAL: ReadonlySet<PathState> = new Set([
  'synced',
  'rejected',
  'skipped',
  'ignored',
  'expired',
  'kept',
  'held',
]);

/** What it works with. */
interface Parts {
  readonly askingRoom: AskingRoom;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly notes: PathNotes;
  readonly view: ManifestView;
  readonly worklist: Worklist;
  readonly deleter: Deleter;
  readonly collector: Collector;
  readonly governors: Readonly<Record<Lane, LaneGovernor>>;
  readonly failures: Failures;
  readonly uses: FileUses;
  readonly scope: Pick<ScopeGuard, 'isUnproven' | 'trouble'>;
}

/** Waiting for rest: `flush`, `sync` and `id --wait`. */
export class Quiet {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Resolves when each of `paths` is mirrored or has a reason, and the garbage of that moment is gone; null: every
   * path and all garbage, now or later; and when it is known that the API has our ids. Others that keep changing are not waited for, or it would never end.
   * Throws `Fault` (`unreachable`) when what is left of them waits for an API that does not answer.
   */
  async untilDone(paths: ReadonlySet<MirrorPath> | null, signal: AbortSignal): Promise<FlushResult> {
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    const open = paths === null ? null : new Set(paths);
    let openPath: MirrorPath | null = null;
    let garbage: ReadonlySet<FileId> | null = null;
    let pollMs = FIRST_POLL_MS;
    for (;;) {
      const patienceMs = SETTLING_TO_TELL_MS + 2 * this.#parts.config.settings.settleMs;
      const obstacles = this.#obstacles(clock.monotonicMs() - startedMs > patienceMs);
      // Who waits for everything need not ask about a hundred thousand paths while garbage is moving.
      let busy = open === null && this.#garbageIsMoving(null);
      if (!busy) {
        // One that is not answered decides; the rest need not be asked at every poll.
        if (openPath === null || this.#isAnswered(openPath, obstacles))
          openPath = open === null ? this.#anyOpen(obstacles) : this.#firstOpen(open, obstacles);
        busy = openPath !== null;
      }
      if (!busy && open !== null) garbage ??= new Set(this.#parts.view.garbage.keys());
      if (!busy && !this.#garbageIsMoving(garbage) && !this.#isAskingWhoseIds()) {
        this.#refuseUnreachable(paths);
        const problems = [...this.#parts.notes.problems(), ...this.#undeleted()];
        return { problems, halts: this.#parts.halts.all() };
      }
      await clock.sleep(pollMs, signal);
      pollMs = Math.min(LAST_POLL_MS, pollMs * 1.5);
    }
  }

  /** Remote files that are still there because deleting them failed again and again. */
  *#undeleted(): IterableIterator<PathReport> {
    if (!this.#parts.config.settings.canDelete) return;
    const trouble = this.#troubleOf('delete');
    for (const [id, garbage] of this.#parts.view.garbage) {
      const failures = this.#parts.collector.failuresOf(id);
      if (garbage.hold || (failures === 0 && trouble === null) || this.#parts.uses.userOf(id) !== null)
        continue;
      const { path, purpose, bytes } = garbage;
      const why = trouble ?? `tried ${failures} times`;
      const reason = `its remote file ${id} could not be deleted yet (${why})`;
      yield {
        path,
        purpose,
        id,
        bytes,
        sha256: null,
        createdAt: null,
        expiresAt: null,
        state: 'failed',
        reason,
        needs: needOf('failed'),
      };
    }
  }

  /** A path that is not answered, of all that there are; null: there is none. */
  #anyOpen(obstacles: Obstacles): MirrorPath | null {
    const { deleter, worklist } = this.#parts;
    for (const paths of [worklist.paths(), deleter.waitingPaths()])
      for (const path of paths) if (!this.#isAnswered(path, obstacles)) return path;
    return null;
  }

  /** The first of these that is not answered; those before it are taken out. */
  #firstOpen(open: Set<MirrorPath>, obstacles: Obstacles): MirrorPath | null {
    for (const path of open) {
      if (!this.#isAnswered(path, obstacles)) return path;
      open.delete(path);
    }
    return null;
  }

  /** Resolves when the path is mirrored or has a final reason not to be. */
  async untilKnown(path: MirrorPath, signal: AbortSignal): Promise<PathReport> {
    const { clock, notes, worklist } = this.#parts;
    let pollMs = FIRST_POLL_MS;
    for (;;) {
      const report = notes.report(path);
      if (
        report !== null &&
        !worklist.has(path) &&
        FINAL.has(report.state) &&
        !this.#isHeldByHalt(report.state)
      )
        return report;
      await clock.sleep(pollMs, signal);
      pollMs = Math.min(LAST_POLL_MS, pollMs * 1.5);
    }
  }

  /** A halt says more: it is told instead. */
  #refuseUnreachable(paths: ReadonlySet<MirrorPath> | null): void {
    const { worklist, halts } = this.#parts;
    // An earlier trouble need not concern what was waited for.
    if (halts.all().length > 0) return;
    const unproven = told(this.#parts.scope.trouble());
    if (unproven !== null) throw unreachable(unproven);
    if (paths !== null && ![...paths].some((path) => worklist.has(path))) return;
    const why = this.#unreachable();
    if (why === null) return;
    throw unreachable(why);
  }

  /** Why the API cannot be reached, once it failed often enough in a row; null: it can, or it is too early to say. */
  #unreachable(): string | null {
    const isAsking = this.#parts.askingRoom.size > 0;
    return (
      this.#troubleOf('upload') ?? this.#troubleOf('delete') ?? (isAsking ? this.#troubleOf('ask') : null)
    );
  }

  /** Why nothing comes through in this lane, once that is so for long enough. */
  #troubleOf(lane: Lane): string | null {
    return told(this.#parts.governors[lane].trouble());
  }

  /** Whether that will be answered, or be told as trouble. */
  #isAskingWhoseIds(): boolean {
    return this.#parts.scope.isUnproven() && told(this.#parts.scope.trouble()) === null;
  }

  #isHeldByHalt(state: PathState): boolean {
    return state === 'held' && this.#parts.halts.all().length > 0;
  }

  #isAnswered(path: MirrorPath, obstacles: Obstacles): boolean {
    const { askingRoom, deleter, failures, notes, view, worklist } = this.#parts;
    const isHeld = deleter.isHeld(path) ? 'held' : 'waits';
    const awaited: Awaited = {
      state: notes.stateOf(path),
      deleting: deleter.isWaiting(path) ? isHeld : 'no',
      isOpen: worklist.has(path),
      isAsking: askingRoom.has(path) || worklist.topicOf(path) === ANSWER,
      isUnknown: view.intents.has(path),
      failures: failures.total(path),
    };
    return isAnswered(awaited, obstacles);
  }

  #obstacles(isImpatient: boolean): Obstacles {
    const { halts } = this.#parts;
    const isTroubled = (lane: Lane): boolean => this.#troubleOf(lane) !== null;
    return {
      rootIsBad: halts.has('root'),
      stateIsHalted: halts.has('state'),
      isHalted: { upload: halts.holds('upload'), delete: halts.holds('delete') },
      isTroubled: {
        upload: isTroubled('upload'),
        delete: isTroubled('delete'),
        ask: isTroubled('ask'),
      },
      isImpatient,
    };
  }

  /** `ids` null: any. */
  #garbageIsMoving(ids: ReadonlySet<FileId> | null): boolean {
    const { view, halts } = this.#parts;
    const { settings } = this.#parts.config;
    if (!settings.canDelete || halts.holds('delete') || this.#troubleOf('delete') !== null) return false;
    for (const [id, garbage] of view.garbage) {
      if (ids !== null && !ids.has(id)) continue;
      if (garbage.hold || this.#parts.uses.userOf(id) !== null) continue;
      if (this.#parts.collector.failuresOf(id) < FAILURES_TO_TELL) return true;
    }
    return false;
  }
}

/** What the trouble is, once it lasts long enough to be told. */
function told(trouble: ApiTrouble | null): string | null {
  return trouble !== null && trouble.failures >= FAILURES_TO_TELL ? trouble.message : null;
}

function unreachable(why: string): Fault {
  return new Fault(`the API does not answer: ${why}`, {
    disposition: 'retry',
    outcome: 'refused',
    rule: 'unreachable',
  });
}
