import type { AskingRoom } from '../waiting/asking-room.ts';
import type { SendingRoom } from '../waiting/sending-room.ts';
import type { Clock } from '../../contract/ports.ts';
import type { Wakeup } from '../waiting/wakeup.ts';
import type { MirrorPath } from '../../contract/types.ts';
import type { Worker } from '../acts/worker.ts';
import { REST, type Next, type Worklist } from '../waiting/worklist.ts';

/** Paths that are looked at at a time. */
const MAX_LOOKS = 64;

/** What it works with. */
interface Parts {
  readonly broke: (error: unknown) => void;
  readonly clock: Clock;
  readonly askingRoom: AskingRoom;
  readonly sendingRoom: SendingRoom;
  readonly worklist: Worklist;
  readonly worker: Worker;
  readonly wakeup: Wakeup;
  /** Breaks off what is under way. */
  readonly abort: AbortSignal;
  /** Only starts nothing new. */
  readonly stopTaking: AbortSignal;
}

/** Gives ready paths to workers, and takes them back into the worklist. */
export class WorkerPool {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.worklist.whenReady(() => this.pump());
  }

  /** Starts what may start. Paths that are being sent, or wait for an answer, do not count: looks never wait for them. */
  pump(): void {
    const { worklist, askingRoom, sendingRoom } = this.#parts;
    while (!this.#parts.stopTaking.aborted) {
      const looks = worklist.busyCount - sendingRoom.size - askingRoom.size;
      if (looks >= MAX_LOOKS) return;
      // Each look under way may want one of the free places: no path is looked at again for nothing.
      const path = worklist.take() ?? sendingRoom.next(worklist, looks) ?? askingRoom.next(worklist);
      if (path === null) return;
      void this.#work(path);
    }
  }

  async #work(path: MirrorPath): Promise<void> {
    const { worklist, clock, askingRoom, sendingRoom, broke } = this.#parts;
    let next: Next = REST;
    try {
      next = await this.#parts.worker.step(path, this.#parts.abort);
    } catch (error) {
      if (!this.#parts.abort.aborted) broke(error);
    }
    sendingRoom.leave(path);
    askingRoom.leave(path);
    worklist.done(path, next);
    if (next.kind === 'again' && next.inMs > 0) this.#parts.wakeup.at(clock.monotonicMs() + next.inMs);
    this.pump();
  }
}
