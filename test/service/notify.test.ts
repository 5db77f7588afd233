import { describe, expect, test } from 'vitest';
import { serviceManager } from '../../src/service/notify.ts';

function manager(env: Record<string, string>, send?: (lines: readonly string[]) => Promise<void>) {
  const sent: string[] = [];
  const warnings: string[] = [];
  const sleeps: number[] = [];
  const stop = new AbortController();
  const systemd = serviceManager({
    env,
    clock: {
      sleep: async (ms) => {
        sleeps.push(ms);
        if (sleeps.length === 3) stop.abort();
      },
    },
    onWarning: (message) => warnings.push(message),
    send: send ?? (async (lines) => void sent.push(lines.join(' '))),
  });
  return { systemd, sent, warnings, sleeps, stop };
}

describe('systemd', () => {
  test('is told in the order of things', async () => {
    const order: string[] = [];
    let first = true;
    const { systemd } = manager({ NOTIFY_SOCKET: '/run/x' }, async (lines) => {
      // The first message takes longer than the second one.
      if (first) {
        first = false;
        await new Promise((resolve) => setImmediate(resolve));
      }
      order.push(lines[0] ?? '');
    });
    await Promise.all([
      systemd.ready('mirroring'),
      systemd.reloading(),
      systemd.ready('mirroring'),
      systemd.stopping(),
    ]);
    expect(order).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
  });

  test('hears when the reload began, by the monotonic clock', async () => {
    const { systemd, sent } = manager({ NOTIFY_SOCKET: '/run/x' });
    await systemd.reloading();
    expect(sent[0]).toMatch(/^RELOADING=1 MONOTONIC_USEC=\d+$/);
  });

  test('hears nothing when it is not there', async () => {
    const { systemd, sent, sleeps, stop } = manager({ WATCHDOG_USEC: '1000000' });
    await systemd.ready('x');
    await systemd.feedWatchdog(stop.signal, () => true);
    expect([sent, sleeps]).toEqual([[], []]);
  });

  test('has its watchdog fed twice in its period, until the end', async () => {
    const { systemd, sent, sleeps, stop } = manager({
      NOTIFY_SOCKET: '/run/x',
      WATCHDOG_USEC: '120000000',
      WATCHDOG_PID: String(process.pid),
    });
    await systemd.feedWatchdog(stop.signal, () => true);
    expect(sleeps).toEqual([60_000, 60_000, 60_000]);
    expect(sent).toEqual(['WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
  });

  test('is not told that all is well when it is not', async () => {
    const { systemd, sent, sleeps, stop } = manager({
      NOTIFY_SOCKET: '/run/x',
      WATCHDOG_USEC: '120000000',
    });
    await systemd.feedWatchdog(stop.signal, () => sleeps.length === 0);
    expect(sent).toEqual(['WATCHDOG=1']);
  });

  test('does not hear from us when the watchdog is for another process', async () => {
    const { systemd, sent, stop } = manager({
      NOTIFY_SOCKET: '/run/x',
      WATCHDOG_USEC: '1000',
      WATCHDOG_PID: '1',
    });
    await systemd.feedWatchdog(stop.signal, () => true);
    expect(sent).toEqual([]);
  });

  test('that cannot be told is warned about once, and nothing else happens', async () => {
    const { systemd, warnings } = manager({ NOTIFY_SOCKET: '/run/x' }, () =>
      Promise.reject(new Error('no such command')),
    );
    await systemd.ready('x');
    await systemd.stopping();
    expect(warnings).toEqual(['systemd cannot be told how the service is: no such command']);
  });
});
