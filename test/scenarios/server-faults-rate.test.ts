import { describe, expect, test } from 'vitest';
import { rateLimited } from '../support/fault-presets.ts';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';

/** Timers count whole milliseconds, and the log two clocks. */
const CLOCK_MS = 5;

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `user_data/${index}.txt`);

async function writeAll(mirror: TestMirror, paths: readonly string[]): Promise<void> {
  for (const path of paths) await mirror.write(path, `content of ${path}`);
}

/** When the first upload was refused, and when the next one was accepted, by the server's wall clock. */
function refusedAndResumed({ emulator }: TestMirror): { refusedMs: number; resumedMs: number } {
  const uploads = emulator.requests.uploads();
  const arrivalOf = (wanted: number) =>
    uploads.find(({ status }) => status === wanted)?.arrivedWallMs ?? Number.NaN;
  return { refusedMs: arrivalOf(429), resumedMs: arrivalOf(200) };
}

describe('rate limits', { concurrent: true }, () => {
  const hints = [
    { name: 'Retry-After in seconds', hint: { seconds: 2 }, waitMs: 2_000 },
    { name: 'retry-after-ms', hint: { milliseconds: 1_500 }, waitMs: 1_500 },
  ];
  for (const { name, hint, waitMs } of hints) {
    test(`D1, D2: after a 429 with ${name} the whole lane waits that long, and says so`, async (context) => {
      const mirror = await openTestMirror(context, {
        config: { limits: { concurrentUploads: 1, uploadsPerMinute: null } },
      });
      mirror.emulator.faults.add({ match: { method: 'POST' }, act: rateLimited(hint), times: 1 });
      const paths = numbered(12);
      await writeAll(mirror, paths);
      await mirror.start();
      const { uploads } = await mirror.untilStatus((status) => status.uploads.pause !== null);
      expect(uploads.pause?.why).toContain('429');
      expect(uploads.pause?.remainingMs).toBeLessThanOrEqual(waitMs);
      await mirror.untilConverged({ posts: paths.length + 1, deletes: 0 });
      const { refusedMs, resumedMs } = refusedAndResumed(mirror);
      expect(resumedMs - refusedMs).toBeGreaterThanOrEqual(waitMs - CLOCK_MS);
    });
  }

  test('D2: after a 429 with Retry-After as an HTTP date the whole lane waits until then', async (context) => {
    const mirror = await openTestMirror(context, {
      config: { limits: { concurrentUploads: 1, uploadsPerMinute: null } },
    });
    const paths = numbered(12);
    await mirror.start();
    await mirror.untilStatus(({ phase }) => phase === 'idle');
    const httpDate = new Date(Date.now() + 6_000);
    mirror.emulator.faults.add({ match: { method: 'POST' }, act: rateLimited({ httpDate }), times: 1 });
    await writeAll(mirror, paths);
    await mirror.untilConverged({ posts: paths.length + 1, deletes: 0 });
    // A date has whole seconds, and so has the server's own that it is compared with.
    expect(refusedAndResumed(mirror).resumedMs).toBeGreaterThanOrEqual(httpDate.getTime() - 1_000 - CLOCK_MS);
  });

  test('D1: a 429 that meets many uploads at once: each is sent again once, none is lost', async (context) => {
    const mirror = await openTestMirror(context);
    mirror.emulator.faults.add({ match: { method: 'POST' }, act: rateLimited({ seconds: 2 }), times: 8 });
    const paths = numbered(30);
    await writeAll(mirror, paths);
    await mirror.start();
    await mirror.untilConverged({ deletes: 0 });
    const { requests } = mirror.emulator;
    expect(requests.uploads().filter(({ status }) => status === 200)).toHaveLength(paths.length);
    const { refusedMs, resumedMs } = refusedAndResumed(mirror);
    expect(resumedMs - refusedMs).toBeGreaterThanOrEqual(2_000 - CLOCK_MS);
  });

  test('D2: a 429 that does not say for how long: many at once count as one, the first wait is short', async (context) => {
    const mirror = await openTestMirror(context);
    const refusal = mirror.emulator.faults.add({
      match: { method: 'POST' },
      act: rateLimited(null),
      times: 8,
    });
    await writeAll(mirror, numbered(20));
    await mirror.start();
    await mirror.until(
      () => refusal.hits,
      (hits) => hits === 8,
    );
    // 0.5 s at first, then twice that; all eight counted by themselves would be up to 64 s.
    await mirror.untilConverged({ posts: 28, deletes: 0 });
    expect(mirror.logs).toContain('uploads wait');
  });

  test('D3, D4: in no 60 s more uploads than configured, also over a kill -9 and a restart', async (context) => {
    const limit = 25;
    const mirror = await openTestMirror(context, { config: { limits: { uploadsPerMinute: limit } } });
    await writeAll(mirror, numbered(60));
    await mirror.start();
    await mirror.untilStatus(({ uploads }) => uploads.inWindow >= limit && uploads.running === 0);
    await mirror.kill9();
    const sent = mirror.emulator.requests.uploads().length;
    expect(sent).toBe(limit);
    await mirror.start();
    const { uploads } = await mirror.untilStatus(
      ({ lastScanAt, uploads }) => lastScanAt !== null && uploads.waiting > 0,
    );
    expect(uploads.inWindow).toBe(limit);
    await mirror.write('user_data/one-more.txt', 'x');
    await mirror.untilReport('user_data/one-more.txt', (report) => report?.state === 'pending');
    expect(mirror.emulator.requests.peakUploads(60_000)).toBe(limit);
  });
});
