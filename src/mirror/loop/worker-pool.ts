import type { Core } from '../acts/core.ts';
import type { Wakeup } from '../waiting/wakeup.ts';
import type { MirrorPath } from '../../contract/types.ts';
import type { Worker } from '../acts/worker.ts';
import { REST, type Next } from '../waiting/worklist.ts';

/** Paths that are looked at at a time. */
const MAX_LOOKS = 64;

/** Gives ready paths to workers, and takes them back into the worklist. */
export class WorkerPool {
  readonly #core: Core;
  readonly #worker: Worker;
  readonly #wakeup: Wakeup;
  readonly #abort: AbortSignal;
  readonly #stopTaking: AbortSignal;

  /** `abort` breaks off what is under way; `stopTaking` only starts nothing new. */
  constructor(core: Core, worker: Worker, wakeup: Wakeup, abort: AbortSignal, stopTaking: AbortSignal) {
    this.#core = core;
    this.#worker = worker;
    this.#wakeup = wakeup;
    this.#abort = abort;
    this.#stopTaking = stopTaking;
  }

  /** Starts what may start. Paths that are being sent do not count: looks must never wait for them. */
  pump(): void {
    const { worklist, sendingRoom } = this.#core;
    while (!this.#stopTaking.aborted) {
      const looks = worklist.busyCount - sendingRoom.size;
      if (looks >= MAX_LOOKS) return;
      // Each look under way may want one of the free places: no path is looked at again for nothing.
      const path = worklist.take() ?? sendingRoom.next(worklist, looks);
      if (path === null) return;
      void this.#work(path);
    }
  }

  async #work(path: MirrorPath): Promise<void> {
    const { worklist, clock, sendingRoom, broke } = this.#core;
    let next: Next = REST;
    try {
      next = await this.#worker.step(path, this.#abort);
    } catch (error) {
      if (!this.#abort.aborted) broke(error);
    }
    sendingRoom.leave(path);
    worklist.done(path, next);
    if (next.kind === 'again' && next.inMs > 0) this.#wakeup.at(clock.monotonicMs() + next.inMs);
    this.pump();
  }
}
