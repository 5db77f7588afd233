/** The lines of a file, read in memory that does not grow with it. */
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';

const LINE_BREAK = 0x0a;
const CHUNK_BYTES = 1024 * 1024;

interface InputLine {
  /** Counted from 1, empty ones included. */
  readonly number: number;
  readonly offset: number;
  /** Without its line break. */
  readonly bytes: Buffer;
}

/** All lines that are not blank. */
export async function* readLines(path: string): AsyncGenerator<InputLine, void> {
  let number = 0;
  let offset = 0;
  let begun: Buffer[] = [];
  const take = (tail: Buffer): InputLine => {
    const bytes = begun.length === 0 ? tail : Buffer.concat([...begun, tail]);
    begun = [];
    number += 1;
    const line = { number, offset, bytes };
    offset += bytes.length + 1;
    return line;
  };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_BREAK); end !== -1; end = chunk.indexOf(LINE_BREAK, start)) {
      const line = take(chunk.subarray(start, end));
      if (!isBlank(line.bytes)) yield line;
      start = end + 1;
    }
    if (start < chunk.length) begun.push(chunk.subarray(start));
  }
  if (begun.length === 0) return;
  const line = take(Buffer.alloc(0));
  if (!isBlank(line.bytes)) yield line;
}

function isBlank(bytes: Buffer): boolean {
  return bytes.length < 16 && bytes.toString('latin1').trim() === '';
}

/** A file whose lines are read in any order. */
export class LineIndex {
  readonly #descriptor: number;
  readonly #offsets: readonly number[];
  readonly #lengths: readonly number[];

  private constructor(descriptor: number, offsets: readonly number[], lengths: readonly number[]) {
    this.#descriptor = descriptor;
    this.#offsets = offsets;
    this.#lengths = lengths;
  }

  static async open(path: string): Promise<LineIndex> {
    const offsets: number[] = [];
    const lengths: number[] = [];
    for await (const { offset, bytes } of readLines(path)) {
      offsets.push(offset);
      lengths.push(bytes.length);
    }
    return new LineIndex(openSync(path, 'r'), offsets, lengths);
  }

  get count(): number {
    return this.#offsets.length;
  }

  /** The line at `index`, counted from 0. At once: waiting for each of 50,000 lines takes longer than reading them. */
  read(index: number): string {
    const bytes = Buffer.allocUnsafe(this.#lengths[index] ?? 0);
    readSync(this.#descriptor, bytes, 0, bytes.length, this.#offsets[index] ?? 0);
    return bytes.toString('utf8');
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
