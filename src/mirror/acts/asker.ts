import { Fault, survivable } from '../../contract/faults.ts';
import type { ListRequest, Questions, SendQueue } from '../../contract/ports.ts';
import type { FileId, RemoteFile } from '../../contract/types.ts';
import type { LaneGovernor } from './lane-governor.ts';

/** The rule of what was not asked, since a halt came. */
export const HALTED = 'halted';

/** What it works with. */
interface Parts {
  readonly api: Questions;
  readonly queue: Pick<SendQueue, 'ask'>;
  readonly governor: Pick<LaneGovernor, 'works' | 'failed'>;
  /** Whether anything may be asked at the moment. */
  readonly mayAsk: () => boolean;
}

/**
 * The API, for what only asks: each request waits for its turn in a lane of its own, so that one question's
 * `Retry-After` holds for all. A probe does not: it is how a halt ends.
 */
export class Asker implements Questions {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  list(request: ListRequest, signal: AbortSignal): AsyncIterable<readonly RemoteFile[]> {
    const inTurn = <T>(ask: () => Promise<T>): Promise<T> => this.#inTurn('list', ask, signal);
    return this.#parts.api.list({ ...request, inTurn }, signal);
  }

  retrieve(id: FileId, signal: AbortSignal): Promise<RemoteFile | null> {
    return this.#inTurn(id, () => this.#parts.api.retrieve(id, signal), signal);
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#parts.api.probe(signal);
  }

  serverNowMs(): number | null {
    return this.#parts.api.serverNowMs();
  }

  /** `subject`: what may itself be the cause when the question fails. */
  async #inTurn<T>(subject: string, ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { governor, mayAsk, queue } = this.#parts;
    return await queue.ask(async () => {
      // RACE: a halt may have come while this waited for its turn.
      if (!mayAsk()) throw halted();
      try {
        const answer = await ask();
        governor.works();
        return answer;
      } catch (error) {
        const fault = survivable(error);
        if (fault.disposition === 'retry') governor.failed(fault, subject);
        else if (fault.disposition === 'skip') governor.works();
        throw fault;
      }
    }, signal);
  }
}

function halted(): Fault {
  return new Fault('nothing is asked at the moment', {
    disposition: 'retry',
    outcome: 'refused',
    rule: HALTED,
  });
}
