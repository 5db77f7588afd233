import { hash, randomInt } from 'node:crypto';

/** Longer ids are remembered by their SHA-256, so that ids of any length fit into bounded memory. */
const KEPT_CHARS = 64;

/**
 * Remembers on which line each id was first used: a hash table with open addressing. A `Map` would do, but takes three
 * times as long, and its growing alone shows in the time that a whole batch file takes.
 */
export class FirstUses {
  readonly #ids: string[] = [];
  readonly #lines: number[] = [];
  /** The mixed bits of each id: so that another id in the way is mostly passed by without a look at it. */
  readonly #mixed: Int32Array;
  /** Per slot: 1 + index into `#ids`, or 0. At most half full, and small enough to stay in the processor's cache. */
  readonly #slots: Uint16Array;
  readonly #bits: number;
  /** So that no file can be made up of ids that all meet in one slot. */
  readonly #seed = randomInt(2 ** 32);

  /** `capacity`: how many ids there may be, at most 65,535. */
  constructor(capacity: number) {
    this.#bits = Math.ceil(Math.log2(capacity)) + 1;
    this.#slots = new Uint16Array(2 ** this.#bits);
    this.#mixed = new Int32Array(capacity);
  }

  /** Records the use. Returns the line of the first use if there was one before, else null. */
  use(id: string, line: number): number | null {
    // INVARIANT: no id that is kept as it is can be equal to one that is kept by its hash, since it is shorter.
    const kept = id.length <= KEPT_CHARS ? id : `${hash('sha256', id, 'hex')}#`;
    const mixed = this.#mix(kept);
    const mask = this.#slots.length - 1;
    let slot = mixed >>> (32 - this.#bits);
    for (let held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      if (this.#mixed[held - 1] === mixed && this.#ids[held - 1] === kept) return this.#lines[held - 1]!;
      slot = (slot + 1) & mask;
    }
    this.#mixed[this.#ids.length] = mixed;
    this.#ids.push(kept);
    this.#lines.push(line);
    this.#slots[slot] = this.#ids.length;
    return null;
  }

  #mix(id: string): number {
    let mixed = this.#seed;
    for (let at = 0; at < id.length; at++) mixed = Math.imul(mixed ^ id.charCodeAt(at), 0x01000193);
    return Math.imul(mixed ^ (mixed >>> 15), 0x9e3779b1);
  }
}
