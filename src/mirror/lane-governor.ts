import type { Core } from './core.ts';
import { nowSeconds } from './core.ts';
import type { Fault } from './faults.ts';

/** This many failures of single uploads in a row say that the API, not the file, is the trouble. */
const FAILURES_TO_HOLD = 3;
const AUTH_PROBE_MS = 60_000;
const QUOTA_FIRST_MS = 60_000;
const QUOTA_LAST_MS = 1_800_000;

/**
 * Slows the upload lane down when the API is in trouble: holds it for as long as the server asks, or with
 * backoff, then lets one upload through to find out, and opens it when that succeeds. Also the two halts that
 * only the API can end: `auth` (one probe a minute) and `quota` (one try after a long, growing wait).
 */
export class LaneGovernor {
  readonly #core: Core;
  #failuresInRow = 0;
  #quotaRefusals = 0;
  #nextProbeMs = 0;
  #askedUntilMs = 0;
  /** Until when the lane waits because of failures, whatever the reason. */
  #heldUntilMs = 0;
  #lastMessage: string | null = null;
  #isProbing = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** An upload was accepted, or refused for reasons of its file: the API works. */
  works(): void {
    this.#quotaRefusals = 0;
    this.#failuresInRow = 0;
    this.#lastMessage = null;
    this.#heldUntilMs = this.#askedUntilMs;
    this.#core.queue.setProbing(false);
    this.#core.queue.release('upload', 'backoff');
  }

  /** An upload failed in a way that may concern all of them. */
  failed(fault: Fault): void {
    const now = this.#core.clock.monotonicMs();
    this.#lastMessage = fault.message;
    // RACE: what was under way together fails together; that is one failure of the API, not many.
    const isHeld = now < this.#heldUntilMs;
    if (!isHeld) this.#failuresInRow += 1;
    if (fault.scope !== 'lane' && this.#failuresInRow < FAILURES_TO_HOLD) return;
    if (isHeld && fault.retryAfterMs === null) return;
    const failures = Math.max(
      1,
      fault.scope === 'lane' ? this.#failuresInRow : this.#failuresInRow - FAILURES_TO_HOLD + 1,
    );
    const forMs = fault.retryAfterMs ?? this.#core.queue.backoffMs(failures);
    this.#heldUntilMs = Math.max(this.#heldUntilMs, now + forMs);
    if (fault.retryAfterMs === null) this.#core.queue.hold('upload', 'backoff', fault.message, forMs);
    else this.#holdAsAsked(fault.message, fault.retryAfterMs);
    this.#core.queue.setProbing(true);
    if (isHeld) return;
    // Said at the first trouble, and then ever more seldom.
    if (Number.isInteger(Math.log2(failures))) {
      this.#core.listener({
        kind: 'warning',
        message: `uploads wait ${(forMs / 1000).toFixed(1)} s: ${fault.message}`,
      });
    }
  }

  /** What the server asked for holds to its end, whatever other uploads that were under way bring back. */
  #holdAsAsked(why: string, forMs: number): void {
    const untilMs = this.#core.clock.monotonicMs() + forMs;
    if (untilMs <= this.#askedUntilMs) return;
    this.#askedUntilMs = untilMs;
    this.#core.queue.hold('upload', 'retry-after', why, forMs);
  }

  /** Consecutive failures that concern the API as a whole, and the last one's message: for those who give up. */
  trouble(): { readonly failures: number; readonly message: string } | null {
    return this.#lastMessage === null ? null : { failures: this.#failuresInRow, message: this.#lastMessage };
  }

  /** Raises the halt that the fault names. */
  halt(fault: Fault): void {
    const since = nowSeconds(this.#core);
    const cause = fault.message;
    const now = this.#core.clock.monotonicMs();
    if (fault.halt === 'auth') {
      if (!this.#core.halts.has('auth')) this.#nextProbeMs = now + AUTH_PROBE_MS;
      this.#core.halts.raise({
        name: 'auth',
        since,
        cause,
        held: 'nothing is sent; files stay queued',
        next: 'give it a valid API key, then reload (SIGHUP) or restart; it also tries again once a minute',
        folder: null,
      });
    } else if (fault.halt === 'quota' && !this.#core.halts.has('quota')) {
      // RACE: uploads that were under way together are refused together, which counts once.
      this.#quotaRefusals += 1;
      this.#nextProbeMs = now + Math.min(QUOTA_LAST_MS, QUOTA_FIRST_MS * 2 ** (this.#quotaRefusals - 1));
      this.#core.halts.raise({
        name: 'quota',
        since,
        cause,
        held: 'uploads wait; deletes go on',
        next: 'free storage or raise the limit at the API; it tries again by itself',
        folder: null,
      });
    }
  }

  /**
   * To be called now and then: ends the halts whose cause may have ended. Returns the monotonic time at which it
   * wants to be called again, or null.
   */
  tick(signal: AbortSignal): number | null {
    const { halts, clock, queue } = this.#core;
    if (!halts.has('auth') && !halts.has('quota')) return null;
    if (clock.monotonicMs() < this.#nextProbeMs) return this.#nextProbeMs;
    if (halts.has('auth')) {
      // Not waited for: an API that does not answer would hold up whoever calls this for minutes.
      // A probe that takes longer than a minute brings no new time; whoever asks comes back by itself.
      if (this.#isProbing) return null;
      void this.#probe(signal);
      return this.#nextProbeMs;
    }
    // Whether there is room again, only an upload can tell: one is let through.
    queue.setProbing(true);
    halts.end('quota');
    return null;
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const { halts, clock, api } = this.#core;
    this.#nextProbeMs = clock.monotonicMs() + AUTH_PROBE_MS;
    this.#isProbing = true;
    try {
      await api.probe(signal);
      halts.end('auth');
    } catch {
      // Still refused, or not answered: it is asked again in a minute.
    } finally {
      this.#isProbing = false;
    }
  }

  /** The configuration or the key may have changed: try at once. */
  retryNow(): void {
    this.#nextProbeMs = 0;
    this.#heldUntilMs = this.#askedUntilMs;
    this.#core.queue.release('upload', 'backoff');
  }
}
