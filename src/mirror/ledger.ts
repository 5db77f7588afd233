import { Fault } from './faults.ts';
import type { HaltBoard } from './halts.ts';
import type { IdentityIndex } from './identity-index.ts';
import type { Clock, Manifest } from './ports.ts';
import type { Change, Entry, FileId, MirrorPath } from './types.ts';

/** How long to wait before trying again to write what could not be written. */
const STATE_RETRY_MS = 5_000;
/**
 * Removes a key that no path can be, so it changes nothing, but is longer than any record. On a full disk a short
 * one still fits into the rest of the last block, when the next real one does not.
 */
const PROBE: Change = { rejected: { ['/'.padEnd(8_192, '-')]: null } };

/** The one way to change the manifest: keeps the index in step, and raises and ends the halt `state`. */
export class Ledger {
  readonly #manifest: Manifest;
  readonly #index: IdentityIndex;
  readonly #halts: HaltBoard;
  readonly #clock: Clock;
  readonly #onGarbage: (id: FileId) => void;
  readonly #onAdded: (path: MirrorPath) => void;

  /**
   * `onGarbage`: called with each id that was put on the garbage list, or changed there. `onAdded`: with each path that
   * was not mirrored before, renamed ones aside.
   */
  constructor(
    manifest: Manifest,
    index: IdentityIndex,
    halts: HaltBoard,
    clock: Clock,
    onGarbage: (id: FileId) => void,
    onAdded: (path: MirrorPath) => void,
  ) {
    this.#manifest = manifest;
    this.#index = index;
    this.#halts = halts;
    this.#clock = clock;
    this.#onGarbage = onGarbage;
    this.#onAdded = onAdded;
  }

  /** Resolves when the change is durable. Throws the `Fault` when it cannot be made so; nothing changed then. */
  async commit(change: Change): Promise<void> {
    const before = new Map<MirrorPath, Entry>();
    for (const path of Object.keys(change.files ?? {})) {
      const entry = this.#manifest.files.get(path);
      if (entry !== undefined) before.set(path, entry);
    }
    try {
      await this.#manifest.commit(change);
    } catch (error) {
      if (error instanceof Fault && error.halt === 'state') this.#raise(error);
      throw error;
    }
    this.#index.apply(change, before, this.#clock.monotonicMs());
    const isMove = Object.values(change.files ?? {}).includes(null);
    for (const [path, entry] of Object.entries(change.files ?? {})) {
      if (entry !== null && !before.has(path) && !isMove) this.#onAdded(path);
    }
    for (const [id, garbage] of Object.entries(change.garbage ?? {})) {
      if (garbage !== null) this.#onGarbage(id);
    }
  }

  /**
   * Records what has already happened remotely: keeps trying until it is durable, since forgetting it would lose
   * an id. When the process ends before that, the open intent on disk still leads to it.
   */
  async record(change: Change, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.commit(change);
        return;
      } catch (error) {
        if (!(error instanceof Fault) || error.halt !== 'state') throw error;
        await this.#clock.sleep(STATE_RETRY_MS, signal);
      }
    }
  }

  /** While the halt `state` lasts: finds out whether the manifest can be written again, and ends the halt then. */
  async probe(): Promise<void> {
    try {
      await this.commit(PROBE);
      this.#halts.end('state');
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
    }
  }

  #raise(fault: Fault): void {
    this.#halts.raise({
      name: 'state',
      since: Math.floor(this.#clock.wallMs() / 1000),
      cause: fault.message,
      held: 'nothing is uploaded and nothing is deleted, since it could not be recorded',
      next: 'make the state folder writable or free disk space; it then goes on by itself',
      folder: null,
    });
  }
}
