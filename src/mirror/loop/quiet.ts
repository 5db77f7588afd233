import type { Worklist } from '../waiting/worklist.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import { needOf } from '../../contract/attention.ts';
import type { Collector } from '../acts/collector.ts';
import type { Deleter } from '../acts/deleter.ts';
import type { Failures } from '../memory/failures.ts';
import { Fault } from '../../contract/faults.ts';
import type { ApiTrouble, LaneGovernor } from '../acts/lane-governor.ts';
import type { Lane, Clock } from '../../contract/ports.ts';
import type { FlushResult, PathReport } from '../../contract/report.ts';
import type { ScopeGuard } from '../acts/scope-guard.ts';
import type { FileId, MirrorPath, PathState, ManifestView } from '../../contract/types.ts';

/** After this many failures in a row, a failure is an answer: who waits is told, the retries go on. */
const FAILURES_TO_TELL = 5;
const SEARCHES_TO_TELL = 2;
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
    let garbage: ReadonlySet<FileId> | null = null;
    let pollMs = FIRST_POLL_MS;
    for (;;) {
      const patienceMs = SETTLING_TO_TELL_MS + 2 * this.#parts.config.settings.settleMs;
      const impatient = clock.monotonicMs() - startedMs > patienceMs;
      // One that is not answered decides; the rest need not be asked at every poll.
      for (const path of open ?? []) {
        if (!this.#isAnswered(path, impatient)) break;
        open?.delete(path);
      }
      const busy = open === null ? this.#anyOpen(impatient) : open.size > 0;
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
      if (garbage.hold || (failures === 0 && trouble === null)) continue;
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

  #anyOpen(impatient: boolean): boolean {
    for (const path of this.#parts.worklist.paths()) if (!this.#isAnswered(path, impatient)) return true;
    for (const path of this.#parts.deleter.waitingPaths())
      if (!this.#isAnswered(path, impatient)) return true;
    return false;
  }

  /** Resolves when the path is mirrored or has a final reason not to be. */
  async untilKnown(path: MirrorPath, signal: AbortSignal): Promise<PathReport> {
    const { clock, notes, worklist } = this.#parts;
    let pollMs = FIRST_POLL_MS;
    for (;;) {
      const report = notes.report(path);
      // A skipped path is looked at again now and then, but that is an answer all the same.
      const isAtRest = !worklist.has(path) || report?.state === 'skipped';
      if (report !== null && isAtRest && FINAL.has(report.state) && !this.#isHeldByHalt(report.state))
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
    return this.#troubleOf('upload') ?? this.#troubleOf('delete');
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

  #isAnswered(path: MirrorPath, impatient: boolean): boolean {
    const { worklist, notes, halts, view } = this.#parts;
    if (this.#parts.deleter.isWaiting(path)) {
      const isStuck = halts.holds('delete') || this.#troubleOf('delete') !== null;
      return isStuck || this.#parts.deleter.isHeld(path) || notes.stateOf(path) === 'held';
    }
    if (!worklist.has(path)) return true;
    if (halts.has('root')) return true;
    const state = notes.stateOf(path);
    // Stopped lanes and an API that does not answer hold everything that has something to send.
    const isStuck = halts.holds('upload') || this.#unreachable() !== null;
    if (isStuck && (state === 'pending' || state === 'failed' || state === 'held')) return true;
    // Sent, and it cannot be recorded: its intent stays open until it can.
    if (state === 'uploading' && halts.has('state')) return true;
    if (state === 'failed') {
      // Each search for an upload of unknown outcome takes minutes: who waits is told when a second one begins.
      const enough = view.intents.has(path) ? SEARCHES_TO_TELL : FAILURES_TO_TELL;
      return this.#parts.failures.total(path) >= enough;
    }
    if (state === 'settling') return impatient;
    return state === 'skipped' || state === 'held';
  }

  /** `ids` null: any. */
  #garbageIsMoving(ids: ReadonlySet<FileId> | null): boolean {
    const { view, halts } = this.#parts;
    const { settings } = this.#parts.config;
    if (!settings.canDelete || halts.holds('delete') || this.#troubleOf('delete') !== null) return false;
    for (const [id, garbage] of view.garbage) {
      if (ids !== null && !ids.has(id)) continue;
      if (!garbage.hold && this.#parts.collector.failuresOf(id) < FAILURES_TO_TELL) return true;
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
