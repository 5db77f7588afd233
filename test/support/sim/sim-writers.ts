import type { MirrorPath } from '../../../src/contract/types.ts';
import type { SimClock } from './sim-clock.ts';
import { contentOf, joined } from './sim-content.ts';
import type { SimDisk } from './sim-disk.ts';
import type { LifeKnobs } from './sim-profile.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimTrace } from './sim-trace.ts';

export interface WriterTools {
  readonly disk: SimDisk;
  readonly clock: SimClock;
  readonly knobs: LifeKnobs;
  readonly random: SimRandom;
  readonly trace: SimTrace;
}

// Few names, few sizes, few contents: so that names come back, twins arise, and sizes say little.
const names = ['a.jsonl', 'b.jsonl', 'c.jsonl', 'A.jsonl', 'd.txt'];
const oddNames = ['e.tmp', '.hidden.jsonl', 'ünï "cödé".jsonl'];
const subfolders = ['', '', 'x', 'y', 'x/z'];
const sizes = [0, 1, 7, 100, 100, 100, 100, 777, 777, 1_999];

const acts = {
  write: 20,
  saveAtomically: 8,
  append: 8,
  writeSlowly: 5,
  truncate: 3,
  renameFile: 10,
  renameForthAndBack: 3,
  swap: 3,
  copy: 4,
  moveFolder: 5,
  removeFile: 8,
  removeAndRecreate: 4,
  removeFolder: 2,
  makeFolder: 2,
  touch: 3,
  editKeepingTime: 1,
  hardLink: 1,
  symlink: 1,
  forbid: 2,
  forbidFolder: 1,
  writeOutside: 1,
} as const;

type Act = keyof typeof acts;

/** People and programs at work in the folder, at random. Some acts are steps over time; they interleave. */
export class SimWriters {
  readonly #tools: WriterTools;
  readonly #acts: Readonly<Record<Act, () => void>>;
  readonly #held = new Set<() => void>();
  #isResting = false;

