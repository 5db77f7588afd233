import { EventEmitter } from 'node:events';
import type fsModule from 'node:fs';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Clock } from '../../src/contract/ports.ts';
import { HintRecorder } from './hint-recorder.ts';
import { systemClock } from './fixtures.ts';

/** A watcher that sees nothing, and fails when it is told so. */
class FakeWatcher extends EventEmitter {
  closed = false;

  add(): this {
    queueMicrotask(() => this.emit('ready'));
    return this;
  }

  unwatch(): this {
    return this;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.removeAllListeners();
  }
}

const watchers: FakeWatcher[] = [];

vi.mock('chokidar', () => ({
  watch: () => {
    const watcher = new FakeWatcher();
    watchers.push(watcher);
    return watcher;
  },
}));

const statfsType = vi.hoisted(() => ({ type: 0xef53 }));

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof fsModule>();
  return { ...fs, statfsSync: () => statfsType };
});

beforeEach(() => {
  watchers.length = 0;
  statfsType.type = 0xef53;
});

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made to fail, watch`), { code });
}

/** Waits of a second and more are over at once, and are written down. */
function impatientClock() {
  const sleeps: number[] = [];
  const clock: Clock = {
    ...systemClock,
    async sleep(ms, signal) {
      sleeps.push(ms);
      await systemClock.sleep(Math.min(ms, 5), signal);
    },
  };
  return { clock, sleeps };
}

test('exhausted watches: polling instead, naming the setting, its value and what is needed', async () => {
  const { clock, sleeps } = impatientClock();
  const recorder = new HintRecorder({ clock, pollMs: 3000, lastScanMs: () => 400 });
  await recorder.ready();
  watchers[0]?.emit('error', systemError('ENOSPC'));
  await recorder.everything('polling');
  const state = recorder.states.at(-1);
  const limit = readFileSync('/proc/sys/fs/inotify/max_user_watches', 'utf8').trim();
  expect(state?.watching).toBe('polling (inotify limit)');
  expect(state?.warning).toContain(`fs.inotify.max_user_watches is ${limit}`);
  // The root and `batch`.
  expect(state?.warning).toContain('needs 2;');
  expect(watchers.every((watcher) => watcher.closed)).toBe(true);
  // A scan of 400 ms may run every 4 s at most.
  expect(sleeps.at(-1)).toBe(4000);
});

test('no inotify instance left: polling instead, naming the setting', async () => {
  const recorder = new HintRecorder({ clock: impatientClock().clock });
  await recorder.ready();
  watchers[0]?.emit('error', systemError('EMFILE'));
  await recorder.everything('polling');
  expect(recorder.states.at(-1)?.warning).toContain('fs.inotify.max_user_instances');
});

test('any other failure: everything is looked at, and a new watcher takes over, later each time', async () => {
  const { clock, sleeps } = impatientClock();
  const recorder = new HintRecorder({ clock });
  for (let failures = 1; failures <= 3; failures++) {
    await recorder.ready();
    sleeps.length = 0;
    watchers.at(-1)?.emit('error', systemError('EIO'));
    await recorder.everything('the watcher failed');
    await recorder.until(() => sleeps.includes(1000 * 2 ** (failures - 1)));
  }
  await recorder.ready();
  expect(recorder.states.filter(({ warning }) => warning?.includes('EIO'))).toHaveLength(3);
  expect(watchers.filter((watcher) => !watcher.closed)).toHaveLength(1);
});

describe('on a network file system', () => {
  test.each([
    [0x6969, 'nfs'],
    [0xff534d42, 'cifs'],
    [0xff534d42 | 0, 'cifs'],
    [0x65735546, 'fuse'],
    [0x01021997, '9p'],
  ])('auto polls and says so (%i)', async (type, name) => {
    statfsType.type = type;
    const recorder = new HintRecorder({ mode: 'auto', clock: impatientClock().clock });
    await recorder.everything('polling');
    await recorder.everything('polling');
    expect(recorder.states).toEqual([
      { watching: `polling (network file system ${name})`, warning: expect.stringContaining(name) },
    ]);
    expect(watchers).toEqual([]);
  });

  test('native watches all the same', async () => {
    statfsType.type = 0x6969;
    const recorder = new HintRecorder({ mode: 'native' });
    await recorder.ready();
    expect(recorder.states).toEqual([{ watching: 'native', warning: null }]);
  });
});

test('a burst of events is answered once it is over, and once', async () => {
  const { clock } = impatientClock();
  const recorder = new HintRecorder({ clock });
  await recorder.ready();
  for (let index = 0; index < 5000; index++) {
    watchers[0]?.emit('raw', 'change', 'a.jsonl', { watchedPath: recorder.at('batch') });
  }
  await recorder.everything('events may have been lost in a burst');
  expect(recorder.hints.filter((hint) => hint.kind === 'path')).toEqual([
    { kind: 'path', path: 'batch/a.jsonl' },
  ]);
  expect(recorder.hints.filter((hint) => hint.kind === 'everything')).toHaveLength(1);
});
