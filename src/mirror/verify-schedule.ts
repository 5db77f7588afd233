import type { Core } from './core.ts';
import { nowSeconds } from './core.ts';
import { survivable } from './faults.ts';
import type { VerifyReport } from './report.ts';
import type { Verifier } from './verifier.ts';

/** When to hold the manifest against the remote: on request, and every `verifyMs`. */
export class VerifySchedule {
  readonly #core: Core;
  readonly #verifier: Verifier;
  #dueMs = Number.POSITIVE_INFINITY;
  #running: Promise<unknown> | null = null;
  #lastVerifyAt: number | null = null;

  constructor(core: Core, verifier: Verifier) {
    this.#core = core;
    this.#verifier = verifier;
  }

  /** Unix seconds; null: not in this run. */
  get lastVerifyAt(): number | null {
    return this.#lastVerifyAt;
  }

  /** The next one is due a whole period from now. */
  restart(): void {
    const { clock, settings } = this.#core;
    this.#dueMs =
      settings.verifyMs === 0 ? Number.POSITIVE_INFINITY : clock.monotonicMs() + settings.verifyMs;
  }

  async verify(repair: boolean, signal: AbortSignal, wait = false): Promise<VerifyReport> {
    const report = await this.#verifier.verify(repair, signal, wait);
    this.#lastVerifyAt = nowSeconds(this.#core);
    this.restart();
    return report;
  }

  /** Starts the periodic one when it is due. A failed one is told, and tried again at the next period. */
  tick(signal: AbortSignal): void {
    const { broke, clock, halts, listener } = this.#core;
    if (clock.monotonicMs() < this.#dueMs || this.#running !== null) return;
    // What it would find lost could not be uploaded, and not be recorded perhaps.
    if (halts.holdsEverything()) return;
    this.restart();
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

  /** Resolves when no periodic one runs any more. */
  async stopped(): Promise<void> {
    await this.#running;
  }
}
