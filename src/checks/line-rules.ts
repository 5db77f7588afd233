export interface LineProblem {
  readonly rule: string;
  readonly message: string;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** What a purpose demands of the lines of its files, which are JSON objects. Sees one line after the other. */
export interface LineRules {
  /** Whether a byte-order mark at the start of the file is accepted. */
  readonly allowsByteOrderMark: boolean;
  /** How many lines, blank ones aside, a file may hold; null: any number. */
  readonly maxLines: number | null;
  /** The first thing that is wrong with a line. `line`: its number, 1-based. */
  check(value: JsonObject, line: number): LineProblem | null;
  /** After the last line; `lines` were not blank. */
  warnings(lines: number): readonly string[];
}

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
