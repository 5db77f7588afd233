import { systemClock } from '../service/system-clock.ts';
import { watchSignals, type SignalWatch } from '../service/signals.ts';

/** This process' own signals. `onReload`: what SIGHUP does; without it, it ends the process as ever. */
export function stopOnSignals(onReload?: () => void): SignalWatch {
  return watchSignals({
    source: process,
    clock: systemClock,
    exit: (code) => process.exit(code),
    ...(onReload === undefined ? {} : { onReload }),
  });
}
