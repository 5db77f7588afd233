/**
 * Names come from anywhere and are shown on terminals, where control characters are commands. C0 and C1 controls,
 * and the marks that turn the direction of writing, are written as escapes; everything else stays as it is.
 */
const dangerous = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const names: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** A path or message as it may go to a terminal. */
export function printable(text: string): string {
  return text.replace(dangerous, (character) => names.get(character) ?? escaped(character));
}

/**
 * JSON whose text is harmless on a terminal too and still means exactly the same: `JSON.stringify` leaves C1
 * controls and direction marks as they are, and they may be written as escapes anywhere in a JSON text.
 */
export function terminalSafeJson(json: string): string {
  // Line breaks of the formatting itself must stay; inside strings they are escapes already.
  return json.replace(dangerous, (character) => (character === '\n' ? character : escaped(character)));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
