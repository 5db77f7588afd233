import { watchSignals, type SignalWatch } from '../service/signals.ts';

/** This process' own signals. `onReload`: what SIGHUP does; without it, it ends the process as ever. */
export function stopOnSignals(onReload?: () => void): SignalWatch {
  return watchSignals({
    source: process,
    monotonicMs: () => performance.now(),
    exit: (code) => process.exit(code),
    ...(onReload === undefined ? {} : { onReload }),
  });
}
