import { isUtf8 } from 'node:buffer';

const NONE = Buffer.alloc(0);

/** Tells whether a text that comes in pieces is UTF-8. A character may be split between pieces. */
export class Utf8Stream {
  /** The start of a character whose rest is still to come: at most three bytes. */
  #pending: Buffer = NONE;

  /** Where the stream stands, to be given to `rewind`. */
  get position(): Buffer {
    return this.#pending;
  }

  rewind(position: Buffer): void {
    this.#pending = position;
  }

  /** True when all bytes so far can be the start of a UTF-8 text. After a false, starts afresh with the next piece. */
  accepts(piece: Buffer): boolean {
    let from = 0;
    if (this.#pending.length > 0) {
      const missing = lengthFrom(this.#pending[0]!) - this.#pending.length;
      const joined = Buffer.concat([this.#pending, piece.subarray(0, missing)]);
      if (piece.length < missing) {
        // Told now and not once the character is complete, so that a line end in between cannot hide in it.
        const goesOn = piece.every((byte) => byte >= 0x80 && byte < 0xc0);
        this.#pending = goesOn ? joined : NONE;
        return goesOn;
      }
      this.#pending = NONE;
      if (!isUtf8(joined)) return false;
      from = missing;
    }
    const whole = piece.length - unfinished(piece, from);
    if (!isUtf8(from === 0 && whole === piece.length ? piece : piece.subarray(from, whole))) return false;
    if (whole < piece.length) this.#pending = Buffer.from(piece.subarray(whole));
    return true;
  }
}

/** How many bytes at the end of the piece are the start of a character that goes on behind it. */
function unfinished(piece: Buffer, from: number): number {
  for (let back = 1; back <= 3 && piece.length - back >= from; back++) {
    const byte = piece[piece.length - back]!;
    if (byte >= 0xc0) return lengthFrom(byte) > back ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** How long a character is that starts with this byte. */
function lengthFrom(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return 2;
}
