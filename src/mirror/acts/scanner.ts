import { isPlace } from '../waiting/sending-room.ts';
import { STORAGE } from '../waiting/topics.ts';
import type { Worklist } from '../waiting/worklist.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import type { Pause } from '../memory/following.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import { LargeMap } from '../memory/large-map.ts';
import type { Totals } from '../memory/totals.ts';
import type { FilesApi, Clock, Listener } from '../../contract/ports.ts';
import { needOf, needOfSkip } from '../../contract/attention.ts';
import { serverNowSeconds } from '../../contract/times.ts';
import { type Reloadable, rulesOf } from '../memory/reloadable.ts';
import type { Deleter } from './deleter.ts';
import type { Storage } from './storage.ts';
import { isWithin, isWithinAny } from '../../contract/mirror-path.ts';
import { isAtRest } from '../judge/expiry.ts';
import { skipText } from '../judge/skip-text.ts';
import type { Entry, ScanItem, ManifestView } from '../../contract/types.ts';
import type { MirrorPath, StatToken } from '../../contract/types.ts';

/** Remembered paths that are gone through in one turn of the loop. */
const PATHS_PER_TURN = 5_000;

export interface ScanSummary {
  readonly files: number;
  /** Paths that wanted a closer look. */
  readonly dirty: number;
  readonly tookMs: number;
}

/** What it works with. */
interface Parts {
  readonly api: FilesApi;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly index: IdentityIndex;
  readonly listener: Listener;
  readonly notes: PathNotes;
  readonly pause: Pause;
  readonly totals: Totals;
  readonly view: ManifestView;
  readonly deleter: Deleter;
  readonly storage: Pick<Storage, 'holds'>;
  readonly worklist: Worklist;
}

/**
 * Compares what lies on disk with what is remembered, and marks every path that differs. A file whose stat is as
 * recorded costs one comparison; uploads begin while the walk goes on.
 */
export class Scanner {
  readonly #parts: Parts;
  readonly #toldOutside = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `under` null: everything. Throws only when the signal aborts. */
  async scan(under: MirrorPath | null, signal: AbortSignal): Promise<ScanSummary> {
    const { clock, view, notes, totals } = this.#parts;
    const { local } = this.#parts.config;
    const now = serverNowSeconds(this.#parts);
    const startedMs = clock.monotonicMs();
    const seen = new Seen(view.files);
    const unlistable = new Set<MirrorPath>();
    let files = 0;
    let dirty = 0;
    const mark = (path: MirrorPath): void => {
      dirty += 1;
      this.#parts.worklist.mark(path);
    };
    for await (const items of local.scan(under, signal)) {
      for (const item of items) {
        if (item.kind === 'unlistable') unlistable.add(item.path);
        if (item.kind !== 'file') {
          this.#note(item, mark);
          seen.addPath(item.path);
          continue;
        }
        files += 1;
        const entry = view.files.get(item.path);
        if (entry !== undefined) seen.addEntry(entry);
        if (
          entry === undefined ||
          !isAtRest(item.path, entry, item.stat, rulesOf(this.#parts.config, item.path), now) ||
          notes.stateOf(item.path) !== 'synced' ||
          view.rejected.has(item.path)
        ) {
          seen.addPath(item.path);
          await this.noteArrival(item.path, item.stat);
          if (!this.#isInLine(item.path, item.stat)) mark(item.path);
        }
      }
    }
    // Most trees that a hint names hold nothing that is not seen: then no entry at all is gone through.
    if (under !== null) await totals.ready();
    const there = under === null ? view.files.size : totals.entriesWithin(under);
    const known = seen.entryCount < there ? [view.files.keys()] : [];
    const isUnseen = (path: MirrorPath): boolean =>
      // Below a directory that could not be listed everything is unknown, and nothing is concluded.
      !seen.has(path) && !isWithinAny(path, unlistable);
    for (const paths of [...known, notes.paths(), view.rejected.keys()])
      for await (const path of this.#within(paths, under)) if (isUnseen(path)) mark(path);
    for await (const path of this.#within(view.intents.keys(), under)) this.#parts.worklist.mark(path);
    if (under === null)
      for (const path of this.#toldOutside) if (!seen.has(path)) this.#toldOutside.delete(path);
    return { files, dirty, tookMs: clock.monotonicMs() - startedMs };
  }

  /** Its turn to be looked at comes by itself, and no sooner because it is still there. */
  #isInLine(path: MirrorPath, stat: StatToken): boolean {
    const topic = this.#parts.worklist.topicOf(path);
    return isPlace(topic) || (topic === STORAGE && this.#parts.storage.holds(path, stat));
  }

  /** Tells the deleter when a file without entry has the identity of an entry elsewhere: perhaps a rename. */
  async noteArrival(path: MirrorPath, stat: StatToken): Promise<void> {
    const { view, index } = this.#parts;
    if (view.files.has(path)) return;
    await index.ready();
    const from = index.otherPathOf(path, stat);
    if (from !== null) this.#parts.deleter.noteSuccessor(from, path);
  }

  #note(item: Exclude<ScanItem, { kind: 'file' }>, mark: (path: MirrorPath) => void): void {
    const { notes, listener, view } = this.#parts;
    switch (item.kind) {
      case 'skipped':
      case 'ignored': {
        const reason = item.kind === 'skipped' ? skipText(item) : item.rule;
        const needs = item.kind === 'skipped' ? needOfSkip(item.reason) : needOf('ignored');
        const news = notes.set(item.path, item.kind, reason, needs);
        if (news && item.kind === 'skipped') listener({ kind: 'skipped', path: item.path, reason });
        // What was mirrored before and waits for its delete is not gone after all.
        if (view.files.has(item.path)) mark(item.path);
        return;
      }
      case 'unlistable':
        this.#noteUnlistable(item.path, skipText({ reason: 'unreadable', detail: item.reason }));
        return;
      case 'outside':
        notes.set(item.path, 'ignored', item.hint);
        if (!this.#toldOutside.has(item.path)) {
          this.#toldOutside.add(item.path);
          listener({ kind: 'warning', message: `${item.path}: ${item.hint}` });
        }
        return;
    }
  }

  #noteUnlistable(path: MirrorPath, reason: string): void {
    const { notes, listener } = this.#parts;
    if (notes.set(path, 'skipped', reason)) listener({ kind: 'skipped', path, reason });
  }

  /** Those of the tree (null: all), however many there are, without keeping others from their turn. */
  async *#within(paths: Iterable<MirrorPath>, tree: MirrorPath | null): AsyncIterable<MirrorPath> {
    let count = 0;
    for (const path of paths) {
      count += 1;
      if (count % PATHS_PER_TURN === 0) await this.#parts.pause();
      if (tree === null || isWithin(path, tree)) yield path;
    }
  }
}

/** What a scan came across. Of an unchanged file the id is kept: its path, which the walk has made anew, need not be. */
class Seen {
  readonly #view: ReadonlyMap<MirrorPath, Entry>;
  readonly #ids = new LargeMap<true>();
  readonly #paths = new Set<MirrorPath>();

  constructor(view: ReadonlyMap<MirrorPath, Entry>) {
    this.#view = view;
  }

  get entryCount(): number {
    return this.#ids.size;
  }

  addEntry({ id }: Entry): void {
    this.#ids.set(id, true);
  }

  /** For what has no entry, or may have another one soon. */
  addPath(path: MirrorPath): void {
    this.#paths.add(path);
  }

  has(path: MirrorPath): boolean {
    const entry = this.#view.get(path);
    return (entry !== undefined && this.#ids.has(entry.id)) || this.#paths.has(path);
  }
}
