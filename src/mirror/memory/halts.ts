import { haltAdvice, type Stay } from '../judge/halt-advice.ts';
import type { Lane, Listener, SendQueue } from '../../contract/ports.ts';
import type { Halt, HaltName } from '../../contract/types.ts';

/**
 * Which lanes a halt holds. None holds the questions: those that are of no use meanwhile are not asked, and a person may
 * ask at any time. `mass-delete` holds single deletes instead, and is decided by the guard.
 */
const HELD_LANES: Readonly<Record<HaltName, readonly Exclude<Lane, 'ask'>[]>> = {
  root: ['upload', 'delete'],
  paused: ['upload', 'delete'],
  auth: ['upload', 'delete'],
  scope: ['upload', 'delete'],
  quota: ['upload'],
  storage: [],
  state: ['upload', 'delete'],
  'mass-delete': [],
};

/** The halts in force, as values in one place. Raising one holds its lanes; ending it releases them. */
export class HaltBoard {
  readonly #halts = new Map<string, Halt<HaltName>>();
  readonly #queue: SendQueue;
  readonly #listener: Listener;
  readonly #stay: Stay;
  readonly #whenEnded: ((name: HaltName) => void)[] = [];

  constructor(queue: SendQueue, listener: Listener, stay: Stay) {
    this.#queue = queue;
    this.#listener = listener;
    this.#stay = stay;
  }

  /** `told`: called each time when a halt has ended. */
  whenEnded(told: (name: HaltName) => void): void {
    this.#whenEnded.push(told);
  }

  raise(raised: Omit<Halt<HaltName>, 'next'>): void {
    const halt: Halt<HaltName> = { ...raised, next: haltAdvice(raised.name, raised.folder, this.#stay) };
    const key = keyOf(halt.name, halt.folder);
    const known = this.#halts.get(key);
    this.#halts.set(key, known === undefined ? halt : { ...halt, since: known.since });
    if (known !== undefined) return;
    for (const lane of HELD_LANES[halt.name]) this.#queue.hold(lane, key, halt.cause, null);
    const { name, cause, held, next } = halt;
    this.#listener({ kind: 'halted', name, cause, held, next });
  }

  end(name: HaltName, folder: string | null = null): void {
    const key = keyOf(name, folder);
    if (!this.#halts.delete(key)) return;
    for (const lane of HELD_LANES[name]) this.#queue.release(lane, key);
    this.#listener({ kind: 'resumed', name: key });
    for (const told of this.#whenEnded) told(name);
  }

  has(name: HaltName): boolean {
    for (const halt of this.#halts.values()) if (halt.name === name) return true;
    return false;
  }

  holds(lane: 'upload' | 'delete'): boolean {
    for (const halt of this.#halts.values()) if (HELD_LANES[halt.name].includes(lane)) return true;
    return false;
  }

  /**
   * A halt under which nothing is sent by itself: neither uploads nor deletes, nor a question that only they need
   * answered. Null: there is none, besides that of the name `besides`.
   */
  ofEverything(besides: HaltName | null = null): Halt<HaltName> | null {
    for (const halt of this.#halts.values())
      if (halt.name !== besides && HELD_LANES[halt.name].length === 2) return halt;
    return null;
  }

  holdsEverything(): boolean {
    return this.ofEverything() !== null;
  }

  all(): readonly Halt<HaltName>[] {
    return [...this.#halts.values()];
  }
}

function keyOf(name: HaltName, folder: string | null): string {
  return folder === null ? name : `${name}:${folder}`;
}
