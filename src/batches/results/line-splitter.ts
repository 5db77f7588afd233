const LF = 0x0a;

/** Longer lines are not looked into: a line is held in memory as a whole. */
export const MAX_LINE_BYTES = 64 * 1024 * 1024;

export interface RawLine {
  /** Without its LF; null: it is too long to be held. Valid until the next one. */
  readonly bytes: Buffer | null;
  /** Where it begins. */
  readonly atByte: number;
  readonly sizeBytes: number;
}

/** Cuts what comes in chunks of any size into lines, the last one also without LF. One line is held at a time. */
export class LineSplitter {
  readonly #onLine: (line: RawLine) => void;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #atByte = 0;

  constructor(onLine: (line: RawLine) => void) {
    this.#onLine = onLine;
  }

  write(chunk: Uint8Array): void {
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let end = piece.indexOf(LF); end !== -1; end = piece.indexOf(LF, from)) {
      this.#endLine(piece.subarray(from, end));
      this.#atByte += 1;
      from = end + 1;
    }
    if (from < piece.length) this.#keep(piece.subarray(from));
  }

  end(): void {
    if (this.#partBytes > 0) this.#endLine(Buffer.alloc(0));
  }

  /** RACE: the memory of a chunk may be written to once it was looked at. */
  #keep(rest: Buffer): void {
    this.#partBytes += rest.length;
    if (this.#partBytes > MAX_LINE_BYTES) this.#parts = [];
    else this.#parts.push(Buffer.from(rest));
  }

  #endLine(rest: Buffer): void {
    const sizeBytes = this.#partBytes + rest.length;
    const isHeld = sizeBytes <= MAX_LINE_BYTES;
    const bytes = this.#partBytes === 0 ? rest : Buffer.concat([...this.#parts, rest]);
    this.#parts = [];
    this.#partBytes = 0;
    this.#onLine({ bytes: isHeld ? bytes : null, atByte: this.#atByte, sizeBytes });
    this.#atByte += sizeBytes;
  }
}

/** Nothing but white space. */
export function isBlank({ bytes, sizeBytes }: RawLine): boolean {
  return sizeBytes === 0 || (bytes !== null && sizeBytes < 100 && bytes.toString('latin1').trim() === '');
}
