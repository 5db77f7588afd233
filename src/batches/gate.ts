import type { BatchHoldReason } from '../contract/batch.ts';
import type { BatchListener } from '../contract/batch-report.ts';
import type { Clock } from '../contract/ports.ts';
import type { Hold } from './cost-guards.ts';
import { growingPauseMs } from './poll-times.ts';

const FIRST_PAUSE_MS: Readonly<Record<'access' | 'quota' | 'server', number>> = {
  access: 60_000,
  quota: 60_000,
  server: 2_000,
};
const LONGEST_PAUSE_MS = 3_600_000;
const LONGEST_SERVER_PAUSE_MS = 300_000;

/** What stands in the way of all submissions: told once, and tried again by the next one after a growing pause. */
export class Gate {
  readonly #clock: Clock;
  readonly #listener: BatchListener;
  #closed: { why: BatchHoldReason; text: string; untilMs: number; failures: number } | null = null;
  #told = '';

  constructor(clock: Clock, listener: BatchListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  close(why: 'access' | 'quota' | 'server', text: string, retryAfterMs: number | null): void {
    const failures = this.#closed?.why === why ? this.#closed.failures + 1 : 1;
    const longest = why === 'server' ? LONGEST_SERVER_PAUSE_MS : LONGEST_PAUSE_MS;
    const pauseMs = Math.max(retryAfterMs ?? 0, growingPauseMs(failures, FIRST_PAUSE_MS[why], longest));
    this.#closed = { why, text, untilMs: this.#clock.monotonicMs() + pauseMs, failures };
    if (why === 'server' || this.#told === why) return;
    this.#told = why;
    this.#listener({ kind: 'warning', message: `no batches are submitted: ${text}` });
  }

  open(): void {
    this.#closed = null;
    this.#told = '';
  }

  /** The next submission may find out now whether it is over. */
  tryNow(): void {
    if (this.#closed !== null) this.#closed.untilMs = this.#clock.monotonicMs();
  }

  get hold(): Hold | null {
    const closed = this.#closed;
    const leftMs = closed === null ? 0 : closed.untilMs - this.#clock.monotonicMs();
    if (closed === null || leftMs <= 0) return null;
    return { why: closed.why, text: closed.text, until: Math.ceil((this.#clock.wallMs() + leftMs) / 1_000) };
  }

  /** Monotonic; null: it is open. */
  get opensAtMs(): number | null {
    return this.hold === null ? null : (this.#closed?.untilMs ?? null);
  }
}
