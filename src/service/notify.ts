import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Environment } from '../config/config.ts';
import type { Clock } from '../contract/ports.ts';

/**
 * Tells systemd how the service is. Node has no Unix datagrams, so `systemd-notify` sends them, which is wherever
 * systemd is; being a child of ours, it needs `NotifyAccess=all` in the unit. It waits until systemd has read the
 * message, so that it is never taken for that of an unknown process.
 */
export interface ServiceManager {
  ready(status: string): Promise<void>;
  reloading(): Promise<void>;
  stopping(): Promise<void>;
  /**
   * Keeps the watchdog quiet until the signal aborts, as long as `isAlive`. Returns at once when there is none.
   */
  feedWatchdog(signal: AbortSignal, isAlive: () => boolean): Promise<void>;
}

export interface ServiceManagerOptions {
  readonly env: Environment;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Called once, when messages cannot be sent. */
  readonly onWarning: (message: string) => void;
  /** Sends `NAME=value` lines; for tests. */
  readonly send?: (lines: readonly string[]) => Promise<void>;
}

/** Does nothing when no service manager listens (`$NOTIFY_SOCKET` is not set). */
export function serviceManager(options: ServiceManagerOptions): ServiceManager {
  const { env, clock } = options;
  const listening = Boolean(env['NOTIFY_SOCKET']);
  const send = options.send ?? sendBySystemdNotify;
  let warned = false;
  // One after the other: READY overtaken by STOPPING would leave the service "active" for ever.
  let last: Promise<void> = Promise.resolve();

  function notify(...lines: readonly string[]): Promise<void> {
    if (!listening) return Promise.resolve();
    last = last
      .then(() => send(lines))
      .catch((error: unknown) => {
        if (!warned)
          options.onWarning(`systemd cannot be told how the service is: ${(error as Error).message}`);
        warned = true;
      });
    return last;
  }

  return {
    ready: (status) => notify('READY=1', `STATUS=${status}`),
    reloading: () => notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => notify('STOPPING=1'),
    async feedWatchdog(signal, isAlive) {
      const periodMs = watchdogPeriodMs(env);
      if (!listening || periodMs === null) return;
      while (!signal.aborted) {
        // That this timer fires proves nothing about what it is to watch.
        if (isAlive()) await notify('WATCHDOG=1');
        await clock.sleep(periodMs / 2, signal).catch(() => {});
      }
    },
  };
}

/** How often systemd wants to hear from this process; null when it does not ask. */
function watchdogPeriodMs(env: Environment): number | null {
  const microseconds = Number(env['WATCHDOG_USEC']);
  const isForUs = env['WATCHDOG_PID'] === undefined || Number(env['WATCHDOG_PID']) === process.pid;
  return isForUs && microseconds > 0 ? microseconds / 1000 : null;
}

async function sendBySystemdNotify(lines: readonly string[]): Promise<void> {
  await promisify(execFile)('systemd-notify', [...lines], { timeout: 10_000 });
}
