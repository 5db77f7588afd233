/** Seeded randomness: sfc32, seeded from a number and a label, so that forks do not depend on each other's use. */
export class SimRandom {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#seed = seed >>> 0;
    this.#a = 0x9e3779b9;
    this.#b = this.#seed ^ 0x85ebca6b;
    this.#c = Math.imul(this.#seed + 0x6d2b79f5, 0xc2b2ae35);
    for (let round = 0; round < 12; round += 1) this.#bits();
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.#bits() / 4_294_967_296;
  }

  /** Uniform integer, both ends included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Throws `RangeError` when there is nothing to pick from. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from');
    return items[this.int(0, items.length - 1)] as T;
  }

  /** A key, with probability proportional to its weight. Weights of zero are never picked. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
    if (total <= 0) throw new RangeError('no weight is above zero');
    let left = this.next() * total;
    let last: K | null = null;
    for (const [key, weight] of entries) {
      if (weight <= 0) continue;
      last = key;
      left -= weight;
      if (left < 0) break;
    }
    return last as K;
  }

  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let end = shuffled.length - 1; end > 0; end -= 1) {
      const other = this.int(0, end);
      [shuffled[end], shuffled[other]] = [shuffled[other] as T, shuffled[end] as T];
    }
    return shuffled;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index += 1) bytes[index] = this.#bits() & 0xff;
    return bytes;
  }

  /** A version 4 UUID, lower case. */
  uuid(): string {
    const hex = Buffer.from(this.bytes(16)).toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  }

  /** An independent stream. Depends on the seed and the label alone, not on how much was drawn before. */
  fork(label: string): SimRandom {
    let hash = 0x811c9dc5 ^ this.#seed;
    for (let index = 0; index < label.length; index += 1) {
      hash = Math.imul(hash ^ label.charCodeAt(index), 0x01000193);
    }
    return new SimRandom(Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d));
  }

  #bits(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
