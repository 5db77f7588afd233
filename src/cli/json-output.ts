import { terminalSafeJson } from '../contract/shown-text.ts';
import { jsonListPieces, textPieces } from '../service/json-list.ts';
import { print, type Io } from './io.ts';

/** One JSON object, indented. */
export async function printJson(io: Io, value: unknown): Promise<void> {
  await print(io, `${terminalSafeJson(JSON.stringify(value, null, 2))}\n`);
}

/** One JSON array with one item a line, however long it is. */
export async function printJsonList(
  io: Io,
  items: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<void> {
  for await (const piece of jsonListPieces(items)) await print(io, terminalSafeJson(piece));
}

/** Every item as text, which brings its own line breaks, however many they are. */
export async function printLines<T>(
  io: Io,
  items: Iterable<T> | AsyncIterable<T>,
  textOf: (item: T) => string,
): Promise<void> {
  for await (const piece of textPieces(items, textOf)) await print(io, piece);
}
