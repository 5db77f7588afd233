/**
 * A streaming reader of `multipart/form-data`: parts of any size pass through in the chunks they arrive in, so
 * memory stays flat and whoever reads the events sets the pace.
 */

const HEADER_LIMIT_BYTES = 16 * 1024;
const EMPTY = Buffer.alloc(0);
const CRLF = Buffer.from('\r\n');
const HEADER_END = Buffer.from('\r\n\r\n');

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
  const scanner = new MultipartScanner(boundary);
  for await (const chunk of source) {
    scanner.feed(chunk);
    for (let event = scanner.next(); event !== null; event = scanner.next()) yield event;
  }
  if (!scanner.complete) throw new MultipartError('the body ends before its closing boundary');
}

type ScanState = 'preamble' | 'delimiter' | 'headers' | 'body' | 'epilogue';

class MultipartScanner {
  readonly #delimiter: Buffer;
  #state: ScanState = 'preamble';
  /** Bytes not judged yet. The first delimiter has no line break before it; lending it one makes it like the others. */
  #pending: Buffer = CRLF;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`);
  }

  get complete(): boolean {
    return this.#state === 'epilogue';
  }

  feed(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
  }

  /** The next event, or null when more bytes are needed. */
  next(): MultipartEvent | null {
    for (;;) {
      const before = this.#state;
      const event = this.#step();
      if (event !== null || this.#state === before) return event;
    }
  }

  /** One step: an event, or a change of state, or neither when more bytes are needed. */
  #step(): MultipartEvent | null {
    switch (this.#state) {
      case 'preamble':
        this.#takeData('delimiter');
        return null;
      case 'delimiter':
        return this.#stepDelimiter();
      case 'headers':
        return this.#stepHeaders();
      case 'body':
        return this.#stepBody();
      default:
        this.#pending = EMPTY;
        return null;
    }
  }

  #stepDelimiter(): null {
    if (this.#pending.length < 2) return null;
    const follows = this.#pending.toString('latin1', 0, 2);
    if (follows === '--') this.#state = 'epilogue';
    // The line break stays: in a part without headers it is half of the empty line that ends them.
    else if (follows === '\r\n') this.#state = 'headers';
    else throw new MultipartError('a boundary is followed by neither a line break nor "--"');
    return null;
  }

  #stepHeaders(): MultipartEvent | null {
    const end = this.#pending.indexOf(HEADER_END);
    if ((end === -1 ? this.#pending.length : end) > HEADER_LIMIT_BYTES) {
      throw new MultipartError(`the headers of a part exceed ${HEADER_LIMIT_BYTES} bytes`);
    }
    if (end === -1) return null;
    const part = parsePartHeaders(this.#pending.subarray(0, end));
    this.#pending = this.#pending.subarray(end + HEADER_END.length);
    this.#state = 'body';
    return part;
  }

  #stepBody(): MultipartEvent | null {
    if (this.#pending.subarray(0, this.#delimiter.length).equals(this.#delimiter)) {
      this.#takeData('delimiter');
      return { kind: 'end' };
    }
    const chunk = this.#takeData(null);
    return chunk.length === 0 ? null : { kind: 'data', chunk };
  }

  /**
   * Takes what surely precedes the next delimiter. With `enter`, a delimiter that was found is taken as well and
   * that state entered.
   */
  #takeData(enter: ScanState | null): Buffer {
    const found = this.#pending.indexOf(this.#delimiter);
    const end = found === -1 ? seamStart(this.#pending, this.#delimiter) : found;
    const data = this.#pending.subarray(0, end);
    const skip = found !== -1 && enter !== null ? this.#delimiter.length : 0;
    this.#pending = this.#pending.subarray(end + skip);
    if (found !== -1 && enter !== null) this.#state = enter;
    return data;
  }
}

/** Where a delimiter may begin whose rest has not arrived yet; the length when none can. */
function seamStart(bytes: Buffer, delimiter: Buffer): number {
  const from = Math.max(0, bytes.length - delimiter.length + 1);
  const at = bytes.indexOf(delimiter.subarray(0, 1), from);
  return at === -1 ? bytes.length : at;
}

function parsePartHeaders(bytes: Buffer): MultipartEvent {
  const disposition = decodeUtf8(bytes)
    .split('\r\n')
    .find((line) => /^content-disposition\s*:/i.test(line));
  const name = disposition === undefined ? null : quotedParameter(disposition, 'name');
  if (disposition === undefined || name === null || !/:\s*form-data\s*;/i.test(disposition)) {
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
