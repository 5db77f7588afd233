import { expect, test } from 'vitest';
import { Storage } from '../../src/mirror/acts/storage.ts';
import { STORAGE } from '../../src/mirror/waiting/topics.ts';
import { on, REST, Worklist } from '../../src/mirror/waiting/worklist.ts';
import { entry } from '../manifest/samples.ts';

const statOf = (path: string, sizeBytes: number): string => `${sizeBytes} 1 1 ${path.length} 1`;

/** Of 1,000 bytes 900 are used by one file, and files of these sizes were refused one after the other. */
async function full(...sizes: readonly number[]) {
  const files = new Map([['batch/there', { ...entry('there'), bytes: 900 }]]);
  const settings = { storageBytes: 1_000 };
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs, wallMs: () => clock.nowMs };
  const halts = new Set<string>();
  const work = new Worklist(
    () => 0,
    () => 0,
  );
  const storage = new Storage({
    clock,
    config: { settings },
    halts: {
      raise: ({ name }: { name: string }) => halts.add(name),
      end: (name: string) => halts.delete(name),
    },
    totals: {
      ready: async () => {},
      ownedBytes: () => files.values().reduce((sum, { bytes }) => sum + bytes, 0),
    },
    view: { files, intents: new Map() },
    worklist: work,
  } as never);
  const look = async (path: string, sizeBytes: number): Promise<boolean> => {
    const sent = await storage.within(path, statOf(path, sizeBytes), async () => {
      files.set(path, { ...entry(path), bytes: sizeBytes, stat: statOf(path, sizeBytes) });
      return 'sent';
    });
    work.done(path, sent === 'sent' ? REST : on(STORAGE));
    return sent === 'sent';
  };
  for (const [index, sizeBytes] of sizes.entries()) {
    work.mark(`batch/${index}`);
    work.take();
    expect(await look(`batch/${index}`, sizeBytes)).toBe(false);
  }
  const tick = (): readonly string[] => {
    clock.nowMs += 10_000;
    storage.tick();
    const woken: string[] = [];
    for (let path = work.take(); path !== null; path = work.take()) woken.push(path);
    return woken;
  };
  return { storage, files, settings, halts, look, tick };
}

test('a file that does not fit costs nothing until there is more room, and is looked at again then', async () => {
  const on = await full(200, 300);
  expect(on.tick()).toEqual([]);
  expect([...on.halts]).toEqual(['storage']);
  on.files.delete('batch/there');
  expect(on.tick()).toEqual(['batch/0', 'batch/1']);
  expect(await on.look('batch/0', 200)).toBe(true);
  expect(await on.look('batch/1', 300)).toBe(true);
  expect([...on.halts]).toEqual([]);
});

test('of those that wait as many are woken as fit together, whose turn it is first', async () => {
  const on = await full(700, 500, 300, 200);
  on.settings.storageBytes = 1_900;
  expect(on.tick()).toEqual(['batch/0', 'batch/2']);
  // Both were sent: nothing is left for the others, and they are not asked again before there is more.
  await on.look('batch/0', 700);
  await on.look('batch/2', 300);
  expect(on.tick()).toEqual([]);
  on.settings.storageBytes = 2_200;
  expect(on.tick()).toEqual(['batch/3']);
});

test('room that one who was woken does not take after all is the next one’s', async () => {
  const on = await full(150, 120);
  on.settings.storageBytes = 1_050;
  expect(on.tick()).toEqual(['batch/0']);
  on.storage.notHeld('batch/0');
  expect(on.tick()).toEqual(['batch/1']);
});
