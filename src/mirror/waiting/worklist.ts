import { Turns } from './turns.ts';
import type { MirrorPath } from '../../contract/types.ts';

/** What a path waits for that somebody signals (`src/README.md`): the end of a halt, a place to be sent, the key of an upload. */
export type Topic = string;

/** What becomes of a path after one look: the one vocabulary of waiting. */
export type Next =
  /** Nothing more until something marks it. */
  | { readonly kind: 'rest' }
  /** Look again after this many milliseconds. */
  | { readonly kind: 'again'; readonly inMs: number }
  /** Look again when the topic is signalled: to all, or to the one whose turn it is. */
  | { readonly kind: 'on'; readonly topic: Topic };

export const REST: Next = { kind: 'rest' };

export function again(inMs: number): Next {
  return { kind: 'again', inMs };
}

export function on(topic: Topic): Next {
  return { kind: 'on', topic };
}

/** For each so many delayed paths, finding those that are due may come a millisecond late. */
const DELAYED_PER_MS = 1_000;

interface Busy {
  /** Monotonic time from which it counts as waiting for what it wants. */
  readonly sinceMs: number;
  /** Of a topic of which one is woken at a time: this one was it, and the next one is owed its turn. */
  readonly owes: Topic | null;
  isMarked: boolean;
  /** What was signalled since it was taken. */
  readonly heard: Set<Topic>;
}

/**
 * The paths that want a look, keyed and coalescing: a path is in it once, is worked on by one worker at a time,
 * and is looked at again if it was marked while a worker had it (the work-queue pattern of Kubernetes
 * controllers). Memory is bounded by the number of dirty paths, not by events.
 *
 * A path is in one of four states: ready (waits for a worker), delayed (waits for a time), on a topic (waits for its
 * turn), busy (a worker has it, and it may be marked again).
 */
export class Worklist {
  readonly #nowMs: () => number;
  readonly #priorityOf: (path: MirrorPath) => number;
  readonly #ready: Turns;
  readonly #topics = new Map<Topic, Turns>();
  readonly #topicOf = new Map<MirrorPath, Topic>();
  readonly #delayedUntilMs = new Map<MirrorPath, number>();
  readonly #busy = new Map<MirrorPath, Busy>();
  /** Ready paths that were woken as the one of their topic. */
  readonly #owing = new Map<MirrorPath, Topic>();
  #whenReady: () => void = () => {};
  /** No delayed path is due before this monotonic time. */
  #nothingDueBeforeMs = Number.POSITIVE_INFINITY;

  /** `priorityOf`: the priority of a path's folder; higher goes first. `nowMs`: monotonic. */
  constructor(priorityOf: (path: MirrorPath) => number, nowMs: () => number) {
    this.#priorityOf = priorityOf;
    this.#nowMs = () => Math.floor(nowMs());
    this.#ready = new Turns(priorityOf);
  }

  /** `told`: called each time after a path was marked that a worker may take. */
  whenReady(told: () => void): void {
    this.#whenReady = told;
  }

