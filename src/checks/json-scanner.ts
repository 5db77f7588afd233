/**
 * A JSON validator that is fed bytes in pieces and holds none of them, so that the length of a text does not matter.
 * It tells a listener what lies near the top of the text, and nothing of what lies deeper.
 *
 * Why not `JSON.parse`: it needs the whole line as one string, however long, and builds every value of it. What fills
 * these files is the inside of long strings; here that is skipped sixteen bytes at a time (`string-block.ts`).
 */
import { nameOfByte } from './wording.ts';
import type { JsonKind, JsonListener } from './json-listener.ts';
import { NUMBER_DEAD, NUMBER_START, numberMayEnd, numberStep } from './json-number.ts';
import { skipString } from './string-block.ts';
import { TextCapture } from './text-capture.ts';

interface JsonFault {
  readonly rule: 'not-json' | 'nul-byte' | 'too-deep';
  readonly message: string;
}

/** Deeper nesting is refused. No request comes near it, and common parsers give up around here as well. */
const MAX_NESTING = 1000;

/** What is expected next. */
const VALUE = 0;
const VALUE_OR_CLOSE = 1;
const KEY = 2;
const KEY_OR_CLOSE = 3;
const COLON = 4;
const COMMA_OR_CLOSE = 5;
const DONE = 6;
/** From here on: inside a token. */
const STRING = 7;
const ESCAPE = 8;
const HEX = 9;
const NUMBER = 10;
const LITERAL = 11;

const LF = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON_SIGN = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** What may follow a backslash, `u` aside. */
const ESCAPABLE: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));

const LITERALS: ReadonlyMap<number, { readonly word: string; readonly kind: JsonKind }> = new Map([
  [0x74, { word: 'true', kind: 'boolean' }],
  [0x66, { word: 'false', kind: 'boolean' }],
  [0x6e, { word: 'null', kind: 'null' }],
]);

export class JsonScanner {
  readonly #listener: JsonListener;
  readonly #capture = new TextCapture();
  /** For each open container: 1 for an object, 0 for an array. */
  readonly #containers = new Uint8Array(MAX_NESTING + 1);
  #depth = 0;
  #expect = VALUE;
  #fault: JsonFault | null = null;
  #inKey = false;
  #wanted = false;
  #hexLeft = 0;
  #number = NUMBER_DEAD;
  #literal = 'null';
  #literalAt = 0;
  #literalKind: JsonKind = 'null';

  constructor(listener: JsonListener) {
    this.#listener = listener;
  }

  /** Forgets everything, ready for the next text. */
  reset(): void {
    this.#capture.reset();
    this.#depth = 0;
    this.#expect = VALUE;
    this.#fault = null;
    this.#inKey = false;
    this.#wanted = false;
  }

  /** What made the scan stop before the end of the text, or null. */
  get fault(): JsonFault | null {
    return this.#fault;
  }

  /** True while nothing but white space was seen. */
  get blank(): boolean {
    return this.#expect === VALUE && this.#depth === 0;
  }

  /**
   * Goes on from `from` in the loaded block. Returns where it stopped: at a line feed between tokens (which ends the
   * text), at the byte that cannot be there (see `fault`), or at the end of the block.
   */
  scan(bytes: Buffer, from: number): number {
    const end = bytes.length;
    let at = from;
    while (at < end && this.#fault === null) {
      const expect = this.#expect;
      if (expect === STRING) at = this.#string(bytes, at);
      else if (expect === NUMBER) at = this.#numberBytes(bytes, at);
      else if (expect > STRING) at = this.#token(bytes[at]!, at);
      else {
        const byte = bytes[at]!;
        if (byte === LF) return at;
        if (byte === 0x20 || byte === 0x09 || byte === 0x0d) at++;
        else at = this.#structure(bytes, byte, at);
      }
    }
    if (this.#wanted && this.#inString()) this.#capture.suspend(bytes);
    return at;
  }

  /** Ends the text: a fault if it is not one whole value. Not to be asked of a blank text. */
  finish(): JsonFault | null {
    if (this.#fault !== null) return this.#fault;
    if (this.#expect === NUMBER && numberMayEnd(this.#number)) this.#value('number', null);
    if (this.#expect === DONE) return null;
    const inside = this.#inString()
      ? 'a string'
      : this.#depth === 0
        ? 'a value'
        : this.#inObject()
          ? 'an object'
          : 'an array';
    return { rule: 'not-json', message: `ends inside ${inside}` };
  }

  #inString(): boolean {
    return this.#expect >= STRING && this.#expect <= HEX;
  }

  #inObject(): boolean {
    return this.#containers[this.#depth] === 1;
  }

  #fail(message: string, rule: JsonFault['rule'] = 'not-json'): void {
    this.#fault = { rule, message };
  }

  #unexpected(byte: number): void {
    if (byte === 0) this.#fail('NUL byte', 'nul-byte');
    else this.#fail(`unexpected ${nameOfByte(byte)}`);
  }

