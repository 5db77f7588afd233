/** Longer strings are not kept: no key, id, model or endpoint that a server takes comes near it. */
export const MAX_TEXT_BYTES = 4096;

/** So many strings of a text are compared with those of the text before. */
const REMEMBERED = 64;
const REMEMBERED_BYTES = 64;

const QUOTE = 0x22;
/** Only such strings are remembered: they have one spelling in bytes, escapes aside. */
const PLAIN_ASCII = /^[ !#-[\]-~]*$/;

/**
 * Keeps the text of one string at a time, also when it comes in several pieces. Lines of a file are much alike: the
 * n-th string of a line (a key, the endpoint, the model) mostly is the n-th string of the line before, and is then
 * recognised by its bytes instead of being looked through and made anew.
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

  /**
   * The whole string, if it is the one that stood here in the text before, which most are: then there is no need to
   * look for its end. Else null.
   */
  repeated(bytes: Buffer, from: number): string | null {
    if (this.#ordinal >= REMEMBERED) return null;
    const before = this.#before[this.#ordinal]!;
    if (bytes[from + before.length] !== QUOTE || !spells(bytes, from, before)) return null;
    this.#ordinal++;
    return before;
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
    const text = decoded(bytes, from, end);
    if (this.#ordinal < REMEMBERED && end - from <= REMEMBERED_BYTES && PLAIN_ASCII.test(text))
      this.#before[this.#ordinal] = text;
    this.#ordinal++;
    return text;
  }
}

/** The string that stands between the quotes. It was found valid, so that this cannot throw. */
function decoded(bytes: Buffer, from: number, end: number): string {
  const text = bytes.toString('utf8', from, end);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

/** True when the bytes from here on are those of this text, which is plain ASCII. */
function spells(bytes: Buffer, from: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (bytes[from + at] !== text.charCodeAt(at)) return false;
  }
  return true;
}
