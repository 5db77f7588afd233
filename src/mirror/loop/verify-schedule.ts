import type { Core } from '../acts/core.ts';
import { nowSeconds } from '../acts/core.ts';
import { survivable } from '../../contract/faults.ts';
import type { VerifyReport } from '../../contract/report.ts';
import type { Verifier } from '../acts/verifier.ts';

/** A program that is started again and again does not begin with a listing of everything each time. */
const NOT_BEFORE_MS = 60_000;

/**
 * When to hold the manifest against the remote: on request, and every `verifyMs`, however often the program is started
 * anew in between.
 */
export class VerifySchedule {
  readonly #core: Core;
  readonly #verifier: Verifier;
  readonly #hasLost: () => boolean;
  #dueMs = Number.POSITIVE_INFINITY;
  #running: Promise<unknown> | null = null;
  /** When the last one ended whose repairs are still to be made, unix seconds. */
  #unrecordedAt: number | null = null;

  /** `hasLost`: whether something that was found lost still waits to be uploaded again. */
  constructor(core: Core, verifier: Verifier, hasLost: () => boolean) {
    this.#core = core;
    this.#verifier = verifier;
    this.#hasLost = hasLost;
  }

  /** Unix seconds; null: never. */
  get lastVerifyAt(): number | null {
    return this.#unrecordedAt ?? this.#core.ledger.memory.lastVerifyAt;
  }

  /** The next one is due a whole period after the last one, whichever run that was in. */
  resume(): void {
    const { clock, ledger, settings } = this.#core;
    const from = ledger.memory.verifyCountsFrom;
    const passedMs = from === null ? 0 : Math.max(0, clock.wallMs() - from * 1000);
    this.#dueIn(Math.max(Math.min(NOT_BEFORE_MS, settings.verifyMs), settings.verifyMs - passedMs));
  }

  /** Throws `Fault`, or the signal's reason. */
  async verify(repair: boolean, signal: AbortSignal, wait = false): Promise<VerifyReport> {
    const report = await this.#verifier.verify(repair, signal, wait);
    // What only told of losses leaves them to the next one that is due.
    if (repair || report.missing.length === 0) {
      this.#unrecordedAt = nowSeconds(this.#core);
      this.#dueIn(this.#core.settings.verifyMs);
    }
    return report;
  }

  /** Starts the periodic one when it is due. A failed one is told, and tried again at the next period. */
  async tick(signal: AbortSignal): Promise<void> {
    const { broke, clock, halts, listener, settings } = this.#core;
    await this.#record();
    if (clock.monotonicMs() < this.#dueMs || this.#running !== null) return;
    // What it would find lost could not be uploaded, and not be recorded perhaps.
    if (halts.holdsEverything()) return;
    this.#dueIn(settings.verifyMs);
    this.#running = this.verify(true, signal)
      .catch((error: unknown) => {
        if (signal.aborted) return;
        listener({ kind: 'warning', message: `verifying failed: ${survivable(error).message}` });
      })
      .catch((error: unknown) => broke(error))
      .finally(() => {
        this.#running = null;
      });
  }

  #dueIn(ms: number): void {
    const { clock, settings } = this.#core;
    this.#dueMs = settings.verifyMs === 0 ? Number.POSITIVE_INFINITY : clock.monotonicMs() + ms;
  }

  /** INVARIANT: one that found losses is on record only when they were made good: a restart before that verifies anew. */
  async #record(): Promise<void> {
    const { halts, ledger, settings } = this.#core;
    if (halts.has('state')) return;
    const doneAt = this.#unrecordedAt;
    if (doneAt !== null && !this.#hasLost()) {
      if (!(await ledger.tryRemember({ lastVerifyAt: doneAt, verifyCountsFrom: doneAt }))) return;
      if (this.#unrecordedAt === doneAt) this.#unrecordedAt = null;
    } else if (settings.verifyMs > 0 && ledger.memory.verifyCountsFrom === null) {
      await ledger.tryRemember({ verifyCountsFrom: nowSeconds(this.#core) });
    }
  }

  /** Resolves when no periodic one runs any more. */
  async stopped(): Promise<void> {
    await this.#running;
  }
}
