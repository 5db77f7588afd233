import { describe, expect, it } from 'vitest';
import { SimClock, SimOverrun } from './sim-clock.ts';
import { contentOf } from './sim-content.ts';
import { SimDisk } from './sim-disk.ts';
import { SimStateDir } from './sim-manifest.ts';
import { Incarnation } from './sim-process.ts';
import { SimRandom } from './sim-random.ts';

function clockAtZero(maxSteps = 1_000): SimClock {
  return new SimClock({ wallStartMs: 1_760_000_000_000, maxSteps });
}

function incarnationOn(clock: SimClock, killAtCall: number | null = null): Incarnation {
  return new Incarnation({ number: 1, clock, killAtCall, onKill: () => {} });
}

describe('virtual time', () => {
  it('fires timers in order and leaves cancelled ones out', async () => {
    const clock = clockAtZero();
    const fired: string[] = [];
    clock.schedule(30, () => fired.push('c'));
    clock.schedule(10, () => fired.push('a'));
    clock.schedule(20, () => fired.push('never'))();
    clock.schedule(10, () => fired.push('b'));
    await clock.runFor(25);
    expect(fired).toEqual(['a', 'b']);
    expect(clock.monotonicMs()).toBe(25);
    await clock.runFor(25);
    expect(fired).toEqual(['a', 'b', 'c']);
  });

  it('jumps the wall clock and not the other', () => {
    const clock = clockAtZero();
    clock.jumpWall(-5_000);
    expect(clock.wallMs()).toBe(1_760_000_000_000 - 5_000);
    expect(clock.monotonicMs()).toBe(0);
  });

  it('rejects a sleep with the reason of its signal, before and during', async () => {
    const clock = clockAtZero();
    const reason = new Error('enough');
    await expect(clock.sleep(10, AbortSignal.abort(reason))).rejects.toBe(reason);
    const abort = new AbortController();
    const sleep = clock.sleep(10, abort.signal).catch((error: unknown) => error);
    clock.schedule(5, () => abort.abort(reason));
    await clock.runFor(20);
    expect(await sleep).toBe(reason);
  });

  it('finds what never rests', async () => {
    const clock = clockAtZero(100);
    const spin = async (): Promise<void> => {
      for (;;) await clock.sleep(0);
    };
    void spin();
    await expect(clock.runFor(1)).rejects.toBeInstanceOf(SimOverrun);
  });
});

describe('a process', () => {
  it('dies at the planned call: neither that call nor any other ends', async () => {
    const clock = clockAtZero();
    const incarnation = incarnationOn(clock, 5);
    const ended: string[] = [];
    const call = async (name: string): Promise<void> => {
      await incarnation
        .call(name, async () => {
          if (name === 'third') throw new Error('not seen by anybody');
        })
        .finally(() => ended.push(name));
    };
    void incarnation.clock.sleep(50).then(() => ended.push('sleep'));
    await call('first');
    // The sleep was the first call, `first` the second and third, `second` begins the fourth; `third` is fatal.
    void call('second');
    void call('third');
    await clock.runFor(100);
    expect(ended).toEqual(['first']);
    expect(incarnation.dead).toBe(true);
  });
});

describe('the state directory', () => {
  const intent = {
    purpose: 'batch',
    remoteName: 'a',
    bytes: 1,
    stat: '',
    startedAtMs: 1,
    serverStartedAtMs: null,
  };

  it('keeps a prefix of what a crash left unacknowledged', async () => {
    const kept = new Set<string>();
    for (let seed = 1; seed <= 40; seed += 1) {
      const clock = clockAtZero();
      const stateDir = new SimStateDir('id', clock, new SimRandom(seed), () => {});
      const incarnation = incarnationOn(clock);
      const manifest = stateDir.open(incarnation);
      void manifest.commit({ intents: { a: intent } });
      await clock.runFor(200);
      for (const path of ['b', 'c']) void manifest.commit({ intents: { [path]: intent } });
      incarnation.kill('power cut');
      kept.add([...stateDir.survivor().intents.keys()].join(''));
    }
    expect([...kept].sort()).toEqual(['a', 'ab']);
  });
});

describe('the disk', () => {
  it('renames like POSIX: over files, with everything below, never into itself', () => {
    const disk = new SimDisk(clockAtZero(), new SimRandom(4));
    disk.mkdir('batch');
    disk.mkdir('batch/x');
    disk.write('batch/x/a', contentOf(1, 7));
    disk.write('batch/b', contentOf(2, 7));
    expect(disk.rename('batch/x', 'batch/x/y')).toBe(false);
    expect(disk.rename('batch/x', 'batch/y')).toBe(true);
    expect(disk.rename('batch/b', 'batch/y/a')).toBe(true);
    expect(disk.at('batch/y/a')).toMatchObject({ content: contentOf(2, 7) });
    expect([...disk.walk()].map(({ path }) => path)).toEqual(['batch', 'batch/y', 'batch/y/a']);
  });
});
