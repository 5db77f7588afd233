import { spawn, spawnSync } from 'node:child_process';
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openTestMirror, TEST_KEY, type TestMirror } from '../support/blackbox/mirror-process.ts';

const MEBIBYTE = 1024 * 1024;
/** What is missed is missed for ever; the time is only that of 1,500 uploads on a machine that is busy otherwise. */
const ALL_FOUND_MS = 120_000;

/** `mkdir -p a/b/c && echo > a/b/c/f`, each in one go, so that a watcher that follows has to be quick. */
async function makeTrees(mirror: TestMirror, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1)
    await mirror.write(`user_data/${index}/b/c/f.txt`, `${index}`);
}

describe('watching', { concurrent: true }, () => {
  for (const { name, watch } of [
    { name: 'watched, rescans off', watch: { mode: 'native', rescanSeconds: 0 } },
    { name: 'not watched, rescans alone', watch: { mode: 'off', rescanSeconds: 1 } },
    { name: 'polled', watch: { mode: 'polling', pollSeconds: 0.5, rescanSeconds: 0 } },
  ] as const) {
    test(
      `F2: 500 files in folders made a moment before: all are found (${name})`,
      async (context) => {
        const mirror = await openTestMirror(context, { config: { watch } });
        await mirror.start();
        await mirror.untilStatus(({ phase }) => phase === 'idle');
        await makeTrees(mirror, 500);
        await mirror.until(
          () => mirror.emulator.files().length,
          (files) => files === 500,
          ALL_FOUND_MS,
        );
        await mirror.untilConverged({ posts: 500, deletes: 0 });
      },
      2 * ALL_FOUND_MS,
    );
  }

  test.skipIf(whyNoLimit() !== null)(
    'F3: no inotify watches left: goes on by polling and names the sysctl and the number needed',
    async (context) => {
      const mirror = await openTestMirror(context, { config: { watch: { pollSeconds: 0.5 } } });
      for (let index = 0; index < 20; index += 1)
        await mkdir(mirror.at(`user_data/${index}`), { recursive: true });
      const daemon = spawnWithFewWatches(mirror, 10);
      context.onTestFinished(() => void daemon.kill('SIGKILL'));
      const watching = await mirror.until(
        () =>
          mirror.status().then(
            (status) => status.watching,
            () => null,
          ),
        (how) => how !== null && how.startsWith('polling'),
      );
      expect(watching).toBe('polling (inotify limit)');
      await mirror.write('user_data/3/new.txt', 'found by polling');
      await mirror.until(
        () => mirror.emulator.files().length,
        (files) => files === 1,
      );
      let log = '';
      daemon.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
      await mirror.until(
        () => log,
        (text) => /sysctl fs\.inotify\.max_user_watches/.test(text),
      );
      // The root, six purpose folders and twenty below.
      expect(log).toMatch(/this mirror needs 27;/);
      const cpuSeconds = () => cpuOf(daemon.pid ?? 0);
      // Processor time in 3 s of polling.
      const before = await cpuSeconds();
      const { lastScanAt } = await mirror.status();
      await mirror.untilStatus((status) => (status.lastScanAt ?? 0) >= (lastScanAt ?? 0) + 3);
      expect((await cpuSeconds()) - before).toBeLessThan(1.5);
    },
  );

  test('F6: large files are streamed: memory stays flat', async (context) => {
    const mirror = await openTestMirror(context, { emulator: { discard: true } });
    await mkdir(mirror.at('user_data'), { recursive: true });
    for (let index = 0; index < 6; index += 1) {
      await writeFile(mirror.at(`user_data/${index}.bin`), '');
      await truncate(mirror.at(`user_data/${index}.bin`), 100 * MEBIBYTE);
    }
    await mirror.start();
    await mirror.until(
      () => mirror.emulator.files().length,
      (files) => files === 6,
      40_000,
    );
    expect(mirror.emulator.files().every(({ bytes }) => bytes === 100 * MEBIBYTE)).toBe(true);
    const status = await readFile(`/proc/${mirror.process.pid}/status`, 'utf8');
    expect(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1])).toBeLessThan(300 * 1024);
  }, 60_000);

  test('F7: small files do not wait for large ones, and the bandwidth limit holds', async (context) => {
    const bytesPerSecond = 4 * MEBIBYTE;
    const mirror = await openTestMirror(context, {
      config: {
        limits: { concurrentUploads: 4, uploadBytesPerSecond: bytesPerSecond, uploadsPerMinute: null },
      },
    });
    const large = 10 * MEBIBYTE;
    for (let index = 0; index < 4; index += 1)
      await mirror.write(`user_data/large-${index}.bin`, Buffer.alloc(large, index));
    for (let index = 0; index < 100; index += 1)
      await mirror.write(`user_data/small-${index}.txt`, `${index}`);
    const startedMs = performance.now();
    await mirror.start();
    await mirror.until(
      () => stored(mirror, 'small'),
      (count) => count === 100,
    );
    expect(stored(mirror, 'large')).toBeLessThan(4);
    await mirror.until(
      () => stored(mirror, 'large'),
      (count) => count === 4,
      40_000,
    );
    const tookSeconds = (performance.now() - startedMs) / 1000;
    // A second's worth may go at once.
    expect(tookSeconds).toBeGreaterThanOrEqual((4 * large) / bytesPerSecond - 1);
    await mirror.expectConverged({ posts: 104, deletes: 0 });
  }, 60_000);
});

const stored = ({ emulator }: TestMirror, name: string): number =>
  emulator.files().filter(({ filename }) => filename.startsWith(name)).length;

/** A user namespace has limits of its own, which its superuser may lower. */
function limited(watches: number, command: readonly string[]): readonly string[] {
  const script = `echo ${watches} > /proc/sys/user/max_inotify_watches && exec "$@"`;
  return ['unshare', '--user', '--map-root-user', 'sh', '-c', script, 'sh', ...command];
}

/** Why the limit cannot be lowered here; null: it can. */
function whyNoLimit(): string | null {
  const [program = '', ...args] = limited(10, ['true']);
  const { status, error } = spawnSync(program, args);
  return status === 0 ? null : `no user namespaces here (${error?.message ?? status})`;
}

function spawnWithFewWatches(mirror: TestMirror, watches: number) {
  const main =
    process.env['FILES_MIRROR_MAIN'] ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  const [program = '', ...args] = limited(watches, [
    process.execPath,
    main,
    'run',
    '--init',
    '--config',
    mirror.configFile,
  ]);
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: mirror.folder,
    OPENAI_BASE_URL: mirror.emulator.url,
    OPENAI_API_KEY: TEST_KEY,
  };
  return spawn(program, args, { cwd: mirror.folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** User and system time so far, seconds: fields 14 and 15 of `/proc/PID/stat`, in hundredths on Linux. */
async function cpuOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
