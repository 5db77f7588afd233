import { counted } from '../contract/quantities.ts';
import { systemClock } from '../service/system-clock.ts';
import { StopRequest, watchSignals, type SignalWatch } from '../service/signals.ts';
import type { MirrorControl } from '../contract/report.ts';
import type { Logger } from '../service/logger.ts';

/** This process' own signals. `onReload`: what SIGHUP does; without it, it ends the process as ever. */
export function stopOnSignals(onReload?: () => void): SignalWatch {
  return watchSignals({
    source: process,
    clock: systemClock,
    exit: (code) => process.exit(code),
    ...(onReload === undefined ? {} : { onReload }),
  });
}

/** As soon as a mirror is asked to stop: says what it waits for, and how that is broken off. */
export function sayWhenStopping(stop: SignalWatch, control: MirrorControl, logger: Logger): void {
  const say = (): void => {
    const { running } = control.status().uploads;
    logger.log('info', stoppingText(running, stop.signal.reason));
  };
  stop.signal.addEventListener('abort', say, { once: true });
}

/** `uploads`: so many are on their way. */
export function stoppingText(uploads: number, reason: unknown): string {
  if (uploads === 0) return 'stopping';
  const again =
    reason instanceof StopRequest && reason.signal === 'SIGINT' ? 'a second Ctrl-C' : 'a second signal';
  return `stopping: waits until ${counted(uploads, 'upload has', 'uploads have')} ended, 15 s at most; ${again} breaks off at once, and nothing is lost by that`;
}
