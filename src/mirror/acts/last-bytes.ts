import { intentSent } from '../judge/fold.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { ManifestView, MirrorPath } from '../../contract/types.ts';

/** One for all: to make one costs more than all else that is done here. */
const OVER = new DOMException('the attempt is over', 'AbortError');

/**
 * Hands over the last bytes of an attempt's body only after the intent says, durably, that they may be on their way.
 * INVARIANT: once `over` has resolved, this writes nothing more, or a cleared intent would come back.
 */
export class LastBytes {
  readonly #view: ManifestView;
  readonly #ledger: Ledger;
  readonly #path: MirrorPath;
  readonly #over = new AbortController();
  #writing: Promise<void> = Promise.resolve();

  constructor(view: ManifestView, ledger: Ledger, path: MirrorPath) {
    this.#view = view;
    this.#ledger = ledger;
    this.#path = path;
  }

  /** The chunks, `sizeBytes` in all. Throws the reason of `signal`, or of the attempt's end, when it has to wait. */
  async *around(chunks: AsyncIterable<Uint8Array>, sizeBytes: number, signal: AbortSignal) {
    let leftBytes = sizeBytes;
    for await (const chunk of chunks) {
      leftBytes -= chunk.length;
      if (leftBytes <= 0) await this.#write(signal);
      yield chunk;
    }
  }

  /** To be called when the attempt has ended, however it did, and awaited before anything is recorded of it. */
  async over(): Promise<void> {
    this.#over.abort(OVER);
    await this.#writing.catch(() => {});
  }

  async #write(signal: AbortSignal): Promise<void> {
    this.#over.signal.throwIfAborted();
    const intent = this.#view.intents.get(this.#path);
    if (intent?.sent !== false) return;
    const either = AbortSignal.any([signal, this.#over.signal]);
    this.#writing = this.#ledger.record(intentSent(this.#path, intent), either);
    await this.#writing;
  }
}
