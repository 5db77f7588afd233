import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import type { FaultAct } from '../support/fault-injection.ts';
import { forbidden, insufficientQuota, storageQuotaFull, unauthorized } from '../support/fault-presets.ts';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { shiftClocks, withShiftableClocks } from '../support/clock-shift.ts';

const ONE_MINUTE_MS = 60_000;
const PATHS = Array.from({ length: 20 }, (_, index) => `user_data/${index}.txt`);

/** A mirror whose time passes as the test says. */
async function withTime(
  context: TestContext,
): Promise<{ mirror: TestMirror; pass: (ms: number) => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'clocks-'));
  context.onTestFinished(() => rm(folder, { recursive: true }));
  const orders = join(folder, 'order');
  const mirror = await openTestMirror(context, { env: withShiftableClocks(orders) });
  let passedMs = 0;
  const pass = async (ms: number): Promise<void> => {
    passedMs += ms;
    await shiftClocks(mirror.process.pid, orders, { wallMs: passedMs, monotonicMs: passedMs });
  };
  return { mirror, pass };
}

/** Two files are mirrored; then one is removed, and everything new meets `act`. */
async function meetRefusal(mirror: TestMirror, act: FaultAct, match = {}): Promise<{ remove(): void }> {
  await mirror.write('assistants/kept.txt', 'kept');
  await mirror.write('assistants/removed.txt', 'removed');
  await mirror.start();
  await mirror.expectConverged({ posts: 2, deletes: 0 });
  mirror.emulator.requests.clear();
  const fault = mirror.emulator.faults.add({ match, act });
  for (const path of PATHS) await mirror.write(path, `content of ${path}`);
  return fault;
}

const untilHalted = (mirror: TestMirror, name: string) =>
  mirror.untilStatus(({ halts }) => halts.some((halt) => halt.name === name));

describe('halts that the API causes', { concurrent: true }, () => {
  for (const { status, act } of [
    { status: 401, act: unauthorized() },
    { status: 403, act: forbidden() },
  ]) {
    test(`D10: ${status} halts everything; one probe a minute; it goes on by itself when the key works`, async (context) => {
      const { mirror, pass } = await withTime(context);
      const fault = await meetRefusal(mirror, act);
      await untilHalted(mirror, 'auth');
      await rm(mirror.at('assistants/removed.txt'));
      expect((await mirror.flush()).halts.map(({ name }) => name)).toEqual(['auth']);
      expect((await mirror.run('status')).code).toBe(77);
      const { requests } = mirror.emulator;
      const before = requests.all().length;
      // What was in flight together may be refused together, and one request asks about the key; the rest stays queued.
      expect(before).toBeLessThanOrEqual(9);
      for (let minute = 1; minute <= 3; minute += 1) {
        await pass(ONE_MINUTE_MS + 1_000);
        await mirror.until(
          () => requests.all().length,
          (count) => count > before + minute - 1,
        );
        await mirror.flush();
        expect(requests.all()).toHaveLength(before + minute);
      }
      expect(requests.deletes()).toEqual([]);
      fault.remove();
      await pass(ONE_MINUTE_MS + 1_000);
      await mirror.untilStatus(({ halts }) => halts.length === 0);
      await mirror.expectConverged({ deletes: 1 });
      expect(requests.uploads().filter((upload) => upload.status === 200)).toHaveLength(PATHS.length);
    });
  }

  test('D10: a new key file and SIGHUP end the halt at once', async (context) => {
    const mirror = await openTestMirror(context, {
      emulator: { authorization: { key: 'sk-the-right-one' } },
      env: { OPENAI_API_KEY: '' },
    });
    const apiKeyFile = join(mirror.folder, 'key');
    await writeFile(apiKeyFile, 'sk-the-wrong-one\n');
    await mirror.configure({ api: { apiKeyFile } });
    for (const path of PATHS) await mirror.write(path, `content of ${path}`);
    await mirror.start();
    const { halts } = await untilHalted(mirror, 'auth');
    expect(halts[0]?.next).toContain('SIGHUP');
    await writeFile(apiKeyFile, 'sk-the-right-one\n');
    mirror.process.signal('SIGHUP');
    await mirror.untilStatus((status) => status.halts.length === 0);
    await mirror.expectConverged({ deletes: 0 });
    expect(mirror.emulator.requests.uploads().filter(({ status }) => status === 200)).toHaveLength(
      PATHS.length,
    );
    expect(mirror.logs).not.toMatch(/sk-the-(wrong|right)-one/);
  });

  test('D10: sync with a wrong key exits 77', async (context) => {
    const mirror = await openTestMirror(context, {
      emulator: { authorization: { key: 'sk-the-right-one' } },
    });
    await mirror.write('user_data/1.txt', 'x');
    const { code, result } = await mirror.sync();
    expect(code).toBe(77);
    expect(result.halts.map(({ name }) => name)).toEqual(['auth']);
  });

  for (const { name, act } of [
    { name: 'a full storage (400)', act: storageQuotaFull() },
    { name: 'no credit (429 insufficient_quota)', act: insufficientQuota() },
  ]) {
    test(`D13: ${name} halts uploads, deletes go on; it tries again after a long wait`, async (context) => {
      const { mirror, pass } = await withTime(context);
      const fault = await meetRefusal(mirror, act, { method: 'POST' });
      const { halts } = await untilHalted(mirror, 'quota');
      expect(halts[0]?.held).toContain('deletes go on');
      await rm(mirror.at('assistants/removed.txt'));
      const { requests } = mirror.emulator;
      await mirror.until(
        () => requests.deletes().length,
        (deletes) => deletes === 1,
      );
      expect((await mirror.flush()).halts.map((halt) => halt.name)).toEqual(['quota']);
      expect((await mirror.status()).counts.rejected).toBe(0);
      const refused = requests.uploads().length;
      expect(refused).toBeLessThanOrEqual(8);

      // One upload finds out that it is still so …
      await pass(ONE_MINUTE_MS + 1_000);
      await mirror.until(
        () => requests.uploads().length,
        (uploads) => uploads > refused,
      );
      await untilHalted(mirror, 'quota');
      await mirror.flush();
      expect(requests.uploads()).toHaveLength(refused + 1);
      // … and one that it is over.
      fault.remove();
      await pass(30 * ONE_MINUTE_MS);
      await mirror.untilStatus((status) => status.halts.length === 0);
      await mirror.expectConverged({ deletes: 1 });
      expect(requests.uploads().filter(({ status }) => status === 200)).toHaveLength(PATHS.length);
    });
  }
});
