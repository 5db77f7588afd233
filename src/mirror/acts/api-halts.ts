import type { HaltBoard } from '../memory/halts.ts';
import type { FilesApi, Clock, SendQueue } from '../../contract/ports.ts';
import { nowSeconds } from '../../contract/times.ts';
import { type Fault, survivable } from '../../contract/faults.ts';

const AUTH_PROBE_MS = 60_000;
const QUOTA_FIRST_MS = 60_000;
const QUOTA_LAST_MS = 1_800_000;

/** What it works with. */
interface Parts {
  readonly api: FilesApi;
  readonly broke: (error: unknown) => void;
  readonly clock: Clock;
  readonly halts: HaltBoard;
  readonly queue: SendQueue;
}

/**
 * The two halts that only the API can end: `auth` (one probe a minute) and `quota` (one upload after a long, growing
 * wait).
 */
export class ApiHalts {
  readonly #parts: Parts;
  #quotaRefusals = 0;
  #nextProbeMs = 0;
  #isProbing = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** An upload was accepted, or refused for reasons of its file: there is room. */
  uploadWorks(): void {
    this.#quotaRefusals = 0;
  }

  /** Raises the halt that the fault names. */
  raise(fault: Fault): void {
    const since = nowSeconds(this.#parts);
    const cause = fault.message;
    const now = this.#parts.clock.monotonicMs();
    if (fault.halt === 'auth') {
      if (!this.#parts.halts.has('auth')) this.#nextProbeMs = now + AUTH_PROBE_MS;
      this.#parts.halts.raise({
        name: 'auth',
        since,
        cause,
        held: 'nothing is sent; files stay queued',
        folder: null,
      });
    } else if (fault.halt === 'quota' && !this.#parts.halts.has('quota')) {
      // RACE: uploads that were under way together are refused together, which counts once.
      this.#quotaRefusals += 1;
      this.#nextProbeMs = now + Math.min(QUOTA_LAST_MS, QUOTA_FIRST_MS * 2 ** (this.#quotaRefusals - 1));
      this.#parts.halts.raise({
        name: 'quota',
        since,
        cause,
        held: 'uploads wait; deletes go on',
        folder: null,
      });
    }
  }

  /**
   * To be called now and then: ends the halts whose cause may have ended. Returns the monotonic time at which it
   * wants to be called again, or null.
   */
  tick(signal: AbortSignal): number | null {
    const { halts, clock, queue } = this.#parts;
    if (!halts.has('auth') && !halts.has('quota')) return null;
    if (clock.monotonicMs() < this.#nextProbeMs) return this.#nextProbeMs;
    if (halts.ofEverything('auth') !== null) return null;
    if (halts.has('auth')) {
      // Not waited for: an API that does not answer would hold up whoever calls this for minutes.
      // A probe that takes longer than a minute brings no new time; whoever asks comes back by itself.
      if (this.#isProbing) return null;
      this.#probe(signal).catch((error: unknown) => this.#parts.broke(error));
      return this.#nextProbeMs;
    }
    // Whether there is room again, only an upload can tell: one is let through.
    queue.setProbing('upload', true);
    halts.end('quota');
    return null;
  }

  /** The configuration or the key may have changed: try at once. */
  retryNow(): void {
    this.#nextProbeMs = 0;
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const { halts, clock, api } = this.#parts;
    this.#nextProbeMs = clock.monotonicMs() + AUTH_PROBE_MS;
    this.#isProbing = true;
    try {
      await api.probe(signal);
      halts.end('auth');
    } catch (error) {
      if (signal.aborted) return;
      // Still refused, or not answered: it is asked again in a minute.
      survivable(error);
    } finally {
      this.#isProbing = false;
    }
  }
}