  constructor(tools: WriterTools) {
    this.#tools = tools;
    const { disk, random } = tools;
    this.#acts = {
      write: () => this.#note('write', this.#path(), (path) => disk.write(path, this.#content())),
      saveAtomically: () => this.#saveAtomically(this.#path()),
      append: () => this.#note('append', this.#someFile(), (path) => disk.append(path, this.#content())),
      writeSlowly: () => this.#writeSlowly(this.#path()),
      truncate: () =>
        this.#note('truncate', this.#someFile(), (path) => disk.truncate(path, random.int(0, 100))),
      renameFile: () => this.#rename(this.#someFile(), this.#path()),
      renameForthAndBack: () => this.#renameForthAndBack(this.#someFile(), this.#path()),
      swap: () => this.#swap(this.#someFile(), this.#someFile()),
      copy: () => this.#copy(this.#someFile(), this.#path()),
      moveFolder: () => this.#moveFolder(),
      removeFile: () => this.#note('remove', this.#someFile(), (path) => disk.remove(path)),
      removeAndRecreate: () => this.#removeAndRecreate(this.#someFile()),
      removeFolder: () => this.#note('remove -r', this.#folder(), (path) => disk.remove(path)),
      makeFolder: () => this.#makeFolders(this.#folder()),
      touch: () => this.#touch(this.#someFile()),
      editKeepingTime: () => this.#editKeepingTime(this.#someFile()),
      hardLink: () => this.#note('link', this.#path(), (path) => disk.link(this.#someFile(), path)),
      symlink: () => this.#note('symlink', this.#path(), (path) => disk.symlink(path)),
      forbid: () => this.#forbid(this.#someFile()),
      forbidFolder: () => this.#forbidFolder(this.#folder()),
      writeOutside: () => this.#writeOutside(),
    };
  }

  /** The folder as the program finds it at its first start. */
  populate(): void {
    for (const { folder } of this.#tools.knobs.settings.folders) this.#makeFolders(folder);
    const count = this.#tools.random.int(0, 12);
    for (let index = 0; index < count; index += 1) this.#acts.write();
  }

  /** Keeps writing until `rest`. */
  start(): void {
    const { clock, knobs, random } = this.#tools;
    if (this.#isResting) return;
    const isBurst = random.chance(0.3);
    clock.schedule(isBurst ? random.int(1, 50) : random.int(1, 2 * knobs.writeEveryMs), () => {
      if (this.#isResting) return;
      this.#acts[random.weighted(acts)]();
      this.start();
    });
  }

  /** No more writing. What was forbidden is mostly allowed again. */
  rest(): void {
    const { disk, random } = this.#tools;
    this.#isResting = true;
    for (const release of this.#held) release();
    this.#held.clear();
    for (const { path, node } of disk.walk()) {
      if (node.kind === 'dir' && !node.listable && random.chance(0.7)) disk.setListable(path, true);
    }
    for (const { path, node } of disk.walk()) {
      if (node.kind === 'file' && !node.readable && random.chance(0.7)) disk.chmod(path, true);
    }
  }

  #path(): MirrorPath {
    const { knobs, random } = this.#tools;
    const { folder } = random.pick(knobs.settings.folders);
    const below = random.pick(subfolders);
    const name = random.chance(0.06) ? random.pick(oddNames) : random.pick(names);
    const directory = below === '' ? folder : `${folder}/${below}`;
    this.#makeFolders(directory);
    return `${directory}/${name}`;
  }

  #folder(): MirrorPath {
    const { knobs, random } = this.#tools;
    const { folder } = random.pick(knobs.settings.folders);
    const below = random.chance(0.1) ? '' : random.pick(['x', 'y', 'x/z']);
    return below === '' ? folder : `${folder}/${below}`;
  }

  #someFile(): MirrorPath {
    const files = [...this.#tools.disk.walk()].filter(({ node }) => node.kind === 'file');
    return files.length === 0 ? this.#path() : this.#tools.random.pick(files).path;
  }

  #content(): Uint8Array {
    return contentOf(this.#tools.random.int(1, 5), this.#tools.random.pick(sizes));
  }

  #makeFolders(path: MirrorPath): void {
    const parts = path.split('/');
    for (let depth = 1; depth <= parts.length; depth += 1)
      this.#tools.disk.mkdir(parts.slice(0, depth).join('/'));
  }

  #rename(from: MirrorPath, to: MirrorPath): void {
    this.#note(`rename ${from}`, to, () => this.#tools.disk.rename(from, to));
  }

  #saveAtomically(path: MirrorPath): void {
    const { disk, random } = this.#tools;
    const temporary = `${path}.tmp`;
    disk.write(temporary, this.#content());
    this.#later(random.int(0, 30), () => this.#rename(temporary, path));
  }

  #writeSlowly(path: MirrorPath): void {
    const { disk, knobs, random } = this.#tools;
    this.#note('write slowly', path, () => disk.write(path, this.#content()));
    const release = disk.holdOpen(path);
    if (release === null) return;
    this.#held.add(release);
    let delayMs = 0;
    for (let step = random.int(1, 5); step > 0; step -= 1) {
      delayMs += random.chance(0.3) ? random.int(0, 3 * knobs.settleMs) : random.int(1, 200);
      this.#later(delayMs, () => this.#note('append more', path, () => disk.append(path, this.#content())));
    }
    this.#later(delayMs + random.int(0, 500), () => {
      if (this.#held.delete(release)) release();
    });
  }

  #renameForthAndBack(from: MirrorPath, to: MirrorPath): void {
    this.#rename(from, to);
    this.#later(this.#tools.random.int(1, 20_000), () => this.#rename(to, from));
  }

  #swap(one: MirrorPath, other: MirrorPath): void {
    this.#rename(one, `${one}.tmp`);
    this.#rename(other, one);
    this.#rename(`${one}.tmp`, other);
  }

  #copy(from: MirrorPath, to: MirrorPath): void {
    const { disk } = this.#tools;
    const node = disk.at(from);
    if (node?.kind === 'file') this.#note(`copy ${from}`, to, () => disk.write(to, node.content.slice()));
  }

  #moveFolder(): void {
    const { disk, random } = this.#tools;
    const from = this.#folder();
    const to = this.#folder();
    if (disk.at(to) !== null && random.chance(0.5)) disk.remove(to);
    if (to.includes('/')) this.#makeFolders(to.slice(0, to.lastIndexOf('/')));
    this.#note(`move folder ${from}`, to, () => disk.rename(from, to));
  }

  #removeAndRecreate(path: MirrorPath): void {
    const { disk, random } = this.#tools;
    const node = disk.at(path);
    const before = node?.kind === 'file' && random.chance(0.5) ? node.content.slice() : this.#content();
    this.#note('remove', path, () => disk.remove(path));
    this.#later(random.int(1, 12_000), () => this.#note('recreate', path, () => disk.write(path, before)));
  }

  #touch(path: MirrorPath): void {
    const { disk, random } = this.#tools;
    const ageNs = random.chance(0.5) ? 0n : BigInt(random.int(-100, 100_000)) * 1_000_000_000n;
    this.#note('touch', path, () => disk.touch(path, disk.nowNs() - ageNs));
  }

  /** Same size, other bytes, `touch -r`: only the ctime tells. */
  #editKeepingTime(path: MirrorPath): void {
    const { disk, random } = this.#tools;
    const node = disk.at(path);
    if (node?.kind !== 'file') return;
    const { mtimeNs } = node;
    this.#note('edit, keeping the time', path, () => {
      return disk.write(path, contentOf(random.int(1, 5), node.content.length)) && disk.touch(path, mtimeNs);
    });
  }

  #forbid(path: MirrorPath): void {
    const { disk, random } = this.#tools;
    this.#note('chmod 000', path, () => disk.chmod(path, false));
    if (random.chance(0.7)) {
      this.#later(random.int(1_000, 30_000), () =>
        this.#note('chmod 644', path, () => disk.chmod(path, true)),
      );
    }
  }

  #forbidFolder(path: MirrorPath): void {
    const { disk, random } = this.#tools;
    this.#note('chmod 000', path, () => disk.setListable(path, false));
    this.#later(random.int(1_000, 60_000), () =>
      this.#note('chmod 755', path, () => disk.setListable(path, true)),
    );
  }

  #writeOutside(): void {
    const { disk, random } = this.#tools;
    this.#makeFolders('elsewhere');
    const path = random.chance(0.5) ? 'elsewhere/a.jsonl' : 'a.jsonl';
    this.#note('write', path, () => disk.write(path, joined(this.#content(), this.#content())));
  }

  #later(delayMs: number, action: () => void): void {
    this.#tools.clock.schedule(delayMs, () => {
      if (!this.#isResting) action();
    });
  }

  #note(what: string, path: MirrorPath, act: (path: MirrorPath) => boolean): void {
    this.#tools.trace.add('disk', what, path, act(path) ? '' : '(failed)');
  }
}
