/** What is worth telling about lines, and no reason to refuse them: each kind once, with its first line, and counted. */
export class Remarks {
  readonly #first = new Map<string, { readonly line: number; count: number }>();

  /** `message`: what is said of each such line, without anything from the line itself. */
  add(line: number, message: string): void {
    const first = this.#first.get(message);
    if (first === undefined) this.#first.set(message, { line, count: 1 });
    else first.count++;
  }

  get all(): readonly string[] {
    return [...this.#first].map(([message, { line, count }]) => {
      const more = count - 1;
      return `line ${line}: ${message}${more === 0 ? '' : ` (and ${more} more line${more === 1 ? '' : 's'})`}`;
    });
  }
}
