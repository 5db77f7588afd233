import { describe, expect, onTestFinished, test } from 'vitest';
import { openManifest } from '../../src/manifest/manifest-store.ts';
import type { Manifest } from '../../src/contract/ports.ts';
import type { Change, Memory, Replaced } from '../../src/contract/types.ts';
import { NO_MEMORY } from '../../src/contract/types.ts';
import { ManualClock } from '../manifest/manual-clock.ts';
import {
  changeNumber,
  contentAfter,
  contentOf,
  entry,
  garbage,
  intent,
  rejection,
  seededRandom,
} from '../manifest/samples.ts';
import { SimulatedDisk } from '../manifest/simulated-disk.ts';
import { SimClock } from '../support/sim/sim-clock.ts';
import { SimStateDir } from '../support/sim/sim-manifest.ts';
import { Incarnation } from '../support/sim/sim-process.ts';
import { SimRandom } from '../support/sim/sim-random.ts';

/** A state folder, and the program that has it open. */
interface Bench {
  /** The program ends here and now, whatever it was doing, the computer perhaps with it, and starts again. */
  restart(): Promise<void>;
  /** Of the program that runs now. */
  readonly manifest: Manifest;
  /** As they were found when the program that runs now started: unix milliseconds by `wallMs`. */
  readonly recentAttemptsMs: readonly number[];
  setFull(isFull: boolean): void;
  /** Lets time pass until the promise is settled, and gives what it gives. */
  end<T>(promise: Promise<T>): Promise<T>;
  pass(ms: number): Promise<void>;
  wallMs(): number;
  jumpWall(byMs: number): void;
}

const mirrorId = '0b0c4a53-0f7e-4a0e-9d53-2f4f6a3f3a11';

/** The journal and its files, on a disk on which nothing survives a power cut but what was synced. */
async function journaledBench(seed: number): Promise<Bench> {
  const random = seededRandom(seed);
  const clock = new ManualClock();
  const start = async (disk: SimulatedDisk) => {
    const store = await openManifest({
      stateDir: '/state',
      files: disk,
      clock,
      mirrorId,
      onWarning: () => {},
    });
    onTestFinished(() => store.close());
    return { disk, store };
  };
  let running = await start(new SimulatedDisk());
  return {
    async restart() {
      const { disk } = running;
      const survivor = disk.afterPowerCut(random);
      // What the dead program still has under way reaches nothing.
      disk.fate = () => 'failed';
      running = await start(survivor);
    },
    get manifest() {
      return running.store;
    },
    get recentAttemptsMs() {
      return running.store.recentAttempts();
    },
    setFull(isFull) {
      running.disk.errorCode = 'ENOSPC';
      running.disk.fate = (operation) => (isFull && operation === 'write' ? 'torn' : 'done');
    },
    end: async (promise) => await promise,
    pass: async (ms) => clock.advance(ms),
    wallMs: () => clock.wallMs(),
    jumpWall: (byMs) => clock.setWall(clock.wallMs() + byMs),
  };
}

async function simulatedBench(seed: number): Promise<Bench> {
  const clock = new SimClock({ wallStartMs: 1_760_000_000_000, maxSteps: 100_000 });
  const stateDir = new SimStateDir(mirrorId, clock, new SimRandom(seed), () => {});
  const start = () => {
    const process = new Incarnation({ number: 1, clock, killAtCall: null, onKill: () => {} });
    return { process, manifest: stateDir.open(process), recentAttemptsMs: stateDir.recentAttemptsMs() };
  };
  let running = start();
  return {
    async restart() {
      running.process.kill('power cut');
      running = start();
    },
    get manifest() {
      return running.manifest;
    },
    get recentAttemptsMs() {
      return running.recentAttemptsMs;
    },
    setFull: (isFull) => stateDir.setFull(isFull),
    async end(promise) {
      let isOver = false;
      const over = (): boolean => (isOver = true);
      void promise.then(over, over);
      await clock.runUntil(() => isOver, clock.monotonicMs() + 10_000);
      return await promise;
    },
    pass: (ms) => clock.runFor(ms),
    wallMs: () => clock.wallMs(),
    jumpWall: (byMs) => clock.jumpWall(byMs),
  };
}

