import { groupProblems, needOf, type GroupedProblems, type Need } from '../../contract/attention.ts';
import type { PathReport } from '../../contract/report.ts';
import { folderOf, isWithinAny } from '../../contract/mirror-path.ts';
import {
  PATH_STATES,
  type Entry,
  type ManifestView,
  type MirrorPath,
  type PathState,
} from '../../contract/types.ts';

interface Note {
  readonly state: PathState;
  readonly reason: string | null;
  readonly needs: Need;
}

/**
 * What is to be said about every path that is not simply mirrored (promise 6: never silent). A path without a
 * note is `synced` when it has an entry, and unknown to us otherwise.
 */
export class PathNotes {
  readonly #notes = new Map<MirrorPath, Note>();
  readonly #view: ManifestView;
  readonly #purposeOf: (folder: string) => string | null;

  constructor(view: ManifestView, purposeOf: (folder: string) => string | null) {
    this.#view = view;
    this.#purposeOf = purposeOf;
  }

  /**
   * Returns true when this is news: another state or reason than before. `needs`: where the state alone does not tell.
   */
  set(path: MirrorPath, state: PathState, reason: string | null, needs: Need = needOf(state)): boolean {
    const known = this.#notes.get(path);
    if (state === 'synced') return this.#notes.delete(path);
    if (known?.state === state && known.reason === reason) return false;
    this.#notes.set(path, { state, reason, needs });
    return true;
  }

  clear(path: MirrorPath): void {
    this.#notes.delete(path);
  }

  stateOf(path: MirrorPath): PathState | null {
    return this.#notes.get(path)?.state ?? (this.#view.files.has(path) ? 'synced' : null);
  }

  /** Paths with a note, in no particular order. */
  paths(): IterableIterator<MirrorPath> {
    return this.#notes.keys();
  }

  /** The skipped paths at or below `wanted`; null: all. */
  skippedAt(wanted: readonly MirrorPath[] | null): readonly MirrorPath[] {
    const trees = wanted === null ? null : new Set(wanted);
    return [...this.#notes].flatMap(([path, { state }]) =>
      state === 'skipped' && (trees === null || isWithinAny(path, trees)) ? [path] : [],
    );
  }

  report(path: MirrorPath): PathReport | null {
    const entry = this.#view.files.get(path) ?? null;
    const note = this.#notes.get(path) ?? null;
    if (entry === null && note === null) return null;
    return this.#reportOf(path, entry, note);
  }

  *reports(): IterableIterator<PathReport> {
    for (const [path, entry] of this.#view.files)
      yield this.#reportOf(path, entry, this.#notes.get(path) ?? null);
    yield* this.#withoutEntry();
  }

  /** Only the paths that have something to be said about. */
  *problems(): IterableIterator<PathReport> {
    for (const [path, note] of this.#notes) {
      yield this.#reportOf(path, this.#view.files.get(path) ?? null, note);
    }
  }

  /** Of every group of them a part, at most `limit` in all. */
  groupedProblems(limit: number): GroupedProblems<PathReport> {
    const { groups, shown } = groupProblems(this.#notes, ([, note]) => note, limit);
    return {
      groups,
      shown: shown.map(([path, note]) => this.#reportOf(path, this.#view.files.get(path) ?? null, note)),
    };
  }

  counts(): Record<PathState, number> {
    const counts = Object.fromEntries(PATH_STATES.map((state) => [state, 0])) as Record<PathState, number>;
    let entriesWithNote = 0;
    for (const [path, note] of this.#notes) {
      counts[note.state] += 1;
      if (this.#view.files.has(path)) entriesWithNote += 1;
    }
    counts.synced = this.#view.files.size - entriesWithNote;
    return counts;
  }

  get size(): number {
    return this.#notes.size;
  }

  *#withoutEntry(): IterableIterator<PathReport> {
    for (const [path, note] of this.#notes)
      if (!this.#view.files.has(path)) yield this.#reportOf(path, null, note);
  }

  #reportOf(path: MirrorPath, entry: Entry | null, note: Note | null): PathReport {
    return {
      path,
      purpose: entry?.purpose ?? this.#purposeOf(folderOf(path)),
      id: entry?.id ?? null,
      bytes: entry?.bytes ?? null,
      sha256: entry?.sha256 ?? null,
      createdAt: entry?.createdAt ?? null,
      expiresAt: entry?.expiresAt ?? null,
      state: note?.state ?? 'synced',
      reason: note?.reason ?? null,
      needs: note?.needs ?? needOf('synced'),
    };
  }
}
