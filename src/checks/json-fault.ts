/**
 * Where and why a text is no JSON. `JSON.parse` decides what is; it does not always say where it stopped, and its words
 * are another engine's. This is only asked about texts that it refused, or that may be nested too deeply for it.
 */
import { nameOfCharacter } from './wording.ts';

export interface JsonFault {
  readonly rule: 'not-json' | 'nul-byte' | 'too-deep';
  readonly message: string;
}

/**
 * Deeper nesting is refused. Source: RFC 8259, section 9, lets readers limit the depth, and they do: the `json` module
 * of Python at its recursion limit, 1,000.
 */
export const MAX_NESTING = 1000;

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma or close' | 'nothing';

const WHITE_SPACE = /[ \t\r\n]*/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
/** What other languages write, and JSON does not know. */
const FOREIGN_WORD = /-?(?:NaN|Infinity)\b|True\b|False\b|None\b|undefined\b/y;
const NO_PLAIN_CHARACTER = /["\\\u0000-\u001f]/g;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** True when a text, JSON or not, opens more brackets than may be open at once. Takes a few milliseconds a megabyte. */
export function isTooDeep(text: string): boolean {
  if (!hasManyBrackets(text)) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) depth++;
    else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) depth--;
    if (depth > MAX_NESTING) return true;
  }
  return false;
}

/** In strings or not. Mostly false, and then found out in no time. */
function hasManyBrackets(text: string): boolean {
  let count = 0;
  for (const bracket of '[{') {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1))
      if (++count > MAX_NESTING) return true;
  }
  return false;
}

/** The closing quote of the string that opens here, or the end of the text. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
}

/** The first thing that is wrong with the text; null for one whole JSON value. */
export function jsonFaultOf(text: string): JsonFault | null {
  return new Reading(text).fault();
}

class Reading {
  readonly #text: string;
  #at = 0;
  #expected: Expected = 'value';
  /** The closing brackets that are still to come. */
  readonly #open: string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  fault(): JsonFault | null {
    for (;;) {
      this.#skip(WHITE_SPACE);
      if (this.#at === this.#text.length)
        return this.#expected === 'nothing' ? null : notJson(`ends inside ${this.#innermost()}`);
      const fault = this.#step(this.#text[this.#at]!);
      if (fault !== null) return fault;
    }
  }

  #step(char: string): JsonFault | null {
    const expected = this.#expected;
    if (char === this.#open.at(-1) && /close|\]|\}/.test(expected)) return this.#close();
    if (char === '"' && /value|key/.test(expected)) return this.#string(expected.startsWith('key'));
    if (expected.startsWith('value')) return this.#value(char);
    if (expected === 'colon' && char === ':') return this.#goOn('value');
    if (expected === 'comma or close' && char === ',')
      return this.#goOn(this.#open.at(-1) === '}' ? 'key' : 'value');
    return this.#unexpected();
  }

  #value(char: string): JsonFault | null {
    if (char === '{' || char === '[') {
      if (this.#open.length === MAX_NESTING)
        return { ...notJson(`nested deeper than ${MAX_NESTING} levels${this.#place()}`), rule: 'too-deep' };
      this.#open.push(char === '{' ? '}' : ']');
      return this.#goOn(char === '{' ? 'key or }' : 'value or ]');
    }
    if (!this.#skip(SCALAR)) return this.#unexpected();
    this.#expected = this.#behindValue();
    return null;
  }

  #string(isKey: boolean): JsonFault | null {
    this.#at++;
    for (;;) {
      NO_PLAIN_CHARACTER.lastIndex = this.#at;
      const found = NO_PLAIN_CHARACTER.exec(this.#text);
      if (found === null) return notJson('ends inside a string');
      this.#at = found.index;
      if (found[0] === '"') return this.#goOn(isKey ? 'colon' : this.#behindValue());
      if (found[0] !== '\\') return this.#unexpected(' inside a string');
      if (!this.#skip(ESCAPE)) return this.#badEscape();
    }
  }

  #badEscape(): JsonFault {
    const rest = this.#text.slice(this.#at, this.#at + 6);
    if (/^\\(?:u[0-9a-fA-F]{0,3})?$/.test(rest)) return notJson('ends inside a string');
    return notJson(
      `bad escape in a string: ${JSON.stringify(rest.slice(0, rest[1] === 'u' ? 6 : 2)).slice(1, -1)}${this.#place()}`,
    );
  }

  #close(): null {
    this.#open.pop();
    return this.#goOn(this.#behindValue());
  }

  #goOn(expected: Expected): null {
    this.#at++;
    this.#expected = expected;
    return null;
  }

  #behindValue(): Expected {
    return this.#open.length === 0 ? 'nothing' : 'comma or close';
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const matches = pattern.test(this.#text);
    if (matches) this.#at = pattern.lastIndex;
    return matches;
  }

  #unexpected(where = ''): JsonFault {
    const char = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
    if (char === '\0') return { rule: 'nul-byte', message: `NUL byte${this.#place()}` };
    FOREIGN_WORD.lastIndex = this.#at;
    const word = FOREIGN_WORD.exec(this.#text)?.[0];
    if (word !== undefined) return notJson(`${word} is no JSON value${this.#place()}`);
    if (
      this.#expected === 'nothing' &&
      /\r[ \t\r]*$/.test(this.#text.slice(Math.max(0, this.#at - 100), this.#at))
    )
      return notJson(`a line ends in CR alone, where JSON Lines demand LF,${this.#place()}`);
    return notJson(`${where === '' ? 'unexpected ' : ''}${nameOfCharacter(char)}${where}${this.#place()}`);
  }

  #innermost(): string {
    const close = this.#open.at(-1);
    if (close === undefined) return 'a value';
    return close === '}' ? 'an object' : 'an array';
  }

  /** Where the reading stands, in bytes as an editor counts them. */
  #place(): string {
    return ` at byte ${Buffer.byteLength(this.#text.slice(0, this.#at)) + 1}`;
  }
}

function notJson(message: string): JsonFault {
  return { rule: 'not-json', message };
}
