import { createServer } from 'node:net';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { describe, expect, test, type TestContext } from 'vitest';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';
import { FlakyLine } from '../support/flaky-line.ts';

const PATHS = Array.from({ length: 60 }, (_, index) => `user_data/${index}.txt`);

async function openLine(context: TestContext): Promise<FlakyLine> {
  const line = await FlakyLine.open();
  context.onTestFinished(() => line.close());
  return line;
}

const warnings = (logs: string): number =>
  logs.split('\n').filter((line) => line.includes('"level":"warn"')).length;

describe('the way to the server', { concurrent: true }, () => {
  test('D20: the network is down: one probe at a time, few words, and everything is sent when it is back', async (context) => {
    const line = await openLine(context);
    const mirror = await openTestMirror(context, {
      env: { OPENAI_BASE_URL: `http://127.0.0.1:${line.port}/v1` },
    });
    line.connectTo(Number(new URL(mirror.emulator.url).port));
    await mirror.start();
    await mirror.write('user_data/before.txt', 'before');
    await mirror.untilConverged({ posts: 1, deletes: 0 });
    line.cut();
    for (const path of PATHS) await mirror.write(path, path);
    await mirror.until(
      () => line.refused,
      (refused) => refused >= 5,
    );
    // Between two probes; while one is under way there is no pause.
    await mirror.untilStatus(({ uploads }) => /connection|network/.test(uploads.pause?.why ?? ''));
    // Eight were under way together, perhaps twice; after that one at a time, ever more seldom.
    expect(line.refused).toBeLessThanOrEqual(30);
    expect(warnings(mirror.logs)).toBeLessThanOrEqual(15);
    line.connectTo(Number(new URL(mirror.emulator.url).port));
    await mirror.untilConverged({ posts: PATHS.length + 1, deletes: 0 }, 30_000);
  }, 60_000);

  test('D20: a delete that nobody answers makes sync exit 69, and plan names what is left', async (context) => {
    const line = await openLine(context);
    const mirror = await openTestMirror(context, {
      env: { OPENAI_BASE_URL: `http://127.0.0.1:${line.port}/v1` },
    });
    line.connectTo(Number(new URL(mirror.emulator.url).port));
    await mirror.write('user_data/a.txt', 'a');
    await mirror.write('user_data/b.txt', 'b');
    expect((await mirror.sync()).code).toBe(0);
    line.cut();
    await rm(mirror.at('user_data/a.txt'));
    const failed = await mirror.run('sync');
    expect(failed.code).toBe(69);
    const plan = await mirror.run('plan');
    expect(plan.stdout).toMatch(/^- user_data\/a\.txt/m);
    expect(plan.code).toBe(2);
    line.connectTo(Number(new URL(mirror.emulator.url).port));
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 2, deletes: 1 });
  }, 60_000);

  test('D20: sync with nobody there exits 69 and says why; started again it finishes', async (context) => {
    const line = await openLine(context);
    const mirror = await openTestMirror(context, {
      env: { OPENAI_BASE_URL: `http://127.0.0.1:${line.port}/v1` },
    });
    await mirror.write('user_data/a.txt', 'content');
    const { code, stderr } = await mirror.run('sync');
    expect({ code, stderr }).toEqual({ code: 69, stderr: expect.stringMatching(/the API does not answer/) });
    line.connectTo(Number(new URL(mirror.emulator.url).port));
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 1, deletes: 0 });
  });

  test('D21: a server without TLS behind an https URL: named as such, tried again, no file is rejected', async (context) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    context.onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const mirror = await openTestMirror(context, {
      env: { OPENAI_BASE_URL: `https://127.0.0.1:${port}/v1` },
    });
    await mirror.write('user_data/a.txt', 'content');
    await mirror.start();
    const { counts } = await mirror.untilStatus(({ uploads }) => /TLS/.test(uploads.pause?.why ?? ''));
    expect(counts.rejected).toBe(0);
    await mirror.until(
      () => mirror.logs,
      (logs) => /"level":"warn".*no trusted TLS connection/.test(logs),
    );
    await mirror.stop();
    expect((await mirror.run('sync')).code).toBe(69);
  });

  test('D21: a base URL with a wrong path: named as such, no file is rejected', async (context) => {
    const line = await openLine(context);
    const mirror = await openTestMirror(context, {
      env: { OPENAI_BASE_URL: `http://127.0.0.1:${line.port}/v2` },
    });
    line.connectTo(Number(new URL(mirror.emulator.url).port));
    await mirror.write('user_data/a.txt', 'content');
    await mirror.start();
    const { counts } = await mirror.untilStatus(({ uploads }) =>
      /is the base URL right/.test(uploads.pause?.why ?? ''),
    );
    expect(counts.rejected).toBe(0);
    expect(mirror.emulator.files()).toEqual([]);
  });
});
