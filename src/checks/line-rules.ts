import type { JsonListener } from './json-listener.ts';

export interface LineProblem {
  readonly rule: string;
  readonly message: string;
}

/** What a purpose demands of the lines of its files. Listens to one line after the other. */
export interface LineRules extends JsonListener {
  /** Whether a byte-order mark at the start of the file is accepted. */
  readonly allowsByteOrderMark: boolean;
  /** How many lines, blank ones aside, a file may hold; null: any number. */
  readonly maxLines: number | null;
  /** A line starts. */
  beginLine(): void;
  /** The line was whole, valid JSON. Returns the first thing that is wrong with it. */
  endLine(line: number): LineProblem | null;
  /** After the last line; `lines` were not blank. */
  warnings(lines: number): readonly string[];
}
