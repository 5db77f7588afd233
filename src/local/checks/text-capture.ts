/** Longer strings are not kept: no key, id, model or endpoint that a server takes comes near it. */
export const MAX_TEXT_BYTES = 4096;

/** So many strings of a text are compared with those of the text before. */
const REMEMBERED = 64;
const REMEMBERED_BYTES = 64;

const BACKSLASH = 0x5c;

/**
 * Keeps the text of one string at a time, also when it comes in several pieces. Lines of a file are much alike: the
 * n-th string of a line (a key, the endpoint, the model) mostly is the n-th string of the line before, and is then
 * recognised by its bytes instead of being made anew.
 */
export class TextCapture {
  readonly #before: string[] = Array.from({ length: REMEMBERED }, () => '');
  #ordinal = 0;
  #from = 0;
  #earlier: Buffer[] = [];
  #earlierBytes = 0;

  /** A new text starts. */
  reset(): void {
    this.#ordinal = 0;
    this.#forget();
  }

  /** A string starts at this position. */
  start(from: number): void {
    this.#from = from;
    this.#forget();
  }

  /** The block ends inside the string, which goes on at the start of the next. */
  suspend(bytes: Buffer): void {
    if (this.#earlierBytes <= MAX_TEXT_BYTES)
      this.#earlier.push(Buffer.from(bytes.subarray(this.#from, this.#from + MAX_TEXT_BYTES + 1)));
    this.#earlierBytes += bytes.length - this.#from;
    this.#from = 0;
  }

  /** The string ends before `end`. Returns its text, or null when it is too long to keep. */
  take(bytes: Buffer, end: number): string | null {
    if (this.#earlierBytes + end - this.#from > MAX_TEXT_BYTES) return null;
    if (this.#earlierBytes > 0) {
      const whole = Buffer.concat([...this.#earlier, bytes.subarray(this.#from, end)]);
      return this.#text(whole, 0, whole.length);
    }
    return this.#text(bytes, this.#from, end);
  }

  #forget(): void {
    if (this.#earlierBytes === 0) return;
    this.#earlier = [];
    this.#earlierBytes = 0;
  }

  #text(bytes: Buffer, from: number, end: number): string {
    const ordinal = this.#ordinal++;
    if (ordinal >= REMEMBERED || end - from > REMEMBERED_BYTES) return decoded(bytes, from, end);
    const before = this.#before[ordinal]!;
    if (sameAscii(before, bytes, from, end)) return before;
    return (this.#before[ordinal] = decoded(bytes, from, end));
  }
}

/** The string that stands between the quotes. It was found valid, so that this cannot throw. */
function decoded(bytes: Buffer, from: number, end: number): string {
  const text = bytes.toString('utf8', from, end);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

/** True when the bytes are ASCII, without escapes, and spell this text. */
function sameAscii(text: string, bytes: Buffer, from: number, end: number): boolean {
  if (text.length !== end - from) return false;
  // From the end: what counts up, such as an id, differs there.
  for (let at = end - 1; at >= from; at--) {
    const byte = bytes[at]!;
    if (byte >= 0x80 || byte === BACKSLASH || byte !== text.charCodeAt(at - from)) return false;
  }
  return true;
}
