import { Findings } from './findings.ts';
import { JsonScanner } from './json-scanner.ts';
import type { LineProblem, LineRules } from './line-rules.ts';
import { BLOCK_BYTES, loadBlock } from './string-block.ts';
import { Utf8Stream } from './utf8-stream.ts';

const LF = 0x0a;
/** Outdoes whatever else is wrong with a line, so that the verdict does not depend on how the file is cut into chunks. */
const NOT_UTF8: LineProblem = { rule: 'not-utf8', message: 'not UTF-8' };
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;

/**
 * Checks a JSON Lines file that comes in chunks of any size, in memory that depends neither on the length of the file
 * nor on that of a line. Each bad line makes one finding, the first thing that is wrong with it.
 *
 * Lines end in LF or CRLF, the last one may end without. Blank lines at the end are accepted, since many writers leave
 * some; a blank line before another line is refused, since strict readers take it for a broken record. Where a key
 * comes twice in an object the last one counts, as with every common parser.
 */
export class JsonLines {
  readonly findings = new Findings();
  readonly #rules: LineRules;
  readonly #scanner: JsonScanner;
  readonly #utf8 = new Utf8Stream();
  /** Number of the current line, and where it starts in the file. */
  #line = 1;
  #lineStart = 0;
  /** Where the current block starts in the file. */
  #blockStart = 0;
  /** What is wrong with the current line; the rest of it is skipped. */
  #bad: LineProblem | null = null;
  /** How many blank lines directly precede the current one. */
  #blanks = 0;
  #lines = 0;
  #markBytes = 0;
  /** After too many lines the rest is not looked at. */
  #stopped = false;

  constructor(rules: LineRules) {
    this.#rules = rules;
    this.#scanner = new JsonScanner(rules);
    rules.beginLine();
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.#stopped; at += BLOCK_BYTES)
      this.#block(loadBlock(chunk.subarray(at, at + BLOCK_BYTES)));
  }

  end(): readonly string[] {
    if (!this.#stopped) {
      if (this.#utf8.position.length > 0) this.#bad = NOT_UTF8;
      this.#endLine();
      if (this.#lines === 0 && this.findings.total === 0)
        this.findings.add(null, 'no-lines', 'no line has any content');
    }
    return this.#rules.warnings(this.#lines);
  }

  #block(bytes: Buffer): void {
    const before = this.#utf8.position;
    const clean = this.#utf8.accepts(bytes);
    let at = this.#byteOrderMark(bytes);
    if (!clean) {
      // Seldom: look again, line by line, to tell which lines it is.
      this.#utf8.rewind(before);
      this.#utf8.accepts(bytes.subarray(0, at));
    }
    while (at < bytes.length && !this.#stopped) at = this.#goOn(bytes, at, clean);
    this.#blockStart += bytes.length;
  }

  /** Skips a byte-order mark at the start of the file. Returns where the text starts. */
  #byteOrderMark(bytes: Buffer): number {
    let at = 0;
    while (this.#blockStart + at === this.#markBytes && this.#markBytes < 3 && at < bytes.length) {
      if (bytes[at] !== BYTE_ORDER_MARK[this.#markBytes]) break;
      this.#markBytes++;
      at++;
      if (this.#markBytes === 3 && !this.#rules.allowsByteOrderMark)
        this.#refuse('byte-order-mark', 'the file starts with a byte-order mark');
    }
    return at;
  }

  /** Goes on in the current line, at most to its end. Returns where it stopped. */
  #goOn(bytes: Buffer, from: number, clean: boolean): number {
    let at = from;
    if (!clean) this.#checkUtf8(bytes, from);
    if (this.#bad === null) {
      at = this.#scanner.scan(bytes, from);
      const { fault } = this.#scanner;
      if (fault !== null)
        this.#refuse(fault.rule, `${fault.message} at byte ${this.#blockStart + at - this.#lineStart + 1}`);
    }
    if (this.#bad !== null) {
      const end = bytes.indexOf(LF, at);
      at = end === -1 ? bytes.length : end;
    }
    if (at === bytes.length) return at;
    this.#endLine();
    this.#line++;
    this.#lineStart = this.#blockStart + at + 1;
    return at + 1;
  }

  /** The rest of the current line, as far as the block goes. */
  #checkUtf8(bytes: Buffer, from: number): void {
    const lineEnd = bytes.indexOf(LF, from);
    const rest = bytes.subarray(from, lineEnd === -1 ? bytes.length : lineEnd + 1);
    if (!this.#utf8.accepts(rest)) this.#bad = NOT_UTF8;
  }

  #endLine(): void {
    if (this.#bad === null && this.#scanner.blank) {
      this.#blanks++;
      return;
    }
    this.#tellBlanks();
    this.#lines++;
    const { maxLines } = this.#rules;
    if (maxLines !== null && this.#lines > maxLines) {
      this.findings.add(
        this.#line,
        'too-many-lines',
        `a file may hold at most ${maxLines.toLocaleString('en')} requests, and this is one more`,
      );
      this.#stopped = true;
      return;
    }
    const problem = this.#bad ?? this.#scanner.finish() ?? this.#rules.endLine(this.#line);
    if (problem !== null) this.findings.add(this.#line, problem.rule, problem.message);
    this.#bad = null;
    this.#scanner.reset();
    this.#rules.beginLine();
  }

  #tellBlanks(): void {
    for (; this.#blanks > 0; this.#blanks--)
      this.findings.add(this.#line - this.#blanks, 'blank-line', 'blank line before another line');
  }

  /** The first thing that is wrong with a line is what counts. */
  #refuse(rule: string, message: string): void {
    this.#bad ??= { rule, message };
  }
}