const file = (name: string): Change => ({ files: { [`batch/${name}`]: entry(`file-${name}`) } });
const first = file('a');
const second = file('b');

const oneMemory: Memory = {
  letGo: { batch: [{ at: 60, net: 2, most: 3 }] },
  lastVerifyAt: 1_000,
  verifyCountsFrom: 500,
};
const otherMemory: Memory = { letGo: {}, lastVerifyAt: 2_000, verifyCountsFrom: 2_000 };
const haltState = { name: 'Fault', disposition: 'halt', halt: 'state', outcome: 'refused' };

function manifestContract(open: (seed: number) => Promise<Bench>): void {
  test('is empty at first, and bears the same id ever after', async () => {
    const bench = await open(1);
    expect(contentOf(bench.manifest)).toEqual(contentAfter([]));
    expect(bench.manifest.memory).toEqual(NO_MEMORY);
    expect(bench.manifest.mirrorId).toBe(mirrorId);
    await bench.restart();
    expect(bench.manifest.mirrorId).toBe(mirrorId);
  });

  describe('a commit', () => {
    test('shows what it changes when that is durable, and not before', async () => {
      const bench = await open(1);
      const { files } = bench.manifest;
      const commit = bench.manifest.commit(first);
      expect(contentOf(bench.manifest)).toEqual(contentAfter([]));
      await bench.end(commit);
      expect(contentOf(bench.manifest)).toEqual(contentAfter([first]));
      expect(files.get('batch/a')?.id).toBe('file-a');
      await bench.restart();
      expect(contentOf(bench.manifest)).toEqual(contentAfter([first]));
    });

    test('sets what has a value, removes what is null, and leaves the rest, whatever the names', async () => {
      const bench = await open(1);
      const names = ['batch/"a":{', 'batch/\n\u2028', 'batch/__proto__', '7', 'batch/é 📄'];
      const changes: Change[] = [
        ...names.map((name) => ({ files: { [name]: entry(name) } })),
        {
          files: { 'batch/"a":{': null, '7': entry('changed') },
          intents: { 'batch/b': intent(5) },
          garbage: { 'file-1': garbage('batch/c'), ['__proto__']: garbage('batch/d') },
          rejected: { 'batch/e': rejection('line 1: "why"') },
        },
        { intents: { 'batch/b': null }, files: { 'batch/absent': null }, garbage: { 'file-1': null } },
      ];
      for (const change of changes) await bench.end(bench.manifest.commit(change));
      expect([...bench.manifest.files.keys()].toSorted()).toEqual(names.slice(1).toSorted());
      expect([...bench.manifest.garbage.keys()]).toEqual(['__proto__']);
      const { intents, rejected } = bench.manifest;
      expect([intents.size, [...rejected.keys()]]).toEqual([0, ['batch/e']]);
      const before = contentOf(bench.manifest);
      await bench.restart();
      expect(contentOf(bench.manifest)).toEqual(before);
    });

    test('made twice is as good as made once', async () => {
      const bench = await open(1);
      const random = seededRandom(7);
      const changes = Array.from({ length: 30 }, (_, n) => changeNumber(n, random));
      for (const change of changes) {
        await bench.end(bench.manifest.commit(change));
        await bench.end(bench.manifest.commit(change));
      }
      expect(contentOf(bench.manifest)).toEqual(contentAfter(changes));
      await bench.restart();
      expect(contentOf(bench.manifest)).toEqual(contentAfter(changes));
    });

    test('goes before those that were asked for after it', async () => {
      const bench = await open(1);
      const changes = ['1', '2', '3'].map((id) => ({ files: { 'batch/a': entry(id) } }));
      const ended: number[] = [];
      const commits = changes.map(async (change, index) => {
        await bench.manifest.commit(change);
        ended.push(index);
      });
      await bench.end(Promise.all(commits));
      expect(ended).toEqual([0, 1, 2]);
      expect(bench.manifest.files.get('batch/a')?.id).toBe('3');
    });

    test('is told, with what it replaced, in the turn in which the maps show it, and before it resolves', async () => {
      const bench = await open(1);
      const changes: Change[] = [
        first,
        { ...second, garbage: { 'file-1': garbage('batch/c') }, intents: { 'batch/b': intent(1) } },
        { files: { 'batch/a': entry('2'), 'batch/absent': null }, garbage: { 'file-1': null } },
        { files: { 'batch/a': null }, intents: { 'batch/b': null }, rejected: { 'batch/d': rejection('') } },
      ];
      const heard: string[] = [];
      const replacedIds: (readonly (string | undefined)[])[] = [];
      const { manifest } = bench;
      manifest.subscribe((change, { files, intents, garbage: ids, rejected }: Replaced) => {
        const index = changes.findIndex((each) => JSON.stringify(each) === JSON.stringify(change));
        expect(contentOf(manifest)).toEqual(contentAfter(changes.slice(0, index + 1)));
        heard.push(`told ${index}`);
        replacedIds.push([...[...files.values()].map(({ id }) => id), ...intents.keys(), ...ids.keys()]);
        expect(rejected.size).toBe(0);
      });
      const commits = changes.map(async (change, index) => {
        await manifest.commit(change);
        heard.push(`resolved ${index}`);
      });
      await bench.end(Promise.all(commits));
      expect(heard.filter((each) => each.startsWith('told'))).toEqual([
        'told 0',
        'told 1',
        'told 2',
        'told 3',
      ]);
      for (const index of changes.keys())
        expect(heard.indexOf(`told ${index}`)).toBeLessThan(heard.indexOf(`resolved ${index}`));
      expect(replacedIds).toEqual([[], [], ['file-a', 'file-1'], ['2', 'batch/b']]);
      bench.setFull(true);
      await bench.end(Promise.allSettled([manifest.commit(file('c'))]));
      expect(heard).toHaveLength(8);
    });

    test('that had not resolved when all ended is there as a whole, with all before it, or not at all', async () => {
      const survivors = new Set<number>();
      for (let seed = 1; seed <= 60; seed += 1) {
        const bench = await open(seed);
        await bench.end(bench.manifest.commit(first));
        const changes = ['b', 'c', 'd'].map((name) => ({
          ...file(name),
          garbage: { [name]: garbage(name) },
        }));
        let resolved = 0;
        const resolves = (): number => (resolved += 1);
        for (const change of changes) bench.manifest.commit(change).then(resolves, () => {});
        for (let turn = 0; turn < seed % 30; turn += 1) await Promise.resolve();
        const resolvedBefore = resolved;
        await bench.restart();
        const count = bench.manifest.files.size - 1;
        expect(count).toBeGreaterThanOrEqual(resolvedBefore);
        expect(contentOf(bench.manifest)).toEqual(contentAfter([first, ...changes.slice(0, count)]));
        survivors.add(count);
      }
      expect(survivors.has(0)).toBe(true);
      expect(survivors.size).toBeGreaterThan(1);
    });

    test('that cannot be made durable throws a halt of the state and leaves all as it was; the next one goes on', async () => {
      const bench = await open(1);
      await bench.end(bench.manifest.commit(first));
      bench.setFull(true);
      const refused = Promise.allSettled([bench.manifest.commit(second), bench.manifest.commit(file('c'))]);
      for (const { reason } of (await bench.end(refused)) as PromiseRejectedResult[])
        expect(reason).toMatchObject(haltState);
      expect(contentOf(bench.manifest)).toEqual(contentAfter([first]));
      bench.setFull(false);
      await bench.end(bench.manifest.commit(file('d')));
      expect(contentOf(bench.manifest)).toEqual(contentAfter([first, file('d')]));
      await bench.restart();
      expect(contentOf(bench.manifest)).toEqual(contentAfter([first, file('d')]));
    });

    test('of nothing is no write: it resolves where nothing can be written', async () => {
      const bench = await open(1);
      bench.setFull(true);
      for (const change of [{}, { files: {} }, { files: {}, intents: {}, garbage: {}, rejected: {} }])
        await bench.end(bench.manifest.commit(change));
      expect(contentOf(bench.manifest)).toEqual(contentAfter([]));
    });
  });

  describe('the memory', () => {
    test('is replaced as a whole once that is durable, beside what is committed', async () => {
      const bench = await open(1);
      const remembered = bench.manifest.remember(oneMemory);
      expect(bench.manifest.memory).toEqual(NO_MEMORY);
      await bench.end(remembered);
      expect(bench.manifest.memory).toEqual(oneMemory);
      await bench.end(bench.manifest.commit(first));
      await bench.end(bench.manifest.remember(otherMemory));
      await bench.restart();
      expect(bench.manifest.memory).toEqual(otherMemory);
      expect(contentOf(bench.manifest)).toEqual(contentAfter([first]));
    });

    test('that cannot be written throws as a commit does, and the one before stays', async () => {
      const bench = await open(1);
      await bench.end(bench.manifest.remember(oneMemory));
      bench.setFull(true);
      const refused = bench.manifest.remember(otherMemory).catch((error: unknown) => error);
      expect(await bench.end(refused)).toMatchObject(haltState);
      expect(bench.manifest.memory).toEqual(oneMemory);
      bench.setFull(false);
      await bench.restart();
      expect(bench.manifest.memory).toEqual(oneMemory);
      await bench.end(bench.manifest.remember(otherMemory));
      expect(bench.manifest.memory).toEqual(otherMemory);
    });

    test('is in the end the one that was asked for last', async () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const bench = await open(seed);
        const all = Promise.all([oneMemory, otherMemory].map((each) => bench.manifest.remember(each)));
        await bench.end(all);
        expect(bench.manifest.memory).toEqual(otherMemory);
        await bench.restart();
        expect(bench.manifest.memory).toEqual(otherMemory);
      }
    });

    test('is one of the two when all ended meanwhile', async () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const bench = await open(seed);
        await bench.end(bench.manifest.remember(oneMemory));
        bench.manifest.remember(otherMemory).catch(() => {});
        await bench.restart();
        expect([oneMemory, otherMemory]).toContainEqual(bench.manifest.memory);
      }
    });
  });

  describe('the upload attempts that a new start still counts', () => {
    test('are those whose intents went in the last 61 s, and those that are open, as ended now', async () => {
      const bench = await open(1);
      const startedMs = bench.wallMs();
      const commit = (change: Change): Promise<void> => bench.end(bench.manifest.commit(change));
      await commit({ intents: { 'batch/long ago': intent(1) } });
      await commit({ intents: { 'batch/long ago': null } });
      await bench.pass(40_000);
      await commit({ intents: { 'batch/a': intent(2), 'batch/b': intent(3) } });
      await commit({ intents: { 'batch/a': null } });
      await commit({ intents: { 'batch/b': intent(4) } });
      await bench.pass(30_000);
      await bench.restart();
      const endedMs = bench.recentAttemptsMs.map((atMs) => Math.round((atMs - startedMs) / 1_000));
      expect(endedMs).toEqual([40, 40, 70]);
    });

    test('age out, although a clock that was set back put them in the future', async () => {
      const bench = await open(1);
      for (const path of ['batch/a', 'batch/b']) {
        await bench.end(bench.manifest.commit({ intents: { [path]: intent(1) } }));
        await bench.end(bench.manifest.commit({ intents: { [path]: null } }));
        bench.jumpWall(-3_600_000);
      }
      await bench.restart();
      expect(bench.recentAttemptsMs).toEqual([bench.wallMs(), bench.wallMs()]);
      await bench.end(bench.manifest.commit({ intents: { 'batch/c': intent(1) } }));
      await bench.end(bench.manifest.commit({ intents: { 'batch/c': null } }));
      await bench.pass(62_000);
      await bench.restart();
      expect(bench.recentAttemptsMs).toEqual([]);
    });
  });
}

describe('the manifest in its files', () => {
  manifestContract(journaledBench);
});

describe('the manifest of the simulation', () => {
  manifestContract(simulatedBench);
});
