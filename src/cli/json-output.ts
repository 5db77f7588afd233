import { terminalSafeJson } from '../contract/shown-text.ts';
import { print, type Io } from './io.ts';

/** A list is written in pieces of about this size. */
const pieceLength = 64 * 1024;

/** One JSON object, indented. */
export async function printJson(io: Io, value: unknown): Promise<void> {
  await print(io, `${terminalSafeJson(JSON.stringify(value, null, 2))}\n`);
}

/** One JSON array with one item a line, however long it is. */
export async function printJsonList(
  io: Io,
  items: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<void> {
  let separator = '\n';
  await printLines(io, '[', items, (item) => {
    const line = separator + terminalSafeJson(JSON.stringify(item));
    separator = ',\n';
    return line;
  });
  await print(io, '\n]\n');
}

/** Every item as text, in pieces; the text brings its own line breaks. */
export async function printLines<T>(
  io: Io,
  first: string,
  items: Iterable<T> | AsyncIterable<T>,
  textOf: (item: T) => string,
): Promise<void> {
  let piece = first;
  for await (const item of items) {
    piece += textOf(item);
    if (piece.length >= pieceLength) {
      await print(io, piece);
      piece = '';
    }
  }
  if (piece !== '') await print(io, piece);
}
