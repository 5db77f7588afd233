import { counted } from '../contract/quantities.ts';
import type { CheckProblem } from '../contract/content-check.ts';

/** One thing that is wrong with a file. */
export interface Finding {
  /** 1-based; null when it concerns the file as a whole. */
  readonly line: number | null;
  /** Short stable name, e.g. `not-json`, `custom-id-duplicate`. */
  readonly rule: string;
  readonly message: string;
}

/** So many findings are kept; the rest is only counted. */
const MAX_FINDINGS = 100;
/** So many are named in the one-line reason. */
const NAMED_FINDINGS = 3;

/** Collects findings in bounded memory. */
export class Findings {
  readonly #kept: Finding[] = [];
  #total = 0;

  add(line: number | null, rule: string, message: string): void {
    this.#total++;
    if (this.#kept.length < MAX_FINDINGS) this.#kept.push({ line, rule, message });
  }

  get kept(): readonly Finding[] {
    return this.#kept;
  }

  /** How many there were, kept or not. */
  get total(): number {
    return this.#total;
  }

  /** All of it in one line under one rule name: the first bad lines, and how many more there are. Null: nothing found. */
  problem(rule: string): CheckProblem | null {
    if (this.#total === 0) return null;
    const named = this.#kept
      .slice(0, NAMED_FINDINGS)
      .map(({ line, message }) => (line === null ? message : `line ${line}: ${message}`));
    const more = this.#total - named.length;
    if (more > 0) named.push(`and ${counted(more, 'more bad line')}`);
    return { rule, message: named.join('; ') };
  }
}

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
      return `line ${line}: ${message}${more === 0 ? '' : ` (and ${counted(more, 'more line')})`}`;
    });
  }
}