  /** Wants a look at this path as soon as a worker is free, whatever it waits for. */
  mark(path: MirrorPath): void {
    const busy = this.#busy.get(path);
    if (busy !== undefined) {
      busy.isMarked = true;
      return;
    }
    this.#delayedUntilMs.delete(path);
    const sinceMs = this.#leaveTopic(path) ?? this.#nowMs();
    if (!this.#ready.has(path)) this.#ready.add(path, sinceMs);
    this.#whenReady();
  }

  /** Takes the ready path whose turn it is; null when there is none. The caller owes a `done`. */
  take(): MirrorPath | null {
    const taken = this.#ready.take();
    if (taken === null) return null;
    const [path, sinceMs] = taken;
    this.#makeBusy(path, sinceMs, false);
    return path;
  }

  /** Gives a taken path back. One that was marked meanwhile is ready at once, whatever `next` says. */
  done(path: MirrorPath, next: Next): void {
    const busy = this.#busy.get(path);
    if (busy === undefined) return;
    this.#busy.delete(path);
    // RACE: what it found out may be over by now.
    const hasHeard = next.kind === 'on' && busy.heard.has(next.topic);
    if (busy.isMarked || hasHeard) this.#ready.add(path, hasHeard ? busy.sinceMs : this.#nowMs());
    else if (next.kind === 'again' && next.inMs <= 0) this.#ready.add(path, busy.sinceMs);
    else if (next.kind === 'again') this.#delay(path, this.#nowMs() + next.inMs);
    else if (next.kind === 'on') this.#waitOn(next.topic, path, busy.sinceMs);
    // Unless it found it taken, the next one may find it free.
    const foundTaken = !busy.isMarked && next.kind === 'on' && next.topic === busy.owes;
    if (busy.owes !== null && !foundTaken) this.wakeNext(busy.owes);
  }

  /** All who wait on the topic are looked at again, each in its turn. */
  signal(topic: Topic): void {
    this.signalThose(topic, () => true);
  }

  /** Those who wait on the topic are looked at again that `wanted` says yes to; it is asked about each, in their turn. */
  signalThose(topic: Topic, wanted: (path: MirrorPath) => boolean): void {
    for (const busy of this.#busy.values()) busy.heard.add(topic);
    const waiting = this.#topics.get(topic);
    if (waiting === undefined) return;
    for (const [path, sinceMs] of waiting.inTurn()) {
      if (!wanted(path)) continue;
      this.#leaveTopic(path);
      this.#ready.add(path, sinceMs);
    }
    this.#whenReady();
  }

  /**
   * One of those who wait on the topic, the one whose turn it is, is looked at again; the next one after that look.
   * For what only one can have: a hundred thousand need not try in vain.
   */
  wakeNext(topic: Topic): void {
    const taken = this.#takeFrom(topic);
    if (taken === null) return;
    const [path, sinceMs] = taken;
    this.#owing.set(path, topic);
    this.#ready.add(path, sinceMs);
  }

  /** The turn of the one that is next on the topic (`turnMs`); null: nobody waits on it. */
  nextTurnMs(topic: Topic): number | null {
    return this.#topics.get(topic)?.nextTurnMs() ?? null;
  }

  /** Takes the one whose turn it is on this topic straight to a worker. The caller owes a `done`. */
  takeFrom(topic: Topic): MirrorPath | null {
    const taken = this.#takeFrom(topic);
    if (taken === null) return null;
    const [path, sinceMs] = taken;
    this.#makeBusy(path, sinceMs, false);
    return path;
  }

  /** Makes every delayed path ready whose time has come. Returns the monotonic time of the next one, or null. */
  wake(nowMs: number): number | null {
    if (nowMs >= this.#nothingDueBeforeMs) {
      let next = Number.POSITIVE_INFINITY;
      for (const [path, untilMs] of this.#delayedUntilMs) {
        if (untilMs <= nowMs) {
          this.#delayedUntilMs.delete(path);
          this.#ready.add(path, this.#nowMs());
        } else if (untilMs < next) {
          next = untilMs;
        }
      }
      // A look at all of many takes its time: a hundred thousand are looked at ten times a second, not all the time.
      this.#nothingDueBeforeMs = Math.max(next, nowMs + this.#delayedUntilMs.size / DELAYED_PER_MS);
    }
    return this.#nothingDueBeforeMs === Number.POSITIVE_INFINITY ? null : this.#nothingDueBeforeMs;
  }

  /**
   * Takes this very path out of turn, so that no worker has it meanwhile. False when a worker has it already.
   * The caller owes a `done`; a path that waited for anything is looked at after that.
   */
  claim(path: MirrorPath): boolean {
    if (this.#busy.has(path)) return false;
    const waited = [
      this.#delayedUntilMs.delete(path),
      this.#ready.delete(path) !== null,
      this.#leaveTopic(path) !== null,
    ].includes(true);
    this.#makeBusy(path, this.#nowMs(), waited);
    return true;
  }

  /** To be called when priorities have changed. */
  sortAnew(): void {
    this.#ready.sortAnew();
    for (const waiting of this.#topics.values()) waiting.sortAnew();
  }

  has(path: MirrorPath): boolean {
    return (
      this.#busy.has(path) ||
      this.#delayedUntilMs.has(path) ||
      this.#topicOf.has(path) ||
      this.#ready.has(path)
    );
  }

  /** What this path waits on; null: on nothing that is signalled. */
  topicOf(path: MirrorPath): Topic | null {
    return this.#topicOf.get(path) ?? null;
  }

  /** Everything in it: first what is worked on, last what waits for a signal. */
  *paths(): IterableIterator<MirrorPath> {
    yield* this.#busy.keys();
    yield* this.#ready.paths();
    yield* this.#delayedUntilMs.keys();
    yield* this.#topicOf.keys();
  }

  /** How many of this priority wait for a worker. */
  readyAt(priority: number): number {
    return this.#ready.countAt(priority);
  }

  get busyCount(): number {
    return this.#busy.size;
  }

  get size(): number {
    return this.#ready.size + this.#topicOf.size + this.#delayedUntilMs.size + this.#busy.size;
  }

  #makeBusy(path: MirrorPath, sinceMs: number, isMarked: boolean): void {
    this.#busy.set(path, { sinceMs, owes: this.#owing.get(path) ?? null, isMarked, heard: new Set() });
    this.#owing.delete(path);
  }

  #delay(path: MirrorPath, untilMs: number): void {
    this.#delayedUntilMs.set(path, untilMs);
    this.#nothingDueBeforeMs = Math.min(this.#nothingDueBeforeMs, untilMs);
  }

  #waitOn(topic: Topic, path: MirrorPath, sinceMs: number): void {
    let waiting = this.#topics.get(topic);
    if (waiting === undefined) {
      waiting = new Turns(this.#priorityOf);
      this.#topics.set(topic, waiting);
    }
    waiting.add(path, sinceMs);
    this.#topicOf.set(path, topic);
  }

  #takeFrom(topic: Topic): readonly [MirrorPath, number] | null {
    const waiting = this.#topics.get(topic);
    const taken = waiting?.take() ?? null;
    if (waiting?.size === 0) this.#topics.delete(topic);
    if (taken !== null) this.#topicOf.delete(taken[0]);
    return taken;
  }

  /** Returns since when it counts as waiting; null: it waited on none. */
  #leaveTopic(path: MirrorPath): number | null {
    const topic = this.#topicOf.get(path);
    const waiting = topic === undefined ? undefined : this.#topics.get(topic);
    if (topic === undefined || waiting === undefined) return null;
    this.#topicOf.delete(path);
    const sinceMs = waiting.delete(path);
    if (waiting.size === 0) this.#topics.delete(topic);
    return sinceMs;
  }
}
