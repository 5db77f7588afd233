/** A list is written in pieces of about this size, so that it neither blocks the loop nor fills the memory. */
const PIECE_LENGTH = 64 * 1024;

type Items<T> = Iterable<T> | AsyncIterable<T>;

/** Every item as text, in pieces; the text brings its own line breaks. */
export async function* textPieces<T>(items: Items<T>, textOf: (item: T) => string): AsyncIterable<string> {
  let piece = '';
  for await (const item of items) {
    piece += textOf(item);
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** A JSON array with one item a line, so that a reader can take it line by line, however long it is. */
export async function* jsonListPieces(items: Items<unknown>): AsyncIterable<string> {
  let before = '[\n';
  yield* textPieces(items, (item) => {
    const line = before + JSON.stringify(item);
    before = ',\n';
    return line;
  });
  yield before === '[\n' ? '[\n]\n' : '\n]\n';
}
