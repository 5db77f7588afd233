/** A seeded writer that never rests: creates, changes, renames, moves and deletes files, and knows what must be there. */
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { SimRandom } from '../support/sim/sim-random.ts';
import { sha256Of } from './oracle.ts';

export interface ChurnOptions {
  readonly root: string;
  readonly random: SimRandom;
  /** First-level folders. */
  readonly folders: readonly string[];
  /** How many files there are to be, once it has run for a while; never fewer from then on. */
  readonly files: number;
}

const subfolders = 12;
/** So few sizes that same name and same size often meet, which is what a listing cannot tell apart. */
const paddings = [0, 0, 50, 1_000];
const largePadding = 200_000;

export class Churn {
  operations = 0;
  /** Contents that were like none before. */
  versions = 0;
  readonly #options: ChurnOptions;
  /** Hash of the content by path, as written. */
  readonly #hashes = new Map<string, string>();
  readonly #paths: string[] = [];
  readonly #places = new Map<string, number>();

  constructor(options: ChurnOptions) {
    this.#options = options;
  }

  get files(): number {
    return this.#paths.length;
  }

  /** What was written last, by path. */
  get hashes(): ReadonlyMap<string, string> {
    return this.#hashes;
  }

  /** One operation. */
  step(): void {
    const { random, files } = this.#options;
    this.operations += 1;
    const missing = files + files / 50 - this.#paths.length;
    const growing = missing > files / 20;
    const operation = random.weighted({
      create: missing > 0 ? (growing ? 150 : 45) : 0,
      overwrite: 16,
      append: 8,
      replace: 14,
      touch: 5,
      rename: 10,
      move: 12,
      renameOver: missing < 0 ? 6 : 2,
      copy: missing > 0 ? 8 : 0,
      remove: missing < 0 ? 30 : 4,
      recreate: 5,
      swap: 3,
      moveFolder: 0.1,
    });
    if (operation === 'create' || this.#paths.length < 20) this.#write(this.#freePath(), this.#newContent());
    else this.#change(operation);
  }

  #change(operation: Exclude<Operation, 'create'>): void {
    const { root } = this.#options;
    const path = this.#anyPath();
    switch (operation) {
      case 'overwrite':
        return this.#write(path, this.#newContent());
      case 'append': {
        const more = this.#newContent();
        appendFileSync(join(root, path), more);
        return this.#known(path, sha256Of(readFileSync(join(root, path))));
      }
      case 'replace': {
        const content = this.#newContent();
        const temporary = join(root, dirname(path), '.writing');
        writeFileSync(temporary, content);
        renameSync(temporary, join(root, path));
        return this.#known(path, sha256Of(content));
      }
      case 'touch':
        return utimesSync(join(root, path), new Date(), new Date());
      case 'rename':
        return this.#rename(path, this.#freePath(folderOf(path)));
      case 'move':
        return this.#move(path);
      case 'renameOver': {
        const other = this.#anyPath();
        if (other !== path) this.#rename(path, other);
        return;
      }
      case 'copy':
        return this.#write(this.#freePath(), readFileSync(join(root, path), 'utf8'));
      case 'remove':
        rmSync(join(root, path));
        return this.#forget(path);
      case 'recreate': {
        const content = readFileSync(join(root, path), 'utf8');
        rmSync(join(root, path));
        return this.#write(path, content);
      }
      case 'swap':
        return this.#swap(path);
      case 'moveFolder':
        return this.#moveFolder(path);
    }
  }

  /** To another subfolder, perhaps of another purpose, under the same name: within a purpose the id is to stay. */
  #move(path: string): void {
    const { random, folders } = this.#options;
    const folder = random.chance(0.7) ? folderOf(path) : random.pick(folders);
    const to = `${folder}/${this.#subfolder()}/${nameOf(path)}`;
    if (!this.#hashes.has(to)) this.#rename(path, to);
  }

  #swap(path: string): void {
    const { root } = this.#options;
    const other = this.#anyPath();
    const [hash, otherHash] = [this.#hashes.get(path), this.#hashes.get(other)];
    if (other === path || hash === undefined || otherHash === undefined) return;
    const temporary = join(root, dirname(path), '.swapping');
    renameSync(join(root, path), temporary);
    renameSync(join(root, other), join(root, path));
    renameSync(temporary, join(root, other));
    this.#known(path, otherHash);
    this.#known(other, hash);
  }

  #moveFolder(path: string): void {
    const { root } = this.#options;
    const from = dirname(path);
    const to = `${folderOf(path)}/m${this.operations}`;
    const inside = this.#paths.filter((each) => each.startsWith(`${from}/`));
    renameSync(join(root, from), join(root, to));
    for (const each of inside) this.#renamed(each, `${to}/${nameOf(each)}`);
  }

  #rename(from: string, to: string): void {
    const { root } = this.#options;
    mkdirSync(join(root, dirname(to)), { recursive: true });
    renameSync(join(root, from), join(root, to));
    this.#renamed(from, to);
  }

  #renamed(from: string, to: string): void {
    const hash = this.#hashes.get(from);
    if (hash === undefined) throw new Error(`${from} was never written`);
    this.#forget(from);
    this.#known(to, hash);
  }

  #write(path: string, content: string): void {
    const file = join(this.#options.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    this.#known(path, sha256Of(content));
  }

  #known(path: string, hash: string): void {
    if (!this.#hashes.has(path)) {
      this.#places.set(path, this.#paths.length);
      this.#paths.push(path);
    }
    this.#hashes.set(path, hash);
  }

  #forget(path: string): void {
    const place = this.#places.get(path);
    const last = this.#paths.pop();
    if (place === undefined || last === undefined) throw new Error(`${path} was never written`);
    if (last !== path) {
      this.#paths[place] = last;
      this.#places.set(last, place);
    }
    this.#places.delete(path);
    this.#hashes.delete(path);
  }

  #anyPath(): string {
    return this.#options.random.pick(this.#paths);
  }

  /** Names are few, so that many paths share theirs. */
  #freePath(folder = this.#options.random.pick(this.#options.folders)): string {
    const { random, files } = this.#options;
    for (;;) {
      const path = `${folder}/${this.#subfolder()}/f${random.int(1, Math.ceil(files / 8))}.jsonl`;
      if (!this.#hashes.has(path)) return path;
    }
  }

  #subfolder(): string {
    return `d${this.#options.random.int(1, subfolders)}`;
  }

  /** One line that every purpose takes, unlike any before; its length depends on the padding alone. */
  #newContent(): string {
    const { random } = this.#options;
    this.versions += 1;
    const padding = random.chance(0.01) ? largePadding : random.pick(paddings);
    const version = String(this.versions).padStart(9, '0');
    return `${JSON.stringify({ item: { version, padding: 'x'.repeat(padding) } })}\n`;
  }
}

type Operation =
  | 'create'
  | 'overwrite'
  | 'append'
  | 'replace'
  | 'touch'
  | 'rename'
  | 'move'
  | 'renameOver'
  | 'copy'
  | 'remove'
  | 'recreate'
  | 'swap'
  | 'moveFolder';

function folderOf(path: string): string {
  return path.slice(0, path.indexOf('/'));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
