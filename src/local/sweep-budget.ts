/** In the long run sweeps may take a tenth of one core … */
const PERIOD_PER_COST = 10;
/** … and this much at once, so that files that come one by one need not wait. */
const BURST_MS = 50;

/** How soon the next sweep may start. All times by one monotonic clock. */
export class SweepBudget {
  /** Cost that is not yet made up for by time that went by. */
  #debtMs = 0;
  #settledAtMs = Number.NEGATIVE_INFINITY;

  spend(costMs: number, nowMs: number): void {
    this.#settle(nowMs);
    this.#debtMs += costMs;
  }

  /** Milliseconds to wait; 0: none. */
  pauseMs(nowMs: number): number {
    this.#settle(nowMs);
    return Math.max(0, this.#debtMs - BURST_MS) * PERIOD_PER_COST;
  }

  #settle(nowMs: number): void {
    this.#debtMs = Math.max(0, this.#debtMs - (nowMs - this.#settledAtMs) / PERIOD_PER_COST);
    this.#settledAtMs = nowMs;
  }
}
