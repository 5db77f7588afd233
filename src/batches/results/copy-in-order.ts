import type { FileHandle } from 'node:fs/promises';
import type { Place } from './line-ledger.ts';

const LF = 0x0a;

/** So much of the output is put together at a time. */
const WINDOW_BYTES = 32 * 1024 * 1024;

/** Lines that lie so close to each other are read in one go: reading past what is not wanted costs less than asking again. */
const GAP_BYTES = 64 * 1024;
const READ_BYTES = 1024 * 1024;

interface Placed extends Place {
  /** In the window. */
  readonly to: number;
}

/**
 * Writes lines in the order given, byte for byte, each with an LF. What is in memory is one window of them, whatever
 * their number; each window is read in the order in which its lines lie on the disk. A text stands for itself.
 */
export async function copyInOrder(
  lines: Iterable<Place | string>,
  files: readonly FileHandle[],
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const scratch = Buffer.allocUnsafe(READ_BYTES);
  let buffer = Buffer.alloc(0);
  let placed: Placed[] = [];
  let texts: { readonly bytes: Buffer; readonly to: number }[] = [];
  let used = 0;
  const flush = async (): Promise<void> => {
    if (used === 0) return;
    // What fits into a small one gets a small one; a second window is as large as they get.
    if (buffer.length < used)
      buffer = Buffer.allocUnsafe(buffer.length === 0 ? used : Math.max(used, WINDOW_BYTES));
    for (const { bytes, to } of texts) buffer[to + bytes.copy(buffer, to)] = LF;
    await readPlaced(placed, files, buffer, scratch);
    await write(buffer.subarray(0, used));
    [placed, texts, used] = [[], [], 0];
  };
  for (const line of lines) {
    const bytes = typeof line === 'string' ? Buffer.from(line) : null;
    const sizeBytes = typeof line === 'string' ? (bytes?.length ?? 0) : line.sizeBytes;
    if (used + sizeBytes + 1 > WINDOW_BYTES) await flush();
    if (bytes !== null) texts.push({ bytes, to: used });
    else if (typeof line !== 'string') placed.push({ ...line, to: used });
    used += sizeBytes + 1;
  }
  await flush();
}

async function readPlaced(
  placed: readonly Placed[],
  files: readonly FileHandle[],
  into: Buffer,
  scratch: Buffer,
): Promise<void> {
  const sorted = placed.toSorted((a, b) => a.file - b.file || a.atByte - b.atByte);
  for (let at = 0; at < sorted.length;) {
    const end = endOfRun(sorted, at);
    const run = sorted.slice(at, end);
    const [first] = run;
    const last = run.at(-1);
    if (first === undefined || last === undefined) return;
    const file = files[first.file];
    if (file === undefined) throw new RangeError('a line of no file');
    if (run.length === 1)
      await readExactly(file, into.subarray(first.to, first.to + first.sizeBytes), first.atByte);
    else {
      const bytes = scratch.subarray(0, last.atByte + last.sizeBytes - first.atByte);
      await readExactly(file, bytes, first.atByte);
      for (const { atByte, sizeBytes, to } of run) {
        bytes.copy(into, to, atByte - first.atByte, atByte - first.atByte + sizeBytes);
      }
    }
    at = end;
  }
  for (const { to, sizeBytes } of placed) into[to + sizeBytes] = LF;
}

/** Where the lines end that are read together with the one at `start`. */
function endOfRun(sorted: readonly Placed[], start: number): number {
  const first = sorted[start];
  let endByte = endOf(first);
  let end = start + 1;
  for (; end < sorted.length; end += 1) {
    const next = sorted[end];
    if (next === undefined || next.file !== first?.file || next.atByte - endByte > GAP_BYTES) break;
    if (endOf(next) - first.atByte > READ_BYTES) break;
    endByte = endOf(next);
  }
  return end;
}

function endOf(place: Place | undefined): number {
  return place === undefined ? 0 : place.atByte + place.sizeBytes;
}

async function readExactly(file: FileHandle, into: Uint8Array, atByte: number): Promise<void> {
  for (let read = 0; read < into.length;) {
    const { bytesRead } = await file.read(into, read, into.length - read, atByte + read);
    if (bytesRead === 0) throw new RangeError('a staged file is shorter than when it was read');
    read += bytesRead;
  }
}
