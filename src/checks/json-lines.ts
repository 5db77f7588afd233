import { isUtf8 } from 'node:buffer';
import { formatCount } from '../contract/quantities.ts';
import { Findings } from './findings.ts';
import { foreignFormatOf } from './foreign-format.ts';
import { isTooDeep, jsonFaultOf } from './json-fault.ts';
import type { JsonObject, LineProblem, LineRules } from './line-rules.ts';
import { aKind, bytes, kindOf } from './wording.ts';

/**
 * Longer lines are not looked into: a line is held in memory as a whole, and parsed values take several times its size.
 * No source: this is a limit of ours, and the reason says how to get round it.
 */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

const LF = 0x0a;
const BLANK = /^[ \t\r]*$/;

/**
 * Checks a JSON Lines file that comes in chunks of any size; one line is held in memory at a time. Each bad line makes
 * one finding, the first thing that is wrong with it. Source: the JSON Lines text format (jsonlines.org): UTF-8 without
 * a byte-order mark, every line a JSON value, lines end in LF.
 *
 * CRLF is taken, since CR is white space in JSON; the last line may end without LF. Blank lines at the end are taken,
 * since many writers leave some; a blank line before another line is refused, since it is no JSON value. Where a key
 * comes twice in an object the last one counts, as with every common parser.
 */
export class JsonLines {
  readonly findings = new Findings();
  readonly #rules: LineRules;
  /** The start of a line whose end is still to come; of one that is too long, its first part alone. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** Number of the current line. */
  #line = 1;
  /** How many blank lines directly precede the current one. */
  #blanks = 0;
  /** Lines that were not blank. */
  #lines = 0;
  /** After too many lines, and in a file of another format, the rest is not looked at. */
  #stopped = false;

  constructor(rules: LineRules) {
    this.#rules = rules;
  }

  write(chunk: Uint8Array): void {
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let from = 0;
    for (let end = piece.indexOf(LF); end !== -1 && !this.#stopped; end = piece.indexOf(LF, from)) {
      this.#endLine(piece.subarray(from, end));
      this.#line++;
      from = end + 1;
    }
    if (!this.#stopped && from < piece.length) this.#keep(piece.subarray(from));
  }

  end(): readonly string[] {
    if (!this.#stopped) {
      this.#endLine(Buffer.alloc(0));
      if (this.#lines === 0 && this.findings.total === 0)
        this.findings.add(null, 'no-lines', 'no line has any content');
    }
    return this.#rules.warnings(this.#lines);
  }

  #keep(rest: Buffer): void {
    this.#partBytes += rest.length;
    if (this.#partBytes > MAX_LINE_BYTES) this.#parts.length = Math.min(1, this.#parts.length);
    else this.#parts.push(Buffer.from(rest));
  }

  /** `rest`: what of the current line was not kept yet. */
  #endLine(rest: Buffer): void {
    const sizeBytes = this.#partBytes + rest.length;
    const content = this.#partBytes === 0 ? rest : Buffer.concat([...this.#parts, rest]);
    this.#parts = [];
    this.#partBytes = 0;

    const foreign = this.#line === 1 ? foreignFormatOf(content) : null;
    if (foreign !== null) {
      this.#stopped = true;
      this.findings.add(1, 'not-utf8', `${foreign}, not UTF-8 text`);
      return;
    }
    const text = sizeBytes > MAX_LINE_BYTES ? tooLong(sizeBytes) : textOf(content);
    if (text === '' || (typeof text === 'string' && BLANK.test(text))) this.#blanks++;
    else this.#endFullLine(text);
  }

  #endFullLine(text: string | LineProblem): void {
    for (; this.#blanks > 0; this.#blanks--)
      this.findings.add(this.#line - this.#blanks, 'blank-line', 'blank line before another line');
    this.#lines++;
    const { maxLines } = this.#rules;
    if (maxLines !== null && this.#lines > maxLines) {
      this.#stopped = true;
      const message = `a file may hold at most ${formatCount(maxLines)} requests, and this is one more`;
      this.findings.add(this.#line, 'too-many-lines', message);
      return;
    }
    const problem = typeof text === 'string' ? this.#judge(text) : text;
    if (problem !== null) this.findings.add(this.#line, problem.rule, problem.message);
  }

  #judge(line: string): LineProblem | null {
    let text = line;
    if (this.#line === 1 && line.startsWith('\uFEFF')) {
      if (!this.#rules.allowsByteOrderMark)
        return { rule: 'byte-order-mark', message: 'the file starts with a byte-order mark' };
      text = line.slice(1);
    }
    const value = parsed(text);
    if ('fault' in value) return value.fault;
    if (kindOf(value.json) !== 'object')
      return { rule: 'not-object', message: `${aKind(value.json)} instead of an object` };
    return this.#rules.check(value.json as JsonObject, this.#line);
  }
}

/** RACE: the memory of a chunk may be written to once it was looked at; the text is a copy. */
function textOf(content: Buffer): string | LineProblem {
  return isUtf8(content) ? content.toString('utf8') : { rule: 'not-utf8', message: 'not UTF-8' };
}

function tooLong(sizeBytes: number): LineProblem {
  return {
    rule: 'line-too-long',
    message: `a line of ${bytes(sizeBytes)}; those of more than ${bytes(MAX_LINE_BYTES)} are not looked into (with \`check: basic\` the server decides)`,
  };
}

function parsed(text: string): { readonly json: unknown } | { readonly fault: LineProblem } {
  // First, since `JSON.parse` would take seconds and gigabytes for millions of levels.
  const tooDeep = isTooDeep(text) ? jsonFaultOf(text) : null;
  if (tooDeep !== null) return { fault: tooDeep };
  try {
    return { json: JSON.parse(text) };
  } catch (error) {
    return { fault: jsonFaultOf(text) ?? { rule: 'not-json', message: (error as Error).message } };
  }
}
