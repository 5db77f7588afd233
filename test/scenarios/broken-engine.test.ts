import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openMirror, type MirrorApp } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';

const DEFECT = new Error('a defect');

/** A mirror whose engine breaks at the end of its first scan. */
async function breakingMirror(): Promise<MirrorApp> {
  const home = mkdtempSync(join(tmpdir(), 'files-mirror-broken-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, 'root', 'user_data'), { recursive: true });
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

function watchers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap').length;
}

test('an engine that broke ends the daemon, which watches nothing any more', async () => {
  const mirror = await breakingMirror();
  const before = watchers();
  await expect(mirror.run(new AbortController().signal)).rejects.toBe(DEFECT);
  await mirror.close();
  // A watcher that was started anew would be there by the next turn or two.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(watchers()).toBe(before);
});

test('an engine that broke is no success of one pass, nor of who waits for it', async () => {
  const mirror = await breakingMirror();
  const signal = new AbortController().signal;
  await expect(mirror.converge(signal)).rejects.toBe(DEFECT);
  await expect(mirror.control.flush(signal)).rejects.toBe(DEFECT);
  await expect(mirror.control.waitFor('user_data/a', signal)).rejects.toBe(DEFECT);
  await mirror.close();
});
