import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { openMirror, type MirrorApp } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';

const DEFECT = new Error('a defect');

function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'files-mirror-broken-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, 'root', 'user_data'), { recursive: true });
  return home;
}

/** A mirror whose engine breaks at the end of its first scan. */
async function breakingMirror(): Promise<MirrorApp> {
  const home = newHome();
  const { config } = await loadConfig({
    flags: { root: join(home, 'root'), stateDir: join(home, 'state') },
    env: { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' },
    cwd: home,
    homeDir: home,
  });
  return await openMirror({
    config,
    apiKey: null,
    listener(event) {
      if (event.kind === 'scanned') throw DEFECT;
    },
  });
}

/** A daemon of one purpose: its engine breaks, and then nothing keeps the process alive. */
const PROGRAM = `
  import { openMirror } from '${new URL('../../src/compose.ts', import.meta.url).href}';
  import { loadConfig } from '${new URL('../../src/config/load.ts', import.meta.url).href}';
  const [home] = process.argv.slice(1);
  const { config } = await loadConfig({
    flags: { root: home + '/root', stateDir: home + '/state' },
    env: { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' },
    cwd: home,
    homeDir: home,
  });
  const listener = (event) => {
    if (event.kind === 'scanned') throw new Error('a defect');
  };
  const mirror = await openMirror({ config, apiKey: null, listener });
  await mirror.run(new AbortController().signal).catch((error) => console.log(error.message));
  await mirror.close();
`;

test('an engine that broke ends the daemon: no watcher keeps it alive', async () => {
  const home = newHome();
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, home], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  expect(await text(child.stdout)).toBe('a defect\n');
  expect(await ended).toEqual([0, null]);
}, 10_000);

test('an engine that broke is no success of one pass, nor of who waits for it', async () => {
  const mirror = await breakingMirror();
  const signal = new AbortController().signal;
  await expect(mirror.converge(signal)).rejects.toBe(DEFECT);
  await expect(mirror.control.flush(signal)).rejects.toBe(DEFECT);
  await expect(mirror.control.waitFor('user_data/a', signal)).rejects.toBe(DEFECT);
  await mirror.close();
});
