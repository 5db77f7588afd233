import type { Fault } from '../../contract/faults.ts';
import type { Lane, Clock, Listener, SendQueue } from '../../contract/ports.ts';

/** This many files or ids that failed in a row, each for itself, say that the API is the trouble. */
const SUSPECTS_TO_HOLD = 3;

/** Failures in a row that concern the API as a whole, and what the last one said. */
export interface ApiTrouble {
  readonly failures: number;
  readonly message: string;
}

/** What it works with. */
interface Parts {
  readonly clock: Clock;
  readonly listener: Listener;
  readonly queue: SendQueue;
  readonly lane: Lane;
}

/**
 * Slows a lane down when the API is in trouble: holds it for as long as the server asks, or with backoff, then lets
 * one request through to find out, and opens it when that succeeds.
 */
export class LaneGovernor {
  readonly #parts: Parts;
  /** Files or ids that failed for themselves since something last worked. */
  readonly #suspects = new Set<string>();
  /** How often in a row the lane had to wait. */
  #waits = 0;
  #failuresInRow = 0;
  #askedUntilMs = 0;
  /** Until when the lane waits because of failures, whatever the reason. */
  #heldUntilMs = 0;
  #lastMessage = '';

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A request was granted, or refused for reasons of its file: the API works. */
  works(): void {
    this.#suspects.clear();
    this.#waits = 0;
    this.#failuresInRow = 0;
    this.#heldUntilMs = this.#askedUntilMs;
    this.#parts.queue.setProbing(this.#parts.lane, false);
    this.#parts.queue.release(this.#parts.lane, 'backoff');
  }

  /**
   * A request failed. `suspect`: the file or id that may itself be the cause; null: it cannot be. Returns whether it
   * was taken for a failure of the API: then the lane waits, and there is nothing to be said about the suspect.
   */
  failed(fault: Fault, suspect: string | null): boolean {
    const now = this.#parts.clock.monotonicMs();
    // RACE: what was under way together fails together; that is one failure of the API, not many.
    const isHeld = now < this.#heldUntilMs;
    const isApi = this.#blamesApi(fault, suspect);
    if (!isHeld && (isApi || fault.status === null)) {
      this.#failuresInRow += 1;
      this.#lastMessage = fault.message;
    }
    if (!isApi) return false;
    if (isHeld && fault.retryAfterMs === null) return true;
    if (!isHeld) this.#waits += 1;
    const forMs = fault.retryAfterMs ?? this.#parts.queue.backoffMs(this.#waits);
    this.#heldUntilMs = Math.max(this.#heldUntilMs, now + forMs);
    if (fault.retryAfterMs === null)
      this.#parts.queue.hold(this.#parts.lane, 'backoff', fault.message, forMs);
    else this.#holdAsAsked(fault.message, fault.retryAfterMs);
    this.#parts.queue.setProbing(this.#parts.lane, true);
    // Said at the first trouble, and then ever more seldom.
    if (!isHeld && Number.isInteger(Math.log2(this.#waits))) {
      this.#parts.listener({
        kind: 'warning',
        message: `${this.#parts.lane}s wait ${(forMs / 1000).toFixed(1)} s: ${fault.message}`,
      });
    }
    return true;
  }

  /** Consecutive failures that concern the API as a whole, and the last one's message: for those who give up. */
  trouble(): ApiTrouble | null {
    return this.#failuresInRow === 0 ? null : { failures: this.#failuresInRow, message: this.#lastMessage };
  }

  /** The configuration or the key may have changed: try at once. */
  retryNow(): void {
    this.#heldUntilMs = this.#askedUntilMs;
    this.#parts.queue.release(this.#parts.lane, 'backoff');
  }

  /** One that fails again and again says nothing new about the others. */
  #blamesApi(fault: Fault, suspect: string | null): boolean {
    if (suspect === null || fault.scope === 'lane') return true;
    if (this.#suspects.size < SUSPECTS_TO_HOLD) this.#suspects.add(suspect);
    return this.#suspects.size >= SUSPECTS_TO_HOLD;
  }

  /** What the server asked for holds to its end, whatever other requests that were under way bring back. */
  #holdAsAsked(why: string, forMs: number): void {
    const untilMs = this.#parts.clock.monotonicMs() + forMs;
    if (untilMs <= this.#askedUntilMs) return;
    this.#askedUntilMs = untilMs;
    this.#parts.queue.hold(this.#parts.lane, 'retry-after', why, forMs);
  }
}
