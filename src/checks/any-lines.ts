import type { LineRules } from './line-rules.ts';

/** Lines of which no more is demanded than that they are JSON objects: the rest is the server's to judge. */
export class AnyLines implements LineRules {
  readonly maxLines = null;
  readonly allowsByteOrderMark = true;

  check(): null {
    return null;
  }

  warnings(): readonly string[] {
    return [];
  }
}
