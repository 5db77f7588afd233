/**
 * `multipart/form-data` as a stream of events: parts of any size pass through in the chunks they arrive in, so memory
 * stays flat and whoever reads the events sets the pace. Another's reader takes the body apart: ours would share the
 * habits of our own writer.
 */
import { setImmediate } from 'node:timers/promises';

import { Dicer } from '@fastify/busboy';

/** The body is no well-formed multipart message. */
export class MultipartError extends Error {
  override readonly name = 'MultipartError';
}

export type MultipartEvent =
  /** A part begins. `filename` is null when the part carries none, i.e. is a plain field. */
  | { readonly kind: 'part'; readonly name: string; readonly filename: string | null }
  | { readonly kind: 'data'; readonly chunk: Buffer }
  /** The part is complete: the delimiter behind it was seen. */
  | { readonly kind: 'end' };

/** The boundary that a `Content-Type` names. Throws `MultipartError` when it announces no multipart form. */
export function boundaryOf(contentType: string | undefined): string {
  const value = contentType ?? '';
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(value);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined || !/^multipart\/form-data\s*;/i.test(value)) {
    throw new MultipartError('the Content-Type must be multipart/form-data with a boundary');
  }
  return boundary;
}

/**
 * Yields the events of a multipart body. Returns only after `source` has ended, so that a body which breaks off
 * behind the closing delimiter still fails. Throws `MultipartError`, and whatever `source` throws.
 */
export async function* readMultipart(
  source: AsyncIterable<Buffer>,
  boundary: string,
): AsyncGenerator<MultipartEvent, void> {
  const reader = new Dicer({ boundary });
  let isComplete = false;
  reader.on('finish', () => (isComplete = true));
  const parts: ArrivingPart[] = [];
  reader.on('part', (stream) => parts.push(new ArrivingPart(stream)));

  for await (const chunk of source) {
    reader.write(chunk);
    // The streams of the parts hand on what they got in later ticks, all of it before the next immediate.
    await setImmediate();
    for (const part of parts) yield* part.events();
    // Only the last one can go on.
    parts.splice(0, parts.length - 1);
  }
  if (!isComplete) throw new MultipartError('the body ends before its closing boundary');
}

/** One part, as far as it has arrived. */
class ArrivingPart {
  /** Each as one string of bytes (latin1), by name; null: not arrived yet. */
  #headers: Readonly<Record<string, readonly string[] | undefined>> | null = null;
  #isBegun = false;
  readonly #chunks: Buffer[] = [];
  #isEnded = false;
  #isOver = false;

  constructor(stream: Dicer.PartStream) {
    stream.on('header', (headers) => (this.#headers = headers as Record<string, string[]>));
    stream.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    stream.on('end', () => (this.#isEnded = true));
  }

  /** What is new. Throws `MultipartError`. */
  *events(): Generator<MultipartEvent, void> {
    if (!this.#isBegun && (this.#headers !== null || this.#isEnded)) {
      this.#isBegun = true;
      yield partOf(this.#headers?.['content-disposition']?.[0] ?? '');
    }
    for (const chunk of this.#chunks.splice(0)) yield { kind: 'data', chunk };
    if (!this.#isEnded || this.#isOver) return;
    this.#isOver = true;
    yield { kind: 'end' };
  }
}

function partOf(dispositionBytes: string): MultipartEvent {
  const disposition = decodeUtf8(Buffer.from(dispositionBytes, 'latin1'));
  const name = quotedParameter(disposition, 'name');
  if (name === null || !/^form-data\s*;/i.test(disposition)) {
    throw new MultipartError('a part lacks its Content-Disposition with a name');
  }
  return { kind: 'part', name, filename: quotedParameter(disposition, 'filename') };
}

/**
 * The value of `NAME="…"`, decoded as the WHATWG's HTML standard encodes it ("multipart form data", 4.10.21.8):
 * raw UTF-8 in which `"` is `%22`, CR `%0D` and LF `%0A`; a backslash is itself, and `filename*` does not exist.
 *
 * QUIRK: the encoding leaves `%` alone, so a name that really contains `%22` is read as one with a quote.
 */
function quotedParameter(disposition: string, name: string): string | null {
  const match = new RegExp(`;\\s*${name}="([^"]*)"`, 'i').exec(disposition);
  const value = match?.[1];
  if (value === undefined) return null;
  return value.replaceAll('%22', '"').replaceAll(/%0d/gi, '\r').replaceAll(/%0a/gi, '\n');
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new MultipartError('the headers of a part are not UTF-8', { cause: error });
  }
}
