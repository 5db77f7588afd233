const MAX_CHARS = 300;

/** C0, DEL and C1 controls, line and paragraph separators, and the marks that turn a terminal's text around. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+/g;

/** Keys as OpenAI makes them. Servers like to quote the one they did not accept, in part or whole. */
const API_KEY = /\bsk-[\w*.-]+/g;

/** Shorter secrets are placeholders, and replacing them would only spoil the text. */
const MIN_SECRET_CHARS = 6;

/** Text from a server as one line that is safe to print: no control characters, no secrets, not too long. */
export function oneLine(text: string, secrets: readonly string[], maxChars = MAX_CHARS): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length >= MIN_SECRET_CHARS) clean = clean.replaceAll(secret, '[key]');
  }
  clean = clean.replace(API_KEY, '[key]').replace(UNPRINTABLE, ' ').replace(/\s+/g, ' ').trim();
  if (clean.length <= maxChars) return clean;
  // The `u` flag keeps a surrogate pair in one piece at the cut.
  return `${clean.slice(0, maxChars - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
