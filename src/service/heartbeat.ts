import { setTimeout as delay } from 'node:timers/promises';

/** Watches over something that may rightly take long, as long as the other side shows that it lives. */
export interface Heartbeat extends Disposable {
  /** Aborts, with what `beat` threw, when a beat failed. */
  readonly signal: AbortSignal;
}

/** Calls `beat` again and again, `everyMs` after the last one ended, until it throws or is disposed. */
export function heartbeat(everyMs: number, beat: (signal: AbortSignal) => Promise<unknown>): Heartbeat {
  const failed = new AbortController();
  const over = new AbortController();
  const run = async (): Promise<void> => {
    for (;;) {
      await delay(everyMs, undefined, { signal: over.signal });
      await beat(over.signal);
    }
  };
  run().catch((error: unknown) => {
    if (!over.signal.aborted) failed.abort(error);
  });
  return { signal: failed.signal, [Symbol.dispose]: () => over.abort() };
}
