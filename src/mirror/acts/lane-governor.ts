import type { Fault } from '../../contract/faults.ts';
import type { Lane, Clock, Listener, SendQueue } from '../../contract/ports.ts';
import { laneAfter, UNTROUBLED, type LaneEvent } from '../judge/lane.ts';

const SENT: Readonly<Record<Lane, string>> = { upload: 'uploads', delete: 'deletes', ask: 'questions' };

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
 * Slows a lane down when the API is in trouble (`judge/lane.ts`): makes it wait for as long as the server asks, or with
 * backoff, then lets one request through to find out, and opens it when that succeeds.
 */
export class LaneGovernor {
  readonly #parts: Parts;
  #state = UNTROUBLED;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A request was granted, or refused for reasons of its file: the API works. */
  works(): void {
    this.#note({ kind: 'works' });
  }

  /**
   * A request failed. `suspect`: the file or id that may itself be the cause; null: it cannot be. Returns whether it
   * was taken for a failure of the API: then the lane waits, and there is nothing to be said about the suspect.
   */
  failed(fault: Fault, suspect: string | null): boolean {
    const { clock, queue } = this.#parts;
    const backoffMs = queue.backoffMs(this.#state.waits + 1);
    return this.#note({ kind: 'failed', fault, suspect, nowMs: clock.monotonicMs(), backoffMs });
  }

  /** Consecutive failures that concern the API as a whole, and the last one's message: for those who give up. */
  trouble(): ApiTrouble | null {
    const { failures, lastMessage } = this.#state;
    return failures === 0 ? null : { failures, message: lastMessage };
  }

  /** The configuration or the key may have changed: try at once. */
  retryNow(): void {
    this.#note({ kind: 'reconfigured' });
  }

  #note(event: LaneEvent): boolean {
    const { queue, lane, listener } = this.#parts;
    const { state, isApi, hold, endsBackoff, probing, tellsWaitMs } = laneAfter(this.#state, event);
    this.#state = state;
    if (hold !== null) queue.hold(lane, hold.name, hold.why, hold.forMs);
    if (probing !== null) queue.setProbing(lane, probing);
    if (endsBackoff) queue.release(lane, 'backoff');
    if (tellsWaitMs !== null) {
      const wait = `${SENT[lane]} wait ${(tellsWaitMs / 1000).toFixed(1)} s`;
      listener({ kind: 'warning', message: `${wait}: ${state.lastMessage}` });
    }
    return isApi;
  }
}
