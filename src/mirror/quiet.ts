import type { Core } from './core.ts';
import type { Deleter } from './deleter.ts';
import type { Failures } from './failures.ts';
import type { LaneGovernor } from './lane-governor.ts';
import type { FlushResult, PathReport } from './report.ts';
import type { MirrorPath, PathState } from './types.ts';

/** After this many failures in a row, a failure is an answer: who waits is told, the retries go on. */
const FAILURES_TO_TELL = 5;
/** A file that still changes after this long is not waited for. */
const SETTLING_TO_TELL_MS = 30_000;
const FIRST_POLL_MS = 10;
const LAST_POLL_MS = 250;

const FINAL: ReadonlySet<PathState> = new Set(['synced', 'rejected', 'skipped', 'ignored', 'expired', 'kept', 'held']);

/** Waiting for rest: `flush`, `sync` and `id --wait`. */
export class Quiet {
  readonly #core: Core;
  readonly #deleter: Deleter;
  readonly #governor: LaneGovernor;
  readonly #failures: Failures;

  constructor(core: Core, deleter: Deleter, governor: LaneGovernor, failures: Failures) {
    this.#core = core;
    this.#deleter = deleter;
    this.#governor = governor;
    this.#failures = failures;
  }

  /** Resolves when each of `paths` (null: every path, now or later) is mirrored or has a reason, and garbage is gone. */
  async untilDone(paths: Set<MirrorPath> | null, signal: AbortSignal): Promise<FlushResult> {
    const { clock, worklist } = this.#core;
    const startedMs = clock.monotonicMs();
    let pollMs = FIRST_POLL_MS;
    for (;;) {
      const impatient = clock.monotonicMs() - startedMs > SETTLING_TO_TELL_MS;
      const waitsForDelete = [...this.#deleter.waitingPaths()].filter((path) => paths === null || paths.has(path));
      let busy = waitsForDelete.some((path) => !this.#deleteIsAnswered(path)) || this.#garbageIsMoving();
      for (const path of paths ?? worklist.paths()) {
        if (!this.#isAnswered(path, impatient)) busy = true;
        else paths?.delete(path);
        if (busy && paths === null) break;
      }
      // A path whose delete waits for its grace period rests outside the worklist, and is not done yet.
      for (const path of waitsForDelete) paths?.add(path);
      if (!busy) return { problems: [...this.#core.notes.problems()], halts: this.#core.halts.all() };
      await clock.sleep(pollMs, signal);
      pollMs = Math.min(LAST_POLL_MS, pollMs * 1.5);
    }
  }

  /** Resolves when the path is mirrored or has a final reason not to be. */
  async untilKnown(path: MirrorPath, signal: AbortSignal): Promise<PathReport> {
    const { clock, notes, worklist } = this.#core;
    let pollMs = FIRST_POLL_MS;
    for (;;) {
      const report = notes.report(path);
      if (report !== null && !worklist.has(path) && FINAL.has(report.state) && !this.#isHeldByHalt(report.state)) return report;
      await clock.sleep(pollMs, signal);
      pollMs = Math.min(LAST_POLL_MS, pollMs * 1.5);
    }
  }

  /** Why the API cannot be reached, once it failed often enough in a row; null: it can, or it is too early to say. */
  unreachable(): string | null {
    const trouble = this.#governor.trouble();
    return trouble !== null && trouble.failures >= FAILURES_TO_TELL ? trouble.message : null;
  }

  #isHeldByHalt(state: PathState): boolean {
    return state === 'held' && this.#core.halts.all().length > 0;
  }

  #isAnswered(path: MirrorPath, impatient: boolean): boolean {
    const { worklist, notes, halts } = this.#core;
    if (!worklist.has(path)) return true;
    // Stopped lanes and an API that does not answer hold everything that has something to send.
    const state = notes.stateOf(path);
    if (halts.has('root')) return true;
    if (halts.holds('upload') && (state === 'pending' || state === 'failed' || state === 'held')) return !this.#isSending(path);
    if (this.unreachable() !== null && (state === 'pending' || state === 'failed')) return !this.#isSending(path);
    if (state === 'failed') return this.#failures.total(path) >= FAILURES_TO_TELL;
    if (state === 'settling') return impatient;
    return state === 'skipped' || state === 'held';
  }

  #isSending(path: MirrorPath): boolean {
    return this.#core.notes.stateOf(path) === 'uploading';
  }

  #deleteIsAnswered(path: MirrorPath): boolean {
    const { halts } = this.#core;
    return this.#deleter.isHeld(path) || halts.holds('delete') || this.#core.notes.stateOf(path) === 'held';
  }

  #garbageIsMoving(): boolean {
    const { view, halts } = this.#core;
    if (halts.holds('delete')) return false;
    for (const [id, garbage] of view.garbage) {
      if (!garbage.hold && this.#deleter.failuresOf(id) < FAILURES_TO_TELL) return true;
    }
    return false;
  }
}
