/**
 * What text must lose before a person sees it: names, contents and servers' messages come from anywhere, on a terminal
 * control characters are commands, and a key must never be shown. This is the one place that knows both.
 */

/** C0, DEL and C1 controls, line and paragraph separators, and the marks that turn the direction of writing. */
const dangerous = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** All that cannot be seen, the dangerous included. */
const unseen = /[\p{C}\p{Zl}\p{Zp}]/gu;

const names: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** A path or message as it may go to a terminal: what is dangerous is written as escapes, all else stays as it is. */
export function printable(text: string): string {
  return text.replace(dangerous, (character) => names.get(character) ?? escaped(character));
}

/** With an escape for everything that cannot be seen, for text in which that may be what is wrong. */
export function visible(text: string): string {
  return text.replace(unseen, escaped);
}

/**
 * JSON whose text is harmless on a terminal too and still means exactly the same: `JSON.stringify` leaves C1
 * controls and direction marks as they are, and they may be written as escapes anywhere in a JSON text.
 */
export function terminalSafeJson(json: string): string {
  // Line breaks of the formatting itself must stay; inside strings they are escapes already.
  return json.replace(dangerous, (character) => (character === '\n' ? character : escaped(character)));
}

/** Text from a server as one line that is safe to print: without what is dangerous, and not too long. */
export function oneLine(text: string, maxChars = 300): string {
  const clean = text.replace(dangerous, ' ').replace(/\s+/g, ' ').trim();
  if (clean.length <= maxChars) return clean;
  // A surrogate pair stays in one piece at the cut.
  return `${clean.slice(0, maxChars - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
}

export const redacted = '[redacted]';

/**
 * Looks like a key of OpenAI's, whoever put it there: a server may quote the one that it did not accept, with stars or
 * dots in place of a part. Short words with `sk-` may be anything, such as a file's name.
 */
const keyLike = /\bsk-(?:[\w-]*(?:\*|\.{2,})[\w*.-]*|[\w-]{16,})/g;

/** Shorter secrets are placeholders, and would be found by chance in ordinary text. */
const shortestSecret = 6;

/** A function that takes the given secrets, and whatever looks like an API key, out of a text. */
export function redactor(secrets: readonly (string | null)[]): (text: string) => string {
  const known = secrets.filter(
    (secret): secret is string => secret !== null && secret.length >= shortestSecret,
  );
  return (text) => {
    let result = text;
    for (const secret of known) result = result.replaceAll(secret, redacted);
    return result.includes('sk-') ? result.replace(keyLike, redacted) : result;
  };
}
