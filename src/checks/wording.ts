import { formatCount } from '../contract/quantities.ts';
import { visible } from '../contract/shown-text.ts';

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

export function kindOf(value: unknown): JsonKind {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as JsonKind;
}

/** The kind of a JSON value with its article, for messages. */
export function aKind(value: unknown): string {
  return aKindNamed(kindOf(value));
}

export function aKindNamed(kind: JsonKind): string {
  if (kind === 'null') return 'null';
  return kind === 'object' || kind === 'array' ? `an ${kind}` : `a ${kind}`;
}

/** A character as a person knows it, for messages. */
export function nameOfCharacter(char: string): string {
  if (char === '\t') return 'tab';
  if (char === '`') return 'backquote';
  if (char === '\uFEFF') return 'byte-order mark';
  if (/^[!-~]$/.test(char)) return `\`${char}\``;
  const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return /[\p{C}\p{Z}]/u.test(char) ? `U+${code}` : `U+${code} (${char})`;
}

/** Text from a file, fit for one line on a terminal: quoted, cut, and without any control or formatting character. */
export function quoted(text: string): string {
  const cut = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return visible(JSON.stringify(cut));
}

/** `12,345 bytes`. */
export function bytes(count: number): string {
  return `${formatCount(count)} bytes`;
}
