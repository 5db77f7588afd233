import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { createContentChecks } from '../../src/checks/content-checks.ts';
import { realDisk, type Disk } from '../../src/local/disk.ts';
import { createIgnoreRules } from '../../src/local/ignore-rules.ts';
import { createLocalTree } from '../../src/local/local-tree.ts';
import type { LocalTree } from '../../src/contract/ports.ts';
import { ManualClock, temporaryDirectory } from '../local/fixtures.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { SimClock } from '../support/sim/sim-clock.ts';
import { SimDisk } from '../support/sim/sim-disk.ts';
import { SimLocal } from '../support/sim/sim-local.ts';
import { Incarnation } from '../support/sim/sim-process.ts';
import { calmProfile, drawKnobs } from '../support/sim/sim-profile.ts';
import { SimRandom } from '../support/sim/sim-random.ts';

/** What a person, or a cable, can make of the root. */
export type RootAway = 'missing' | 'unmounted' | 'swapped' | 'emptied';

/** A tree, and what others do to it. */
export interface LocalBench {
  readonly tree: LocalTree;
  wallMs(): number;
  /** Into the file that is there, or a new one; missing directories are made. Its time is now. */
  write(path: string, content: Uint8Array): void;
  /** Gives the file another modification time. */
  touch(path: string, mtimeMs: number): void;
  rename(from: string, to: string): void;
  /** One file, or a directory with all that is in it. */
  remove(path: string): void;
  mkdir(path: string): void;
  symlink(path: string): void;
  /** Nobody may list this directory, nor reach what is below, from now on; or again. */
  setListable(path: string, isListable: boolean): void;
  setReadable(path: string, isReadable: boolean): void;
  /** Somebody holds it open for writing, until the returned function is called. */
  holdOpen(path: string): () => void;
  takeRoot(how: RootAway): void;
  bringRootBack(onAnotherDevice: boolean): void;
  /** Lets time pass until the promise is settled, and gives what it gives. */
  end<T>(promise: Promise<T>): Promise<T>;
  pass(ms: number): Promise<void>;
}

export const settleMs = 2_000;
export const otherId = '99999999-0f7e-4a0e-9d53-2f4f6a3f3a11';
export const batch = rulesOf('batch', { maxBytes: 500_000 });
const folders = [batch, rulesOf('fine-tune')];

/** A disk as one who has not every right sees it, and whose device has the number it is given. */
class RestrictedDisk {
  readonly locked = new Set<string>();
  readonly unreadable = new Set<string>();
  deviceOffset = 0n;

  readonly disk: Disk = {
    ...realDisk,
    accessSync: (path, mode) => {
      if (this.unreadable.has(String(path))) throw denied();
      this.#enter(dirname(String(path)));
      realDisk.accessSync(path, mode);
    },
    lstatSync: this.#stating(realDisk.lstatSync, (path) => dirname(path)),
    statSync: this.#stating(realDisk.statSync, (path) => dirname(path)),
    opendirSync: (path, options) => {
      this.#enter(String(path));
      return realDisk.opendirSync(path, options);
    },
    readdirSync: ((path: string, ...rest: []) => {
      this.#enter(path);
      return realDisk.readdirSync(path, ...rest);
    }) as Disk['readdirSync'],
  };

  #stating<T>(call: T, above: (path: string) => string): T {
    const real = call as (path: string, options: object) => fs.BigIntStats | undefined;
    return ((path: string, options: object) => {
      this.#enter(above(path));
      const stat = real(path, options);
      if (typeof stat?.dev === 'bigint') stat.dev += this.deviceOffset;
      return stat;
    }) as T;
  }

  #enter(directory: string): void {
    for (const locked of this.locked)
      if (directory === locked || directory.startsWith(`${locked}/`)) throw denied();
  }
}

function denied(): Error {
  return Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
}

