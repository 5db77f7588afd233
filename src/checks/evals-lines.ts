import type { JsonObject, LineRules } from './line-rules.ts';
import { kindOf } from './wording.ts';

/**
 * The lines of an evals data file: objects. That each holds its data under `item` is told, but not demanded.
 * Source: the evals guide, "Uploading test data" (JSONL, one test case a line); the reference of the eval run's
 * `jsonl` source wants `item`, and `sample` beside it.
 */
export class EvalsLines implements LineRules {
  readonly maxLines = null;
  readonly allowsByteOrderMark = true;
  #withoutItem = 0;

  check(value: JsonObject): null {
    if (kindOf(value['item'] ?? null) !== 'object') this.#withoutItem++;
    return null;
  }

  warnings(lines: number): readonly string[] {
    return this.#withoutItem === 0
      ? []
      : [`${this.#withoutItem} of ${lines} lines have no object \`item\`, where evals look for their data`];
  }
}
