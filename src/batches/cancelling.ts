import type { BatchesApi, BatchRecord, RemoteBatch, SubmissionId } from '../contract/batch.ts';
import { survivable } from '../contract/faults.ts';
import type { Clock } from '../contract/ports.ts';
import { planOf } from './batch-plan.ts';
import { LOST, hasEnded, saidOf } from './batch-status.ts';
import { growingPauseMs } from './poll-times.ts';
import type { Shelf } from './shelf.ts';

interface Parts {
  readonly api: BatchesApi;
  readonly clock: Clock;
  readonly shelf: Shelf;
  /** What the server said of a batch of a record. */
  readonly heard: (said: Iterable<RemoteBatch>, signal: AbortSignal) => Promise<void>;
}

const AGAIN_MS = { first: 15_000, last: 600_000 };

interface Target {
  readonly id: SubmissionId;
  readonly batch: string;
  readonly isTwin: boolean;
}

/** Asks for the end of batches: of those whose end is wished, and of twins. Only of what is surely ours, or wished by a person. */
export class Cancelling {
  readonly #parts: Parts;
  readonly #asked = new Map<string, { readonly times: number; readonly nextMs: number }>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Batches that are to be cancelled, with their submissions. */
  get #targets(): Target[] {
    const targets: Target[] = [];
    for (const [id, record] of this.#parts.shelf.index.active) {
      if (isToBeCancelled(record) && record.batch !== null)
        targets.push({ id, batch: record.batch.id, isTwin: false });
      for (const twin of record.twins) if (!twin.ended) targets.push({ id, batch: twin.id, isTwin: true });
    }
    return targets;
  }

  /** Monotonic; infinity: there is none. */
  get nextMs(): number {
    const times = this.#targets.map(({ batch }) => this.#asked.get(batch)?.nextMs ?? 0);
    return Math.min(Number.POSITIVE_INFINITY, ...times);
  }

  async round(signal: AbortSignal): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const { id, batch, isTwin } of this.#targets) {
      if ((this.#asked.get(batch)?.nextMs ?? 0) > nowMs) continue;
      const times = (this.#asked.get(batch)?.times ?? 0) + 1;
      const nextMs = nowMs + growingPauseMs(times, AGAIN_MS.first, AGAIN_MS.last);
      this.#asked.set(batch, { times, nextMs });
      await this.#cancel(id, batch, isTwin, signal);
    }
  }

  async #cancel(id: SubmissionId, batch: string, isTwin: boolean, signal: AbortSignal): Promise<void> {
    const { api, shelf } = this.#parts;
    try {
      const said = await api.cancel(batch, signal);
      if (isTwin) {
        const isDone = said === null || hasEnded(saidOf(said)) || saidOf(said) === 'cancelling';
        if (isDone) await shelf.record(() => twinEnded(shelf, id, batch), signal);
      } else if (said !== null) await this.#parts.heard([said], signal);
      else await this.#lost(id, signal);
    } catch (error) {
      signal.throwIfAborted();
      // A batch that ended meanwhile cannot be cancelled: a twin is let be, the other one is seen by the next poll.
      const { disposition } = survivable(error);
      if (isTwin && disposition === 'skip') await shelf.record(() => twinEnded(shelf, id, batch), signal);
    }
  }

  async #lost(id: SubmissionId, signal: AbortSignal): Promise<void> {
    const known = this.#parts.shelf.records.get(id)?.batch ?? null;
    if (known !== null) await this.#parts.heard([{ ...known, status: LOST }], signal);
  }
}

/** What was only found by its input may be another's: a person may cancel it where it is seen to be ours. */
function isToBeCancelled(record: BatchRecord): boolean {
  return record.state === 'open' && record.foundBy !== 'input' && planOf(record) === 'cancel';
}

function twinEnded(shelf: Shelf, id: SubmissionId, batch: string) {
  const record = shelf.records.get(id);
  if (record === undefined) return null;
  const twins = record.twins.map((twin) => (twin.id === batch ? { ...twin, ended: true } : twin));
  return { records: { [id]: { ...record, twins } } };
}
