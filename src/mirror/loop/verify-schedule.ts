import type { LostFiles } from '../memory/lost-files.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import type { Clock, Listener } from '../../contract/ports.ts';
import { nowSeconds } from '../../contract/times.ts';
import { survivable } from '../../contract/faults.ts';
import type { VerifyReport } from '../../contract/report.ts';
import type { Verifier } from '../acts/verifier.ts';

/** A program that is started again and again does not begin with a listing of everything each time. */
const NOT_BEFORE_MS = 60_000;

/** What it works with. */
interface Parts {
  readonly broke: (error: unknown) => void;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly ledger: Ledger;
  readonly listener: Listener;
  readonly verifier: Verifier;
  readonly lost: LostFiles;
}

/**
 * When to hold the manifest against the remote: on request, and every `verifyMs`, however often the program is started
 * anew in between.
 */
export class VerifySchedule {
  readonly #parts: Parts;
  #dueMs = Number.POSITIVE_INFINITY;
  #running: Promise<unknown> | null = null;
  /** When the last one ended whose repairs are still to be made, unix seconds. */
  #unrecordedAt: number | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Unix seconds; null: never. */
  get lastVerifyAt(): number | null {
    return this.#unrecordedAt ?? this.#parts.ledger.memory.lastVerifyAt;
  }

  /** The next one is due a whole period after the last one, whichever run that was in. */
  resume(): void {
    const { clock, ledger } = this.#parts;
    const { settings } = this.#parts.config;
    const from = ledger.memory.verifyCountsFrom;
    const passedMs = from === null ? 0 : Math.max(0, clock.wallMs() - from * 1000);
    this.#dueIn(Math.max(Math.min(NOT_BEFORE_MS, settings.verifyMs), settings.verifyMs - passedMs));
  }

  /** Throws `Fault`, or the signal's reason. */
  async verify(repair: boolean, signal: AbortSignal, wait = false): Promise<VerifyReport> {
    const report = await this.#parts.verifier.verify(repair, signal, wait);
    // What only told of losses leaves them to the next one that is due.
    if (repair || report.missing.length === 0) {
      this.#unrecordedAt = nowSeconds(this.#parts);
      this.#dueIn(this.#parts.config.settings.verifyMs);
    }
    return report;
  }

  /** Starts the periodic one when it is due. A failed one is told, and tried again at the next period. */
  async tick(signal: AbortSignal): Promise<void> {
    const { broke, clock, halts, listener } = this.#parts;
    const { settings } = this.#parts.config;
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
    const { clock } = this.#parts;
    const { settings } = this.#parts.config;
    this.#dueMs = settings.verifyMs === 0 ? Number.POSITIVE_INFINITY : clock.monotonicMs() + ms;
  }

  /** INVARIANT: one that found losses is on record only when they were made good: a restart before that verifies anew. */
  async #record(): Promise<void> {
    const { halts, ledger } = this.#parts;
    const { settings } = this.#parts.config;
    if (halts.has('state')) return;
    const doneAt = this.#unrecordedAt;
    if (doneAt !== null && !this.#parts.lost.any()) {
      if (!(await ledger.tryRemember({ lastVerifyAt: doneAt, verifyCountsFrom: doneAt }))) return;
      if (this.#unrecordedAt === doneAt) this.#unrecordedAt = null;
    } else if (settings.verifyMs > 0 && ledger.memory.verifyCountsFrom === null) {
      await ledger.tryRemember({ verifyCountsFrom: nowSeconds(this.#parts) });
    }
  }

  /** Resolves when no periodic one runs any more. */
  async stopped(): Promise<void> {
    await this.#running;
  }
}
