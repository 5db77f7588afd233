import type { Change, Entry, ManifestView, MirrorPath, Replaced } from '../../contract/types.ts';

/** So many entries are gone through in one turn of the loop, which takes some milliseconds. */
const ENTRIES_PER_TURN = 2_000;

/** Something that follows from all entries together: each enters once, and leaves as what it was when it entered. */
export interface Follower {
  enter(path: MirrorPath, entry: Entry): void;
  leave(path: MirrorPath, entry: Entry): void;
}

/** Lets others have a turn. Rejects when nobody waits for the end any more. */
export type Pause = () => Promise<void>;

/**
 * Keeps a follower in step with the entries. Nothing is done before somebody asks for it; then all entries are gone
 * through once, in slices (a million take a second), and what changes meanwhile is applied after that.
 */
export class Following {
  readonly #view: Pick<ManifestView, 'files'>;
  readonly #follower: Follower;
  readonly #pause: Pause;
  readonly #perTurn: number;
  #steps: Iterator<void> | null = null;
  #isComplete = false;
  #ready: Promise<void> | null = null;
  #missed: (readonly [Change, Replaced])[] = [];

  constructor(
    view: Pick<ManifestView, 'files'>,
    follower: Follower,
    pause: Pause,
    perTurn = ENTRIES_PER_TURN,
  ) {
    this.#view = view;
    this.#follower = follower;
    this.#pause = pause;
    this.#perTurn = perTurn;
  }

  /** Resolves when the follower has all entries. Rejects as `Pause` does. */
  ready(): Promise<void> {
    this.#ready ??= this.#goOn();
    return this.#ready;
  }

  /** As `ready`, for who cannot wait: at once, however long it takes. */
  complete(): void {
    while (this.#step());
  }

  /** To be told of every change (`Recorded`). */
  apply(change: Change, replaced: Replaced): void {
    if (this.#isComplete) this.#follow(change, replaced);
    else if (this.#steps !== null) this.#missed.push([change, replaced]);
  }

  async #goOn(): Promise<void> {
    while (this.#step()) await this.#pause();
  }

  /** False when there is nothing left to do. */
  #step(): boolean {
    if (this.#isComplete) return false;
    this.#steps ??= this.#goThrough();
    return this.#steps.next().done !== true;
  }

  *#goThrough(): Iterator<void> {
    // As they are now: what changes from here on is among the missed.
    const paths = Array.from(this.#view.files.keys());
    const entries = Array.from(this.#view.files.values());
    for (const [index, entry] of entries.entries()) {
      if (index > 0 && index % this.#perTurn === 0) yield;
      this.#follower.enter(paths[index] ?? '', entry);
    }
    for (const [change, replaced] of this.#missed) this.#follow(change, replaced);
    this.#missed = [];
    this.#isComplete = true;
    // Or it would keep what it has gone through.
    this.#steps = null;
  }

  #follow({ files = {} }: Change, replaced: Replaced): void {
    for (const [path, entry] of replaced.files) this.#follower.leave(path, entry);
    for (const [path, entry] of Object.entries(files)) if (entry !== null) this.#follower.enter(path, entry);
  }
}