  #structure(bytes: Buffer, byte: number, at: number): number {
    switch (this.#expect) {
      case VALUE_OR_CLOSE:
        if (byte === CLOSE_ARRAY) return this.#close(at);
        return this.#begin(bytes, byte, at);
      case VALUE:
        return this.#begin(bytes, byte, at);
      case KEY_OR_CLOSE:
        if (byte === CLOSE_OBJECT) return this.#close(at);
        return this.#beginKey(bytes, byte, at);
      case KEY:
        return this.#beginKey(bytes, byte, at);
      case COLON:
        if (byte !== COLON_SIGN) break;
        this.#expect = VALUE;
        return at + 1;
      case COMMA_OR_CLOSE:
        if (byte === COMMA) {
          this.#expect = this.#inObject() ? KEY : VALUE;
          return at + 1;
        }
        if (byte === (this.#inObject() ? CLOSE_OBJECT : CLOSE_ARRAY)) return this.#close(at);
        break;
      default:
        break;
    }
    this.#unexpected(byte);
    return at;
  }

  #begin(bytes: Buffer, byte: number, at: number): number {
    if (byte === QUOTE) {
      this.#inKey = false;
      return this.#beginString(bytes, at);
    }
    // Only a string directly behind its key is wanted.
    this.#wanted = false;
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) return this.#open(byte === OPEN_OBJECT, at);
    this.#number = numberStep(NUMBER_START, byte);
    if (this.#number !== NUMBER_DEAD) this.#expect = NUMBER;
    else if (!this.#beginLiteral(byte)) {
      this.#unexpected(byte);
      return at;
    }
    return at + 1;
  }

  #beginLiteral(byte: number): boolean {
    const literal = LITERALS.get(byte);
    if (literal === undefined) return false;
    this.#literal = literal.word;
    this.#literalKind = literal.kind;
    this.#literalAt = 1;
    this.#expect = LITERAL;
    return true;
  }

  #beginKey(bytes: Buffer, byte: number, at: number): number {
    if (byte !== QUOTE) {
      this.#unexpected(byte);
      return at;
    }
    this.#inKey = true;
    this.#wanted = this.#depth <= this.#listener.maxDepth;
    return this.#beginString(bytes, at);
  }

  #beginString(bytes: Buffer, at: number): number {
    this.#expect = STRING;
    if (!this.#wanted) return at + 1;
    const repeated = this.#capture.repeated(bytes, at + 1);
    if (repeated !== null) return this.#endString(bytes, at + 1 + repeated.length, repeated);
    this.#capture.start(at + 1);
    return at + 1;
  }

  #open(object: boolean, at: number): number {
    if (this.#depth === MAX_NESTING) {
      this.#fail(`nested deeper than ${MAX_NESTING} levels`, 'too-deep');
      return at;
    }
    if (this.#depth <= this.#listener.maxDepth)
      this.#listener.value(this.#depth, object ? 'object' : 'array', null);
    this.#containers[++this.#depth] = object ? 1 : 0;
    this.#expect = object ? KEY_OR_CLOSE : VALUE_OR_CLOSE;
    return at + 1;
  }

  #close(at: number): number {
    this.#depth--;
    this.#expect = this.#depth === 0 ? DONE : COMMA_OR_CLOSE;
    return at + 1;
  }

  /** A value that is no container is complete. */
  #value(kind: JsonKind, text: string | null): void {
    this.#wanted = false;
    this.#expect = this.#depth === 0 ? DONE : COMMA_OR_CLOSE;
    if (this.#depth <= this.#listener.maxDepth) this.#listener.value(this.#depth, kind, text);
  }

  #string(bytes: Buffer, from: number): number {
    const at = skipString(from, bytes.length);
    if (at === bytes.length) return at;
    const byte = bytes[at]!;
    if (byte === BACKSLASH) {
      this.#expect = ESCAPE;
      return at + 1;
    }
    if (byte !== QUOTE) {
      if (byte === 0) this.#fail('NUL byte', 'nul-byte');
      else this.#fail(byte === LF ? 'the line ends inside a string' : `${nameOfByte(byte)} inside a string`);
      return at;
    }
    return this.#endString(bytes, at, this.#wanted ? this.#capture.take(bytes, at) : null);
  }

  /** `at`: the closing quote. */
  #endString(bytes: Buffer, at: number, text: string | null): number {
    if (!this.#inKey) {
      this.#value('string', text);
      return at + 1;
    }
    this.#expect = COLON;
    this.#wanted = this.#depth <= this.#listener.maxDepth && this.#listener.key(this.#depth, text);
    // Mostly the colon follows at once.
    if (bytes[at + 1] !== COLON_SIGN) return at + 1;
    this.#expect = VALUE;
    return at + 2;
  }

  /** One byte of a literal, or of an escape that is not whole in this block or not valid. */
  #token(byte: number, at: number): number {
    switch (this.#expect) {
      case ESCAPE:
        if (byte === 0x75) {
          this.#hexLeft = 4;
          this.#expect = HEX;
        } else if (ESCAPABLE.has(byte)) this.#expect = STRING;
        else this.#fail(`bad escape in a string: ${nameOfByte(byte)} after a backslash`);
        break;
      case HEX:
        if (!isHexDigit(byte)) this.#fail(`bad escape in a string: ${nameOfByte(byte)} in \\u`);
        else if (--this.#hexLeft === 0) this.#expect = STRING;
        break;
      default:
        if (byte !== this.#literal.charCodeAt(this.#literalAt)) this.#unexpected(byte);
        else if (++this.#literalAt === this.#literal.length) this.#value(this.#literalKind, null);
    }
    return this.#fault === null ? at + 1 : at;
  }

  #numberBytes(bytes: Buffer, from: number): number {
    let state = this.#number;
    let at = from;
    for (; at < bytes.length; at++) {
      const next = numberStep(state, bytes[at]!);
      if (next === NUMBER_DEAD) break;
      state = next;
    }
    this.#number = state;
    // The byte that stops a number belongs to what follows, and is looked at again as such.
    if (at === bytes.length) return at;
    if (numberMayEnd(state)) this.#value('number', null);
    else this.#unexpected(bytes[at]!);
    return at;
  }
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}
