const PARTS = 64;
/** Characters at the end of a key that decide where it is: what comes before them is often the same for all. */
const CHARACTERS = 24;

/** A map of strings that makes room bit by bit: a `Map` of half a million keys takes 0.1 s for the next one. */
export class LargeMap<V> {
  readonly #parts = Array.from({ length: PARTS }, () => new Map<string, V>());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(key: string): boolean {
    return this.#partOf(key).has(key);
  }

  get(key: string): V | undefined {
    return this.#partOf(key).get(key);
  }

  set(key: string, value: V): void {
    const part = this.#partOf(key);
    this.#size -= part.size;
    part.set(key, value);
    this.#size += part.size;
  }

  delete(key: string): void {
    if (this.#partOf(key).delete(key)) this.#size -= 1;
  }

  #partOf(key: string): Map<string, V> {
    let hash = 0;
    for (let at = Math.max(0, key.length - CHARACTERS); at < key.length; at += 1)
      hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
    const part = this.#parts[(hash ^ (hash >>> 6)) & (PARTS - 1)];
    if (part === undefined) throw new RangeError('no such part');
    return part;
  }
}
