import type { Clock } from '../contract/ports.ts';

/**
 * A terminal's Ctrl-C goes to the whole process group, and npm forwards it to its child once more: two signals
 * this close together are one wish.
 */
const sameSignalMs = 300;

/** In this time after the first signal everything must have ended; systemd's TimeoutStopSec is longer. */
const graceMs = 20_000;

type StopSignal = 'SIGTERM' | 'SIGINT';
const exitCodes: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 };

/** The part of `process` that is needed. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

export interface SignalOptions {
  readonly source: SignalSource;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** SIGHUP; without it the signal keeps its default meaning. */
  readonly onReload?: () => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
}

export interface SignalWatch extends Disposable {
  /** Aborts at the first SIGTERM or SIGINT. Its reason is a `StopRequest`. */
  readonly signal: AbortSignal;
}

/** Why work was broken off: a person or the service manager asked for it. Not an error. */
export class StopRequest extends Error {
  readonly exitCode: number;
  readonly signal: StopSignal;

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`);
    this.signal = signal;
    this.name = 'StopRequest';
    this.exitCode = exitCodes[signal];
  }
}

/**
 * The first SIGTERM or SIGINT asks for a graceful end; a second one, or 20 s, ends the process at once with 143 or
 * 130. A killed mirror loses nothing: the journal knows what was under way.
 */
export function watchSignals(options: SignalOptions): SignalWatch {
  const controller = new AbortController();
  let firstAtMs: number | null = null;
  let deadline: NodeJS.Timeout | null = null;

  const stop = (signal: StopSignal) => () => {
    const nowMs = options.clock.monotonicMs();
    if (firstAtMs === null) {
      firstAtMs = nowMs;
      deadline = setTimeout(() => options.exit(exitCodes[signal]), graceMs);
      deadline.unref();
      controller.abort(new StopRequest(signal));
    } else if (nowMs - firstAtMs >= sameSignalMs) {
      options.exit(exitCodes[signal]);
    }
  };
  const listeners: [NodeJS.Signals, () => void][] = [
    ['SIGTERM', stop('SIGTERM')],
    ['SIGINT', stop('SIGINT')],
  ];
  if (options.onReload !== undefined) listeners.push(['SIGHUP', options.onReload]);
  for (const [signal, listener] of listeners) options.source.on(signal, listener);

  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      if (deadline !== null) clearTimeout(deadline);
      for (const [signal, listener] of listeners) options.source.off(signal, listener);
    },
  };
}