export function realBench(): LocalBench {
  const root = join(temporaryDirectory(), 'root');
  fs.mkdirSync(root);
  const at = (path: string): string => join(root, path);
  const clock = new ManualClock(Date.now());
  const restricted = new RestrictedDisk();
  const held = new Set<string>();
  const toggle = (set: Set<string>, path: string, isIn: boolean): void => {
    if (isIn) set.add(path);
    else set.delete(path);
  };
  const touch = (path: string, mtimeMs: number): void =>
    fs.utimesSync(at(path), mtimeMs / 1_000, mtimeMs / 1_000);
  const tree = createLocalTree({
    root,
    settleMs,
    clock,
    folders: folders.map(({ folder }) => folder),
    rules: createIgnoreRules({ root, patterns: [], disk: restricted.disk }),
    openWriters: { of: async (path) => (held.has(path) ? { pid: 4711, name: 'cp' } : null) },
    checks: createContentChecks(),
    disk: restricted.disk,
  });
  return {
    tree,
    wallMs: () => clock.wallMs(),
    write(path, content) {
      fs.mkdirSync(dirname(at(path)), { recursive: true });
      fs.writeFileSync(at(path), content);
      touch(path, clock.wallMs());
    },
    touch,
    rename: (from, to) => fs.renameSync(at(from), at(to)),
    remove: (path) => fs.rmSync(at(path), { recursive: true }),
    mkdir: (path) => fs.mkdirSync(at(path), { recursive: true }),
    symlink: (path) => fs.symlinkSync('elsewhere', at(path)),
    setListable: (path, isListable) => toggle(restricted.locked, at(path), !isListable),
    setReadable: (path, isReadable) => toggle(restricted.unreadable, at(path), !isReadable),
    holdOpen(path) {
      held.add(path);
      return () => held.delete(path);
    },
    takeRoot(how) {
      fs.renameSync(root, `${root}-away`);
      if (how === 'missing') return;
      fs.mkdirSync(root);
      if (how === 'unmounted') restricted.deviceOffset += 7n;
      if (how !== 'swapped') return;
      fs.writeFileSync(at('.files-mirror.json'), JSON.stringify({ version: 1, mirrorId: otherId }));
      fs.mkdirSync(at('batch'));
      fs.writeFileSync(at('batch/a.jsonl'), 'of somebody else');
    },
    bringRootBack(onAnotherDevice) {
      fs.rmSync(root, { recursive: true, force: true });
      fs.renameSync(`${root}-away`, root);
      restricted.deviceOffset = onAnotherDevice ? 1n : 0n;
    },
    end: async (promise) => await promise,
    pass: async (ms) => clock.pass(ms),
  };
}

export function simulatedBench(): LocalBench {
  const clock = new SimClock({ wallStartMs: 1_760_000_000_000, maxSteps: 1_000_000 });
  const disk = new SimDisk(clock, new SimRandom(1));
  const process = new Incarnation({ number: 1, clock, killAtCall: null, onKill: () => {} });
  const knobs = {
    ...drawKnobs(calmProfile, new SimRandom(1)),
    settings: calmSettings(folders),
    settleMs,
    contentRule: true,
    seesWriters: true,
  };
  const tree = new SimLocal({
    disk,
    incarnation: process,
    knobs,
    random: new SimRandom(1),
    isCalm: () => true,
    onCreate: () => {},
  });
  const made = (isMade: boolean): void => {
    if (!isMade) throw new Error('the simulated disk refused');
  };
  const mkdir = (path: string): void => {
    const parts = path.split('/');
    for (let depth = 1; depth <= parts.length; depth += 1) disk.mkdir(parts.slice(0, depth).join('/'));
  };
  return {
    tree,
    wallMs: () => clock.wallMs(),
    write(path, content) {
      mkdir(dirname(path));
      made(disk.write(path, new Uint8Array(content)));
    },
    touch: (path, mtimeMs) => made(disk.touch(path, BigInt(Math.round(mtimeMs)) * 1_000_000n)),
    rename: (from, to) => made(disk.rename(from, to)),
    remove: (path) => made(disk.remove(path)),
    mkdir,
    symlink: (path) => made(disk.symlink(path)),
    setListable: (path, isListable) => made(disk.setListable(path, isListable)),
    setReadable: (path, isReadable) => made(disk.chmod(path, isReadable)),
    holdOpen(path) {
      const letGo = disk.holdOpen(path);
      if (letGo === null) throw new Error('the simulated disk refused');
      return letGo;
    },
    takeRoot: (how) => disk.takeAway(how),
    bringRootBack: (onAnotherDevice) => disk.bringBack(onAnotherDevice),
    async end(promise) {
      let isOver = false;
      const over = (): boolean => (isOver = true);
      void promise.then(over, over);
      await clock.runUntil(() => isOver, clock.monotonicMs() + 60_000);
      return await promise;
    },
    pass: (ms) => clock.runFor(ms),
  };
}
