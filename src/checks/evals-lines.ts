import type { JsonKind } from './json-listener.ts';
import type { LineProblem, LineRules } from './line-rules.ts';
import { aKind } from './wording.ts';

/** The lines of an evals data file: objects. That each holds its data under `item` is usual, but not required. */
export class EvalsLines implements LineRules {
  readonly maxDepth = 1;
  readonly maxLines = null;
  readonly allowsByteOrderMark = true;
  #kind: JsonKind = 'null';
  #key: string | null = null;
  #hasItem = false;
  #withoutItem = 0;

  beginLine(): void {
    this.#key = null;
    this.#hasItem = false;
  }

  key(_depth: number, text: string | null): boolean {
    this.#key = text;
    return false;
  }

  value(depth: number, kind: JsonKind): void {
    if (depth === 0) this.#kind = kind;
    else if (this.#key === 'item') this.#hasItem = kind === 'object';
  }

  endLine(): LineProblem | null {
    if (this.#kind !== 'object')
      return { rule: 'not-object', message: `${aKind(this.#kind)} instead of an object` };
    if (!this.#hasItem) this.#withoutItem++;
    return null;
  }

  warnings(lines: number): readonly string[] {
    return this.#withoutItem === 0
      ? []
      : [`${this.#withoutItem} of ${lines} lines have no object \`item\`, where evals look for their data`];
  }
}
