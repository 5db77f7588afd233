interface Item<T> {
  readonly value: T;
  readonly priority: number;
  readonly order: number;
}

/** A binary heap: highest priority first, first in first out among equals. */
export class PriorityQueue<T> {
  readonly #items: Item<T>[] = [];
  #order = 0;

  get size(): number {
    return this.#items.length;
  }

  push(value: T, priority: number): void {
    const items = this.#items;
    items.push({ value, priority, order: this.#order });
    this.#order += 1;
    let index = items.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  peekPriority(): number | null {
    return this.#items[0]?.priority ?? null;
  }

  pop(): T | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined) return undefined;
    if (items.length > 0) {
      items[0] = last;
      this.#sink();
    }
    return top.value;
  }

  #sink(): void {
    const size = this.#items.length;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      let first = index;
      if (left < size && this.#isBefore(left, first)) first = left;
      if (left + 1 < size && this.#isBefore(left + 1, first)) first = left + 1;
      if (first === index) return;
      this.#swap(index, first);
      index = first;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const one = this.#items[a];
    const other = this.#items[b];
    if (one === undefined || other === undefined) return false;
    return one.priority === other.priority ? one.order < other.order : one.priority > other.priority;
  }

  #swap(a: number, b: number): void {
    const one = this.#items[a];
    const other = this.#items[b];
    if (one === undefined || other === undefined) return;
    this.#items[a] = other;
    this.#items[b] = one;
  }
}
