import { folderOf } from '../../contract/mirror-path.ts';
import type { MirrorPath } from '../../contract/types.ts';
import { count, noDeletes, type FolderDeletes, type Trip, type WaitingDelete } from '../judge/guards.ts';
import { LargeMap } from './large-map.ts';

/** What may change of a missing file. */
interface Facts {
  otherDevice: boolean;
  approved: boolean;
  trip: Trip | null;
  inDoubt: boolean;
  livesOn: boolean;
  /** Its grace period was over at some time. */
  isRipe: boolean;
  /** It is said that a guard holds it. */
  isTold: boolean;
}

export interface Missing extends Readonly<Facts>, WaitingDelete {
  /** Monotonic. */
  readonly sinceMs: number;
}

type Kept = Facts & Pick<Missing, 'path' | 'folder' | 'sinceMs'>;

/** The missing files of one folder, by what is to be asked of them. */
class MissingInFolder {
  readonly counts = noDeletes();
  size = 0;
  /** Neither approved nor a part of a mass delete. */
  readonly open = new Set<MirrorPath>();
  /** Open ones of which it is not said that a guard holds them. */
  readonly untold = new Set<MirrorPath>();
  /** Open ones whose grace period is over and that are in no doubt, oldest first. */
  readonly ripe = new Set<MirrorPath>();
  /** The same of approved ones. */
  readonly approved = new Set<MirrorPath>();

  enter(file: Kept): void {
    this.size += 1;
    if (file.livesOn) return;
    count(this.counts, file, 1);
    const isReady = file.isRipe && !file.inDoubt;
    if (file.approved) {
      if (isReady) this.approved.add(file.path);
    } else if (file.trip === null) {
      this.open.add(file.path);
      if (!file.isTold) this.untold.add(file.path);
      if (isReady) this.ripe.add(file.path);
    }
  }

  leave(file: Kept): void {
    this.size -= 1;
    if (file.livesOn) return;
    count(this.counts, file, -1);
    if (file.approved) this.approved.delete(file.path);
    else if (file.trip === null) for (const set of [this.open, this.untold, this.ripe]) set.delete(file.path);
  }
}

/**
 * The files that are gone while their remote ones are not, and how many are new since the first of them went. Whatever
 * is asked takes as long as its answer, or as there are folders: a hundred thousand that are held cost nothing.
 */
export class MissingFiles {
  readonly #files = new Map<MirrorPath, Kept>();
  readonly #folders = new Map<string, MissingInFolder>();
  /** Those whose grace period is not over, oldest first. */
  readonly #young = new Set<MirrorPath>();
  /** Paths that are mirrored only since something is missing: they do not make what is missing any less. */
  #newcomers = new LargeMap<true>();
  readonly #newcomersIn = new Map<string, number>();

  get size(): number {
    return this.#files.size;
  }

  get(path: MirrorPath): Missing | undefined {
    return this.#files.get(path);
  }

  has(path: MirrorPath): boolean {
    return this.#files.has(path);
  }

  paths(): IterableIterator<MirrorPath> {
    return this.#files.keys();
  }

  values(): IterableIterator<Missing> {
    return this.#files.values();
  }

  add(path: MirrorPath, sinceMs: number, facts: Pick<Facts, 'otherDevice' | 'livesOn'>): void {
    const folder = folderOf(path);
    const initial = { approved: false, trip: null, inDoubt: false, isRipe: false, isTold: false };
    const file: Kept = { path, folder, sinceMs, ...facts, ...initial };
    this.#files.set(path, file);
    this.#young.add(path);
    this.#folderOf(file).enter(file);
    this.#goneAgain(path);
  }

  set(path: MirrorPath, facts: Partial<Facts>): void {
    const file = this.#files.get(path);
    if (file === undefined) return;
    const folder = this.#folderOf(file);
    folder.leave(file);
    Object.assign(file, facts);
    folder.enter(file);
  }

  delete(path: MirrorPath): void {
    const file = this.#files.get(path);
    if (file === undefined) return;
    const folder = this.#folderOf(file);
    folder.leave(file);
    if (folder.size === 0) this.#folders.delete(file.folder);
    this.#files.delete(path);
    this.#young.delete(path);
  }

  /** Those whose grace period was never over, oldest first. */
  *young(): IterableIterator<Missing> {
    for (const path of this.#young) {
      const file = this.#files.get(path);
      if (file !== undefined) yield file;
    }
  }

  ripen(path: MirrorPath): void {
    this.#young.delete(path);
    this.set(path, { isRipe: true });
  }

  folders(): readonly string[] {
    return [...this.#folders.keys()];
  }

  /** What waits without approval, by folder; what lives on elsewhere is not missing. */
  counts(): ReadonlyMap<string, FolderDeletes> {
    return new Map([...this.#folders].map(([folder, { counts }]) => [folder, counts]));
  }

  /** Neither approved nor a part of a mass delete; `untold`: and of which it is not said that a guard holds them. */
  open(folder: string, which: 'all' | 'untold'): Iterable<MirrorPath> {
    const files = this.#folders.get(folder);
    return (which === 'all' ? files?.open : files?.untold) ?? [];
  }

  /** Those of which no guard can hold a single one, and which are ripe: approved ones, or all others of the folder. */
  ripe(folder: string, which: 'approved' | 'open'): Iterable<MirrorPath> {
    const files = this.#folders.get(folder);
    return (which === 'approved' ? files?.approved : files?.ripe) ?? [];
  }

  /** The path was not mirrored before, and is now. */
  came(path: MirrorPath): void {
    if (this.#files.size > 0 && !this.#newcomers.has(path)) this.#countNewcomer(path, 1);
  }

  /** The path is no longer mirrored, or its file is missing too: however long a halt lasts, it is no newcomer any more. */
  #goneAgain(path: MirrorPath): void {
    if (this.#newcomers.has(path)) this.#countNewcomer(path, -1);
  }

  /** The path has nothing remotely any more. */
  forgotten(path: MirrorPath): void {
    this.delete(path);
    this.#goneAgain(path);
  }

  /** Nothing is missing: what comes from now on was there before anything that goes. */
  forgetNewcomers(): void {
    if (this.#newcomers.size > 0) this.#newcomers = new LargeMap();
    this.#newcomersIn.clear();
  }

  get newcomers(): number {
    return this.#newcomers.size;
  }

  newcomersIn(folder: string): number {
    return this.#newcomersIn.get(folder) ?? 0;
  }

  #countNewcomer(path: MirrorPath, by: 1 | -1): void {
    if (by === 1) this.#newcomers.set(path, true);
    else this.#newcomers.delete(path);
    this.#newcomersIn.set(folderOf(path), this.newcomersIn(folderOf(path)) + by);
  }

  #folderOf({ folder }: Kept): MissingInFolder {
    let files = this.#folders.get(folder);
    if (files === undefined) this.#folders.set(folder, (files = new MissingInFolder()));
    return files;
  }
}
