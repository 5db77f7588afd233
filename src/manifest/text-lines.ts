import { Damage } from './manifest-fault.ts';
import type { StateFile } from './state-files.ts';

/** V8 keeps strings of more than 128 kB apart and frees them late. */
const chunkBytes = 1 << 16;
const newline = 0x0a;
/** No line we write comes near it, and V8 could not hold much more in one string. */
const longestLineBytes = 256 * 1024 * 1024;

export interface LineBlock {
  /** Without their newlines. */
  readonly lines: readonly string[];
  /** False: the last line of the file, and its newline is missing. */
  readonly terminated: boolean;
}

/**
 * The lines of the first `endBytes` bytes, in blocks of about 64 kB, so that no string of the whole file
 * is ever built. `onBytes` sees every byte first; what it sees is only valid during the call.
 */
export async function* readLines(
  file: StateFile,
  endBytes: number,
  onBytes: (bytes: Uint8Array) => void = () => {},
): AsyncGenerator<LineBlock> {
  // The beginning of a line that the next chunk goes on with.
  let carried: Buffer[] = [];
  // Two buffers take turns: the disk fills one while the caller works on the lines of the other.
  let buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, endBytes));
  let otherBuffer = Buffer.allocUnsafeSlow(buffer.length);
  let ahead = readChunk(file, 0, endBytes, buffer);
  for (let atByte = 0; atByte < endBytes;) {
    const chunk = await ahead;
    if (chunk.length === 0) break;
    atByte += chunk.length;
    [buffer, otherBuffer] = [otherBuffer, buffer];
    ahead = readChunk(file, atByte, endBytes, buffer);
    ahead.catch(() => {}); // Told when it is awaited, unless the caller has stopped by then.
    onBytes(chunk);
    const end = chunk.lastIndexOf(newline);
    if (end === -1) {
      carried.push(Buffer.from(chunk));
      if (carried.length * chunkBytes > longestLineBytes) throw new Damage('is damaged: a line does not end');
      continue;
    }
    const text = Buffer.concat([...carried, chunk.subarray(0, end)]).toString();
    carried = end + 1 < chunk.length ? [Buffer.from(chunk.subarray(end + 1))] : [];
    yield { lines: text.split('\n'), terminated: true };
  }
  if (carried.length > 0) yield { lines: [Buffer.concat(carried).toString()], terminated: false };
}

async function readChunk(file: StateFile, atByte: number, endBytes: number, into: Buffer): Promise<Buffer> {
  const wanted = into.subarray(0, Math.min(into.length, endBytes - atByte));
  return wanted.subarray(0, await file.read(wanted, atByte));
}

/** The last bytes of a file of `sizeBytes` bytes, as text. */
export async function readTail(file: StateFile, sizeBytes: number, tailBytes: number): Promise<string> {
  const buffer = Buffer.alloc(Math.min(tailBytes, sizeBytes));
  const length = await file.read(buffer, sizeBytes - buffer.length);
  return buffer.subarray(0, length).toString();
}
