import type { JsonKind } from './json-listener.ts';

/** A byte as a person knows it, for messages. */
export function nameOfByte(byte: number): string {
  if (byte === 0x0a) return 'end of line';
  if (byte === 0x09) return 'tab';
  if (byte > 0x20 && byte < 0x7f) return byte === 0x60 ? 'backquote' : `\`${String.fromCharCode(byte)}\``;
  return `byte 0x${byte.toString(16).padStart(2, '0')}`;
}

/** A kind of JSON value with its article, for messages. */
export function aKind(kind: JsonKind): string {
  if (kind === 'null') return 'null';
  return kind === 'object' || kind === 'array' ? `an ${kind}` : `a ${kind}`;
}

/** Text from a file, fit for one line on a terminal: quoted, cut, and without any control or formatting character. */
export function quoted(text: string): string {
  const cut = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return JSON.stringify(cut).replaceAll(
    /[\p{C}\u2028\u2029]/gu,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
