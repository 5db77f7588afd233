import { pipeline } from 'node:stream';
import type { Readable, Transform } from 'node:stream';
import {
  brotliDecompressSync,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';
import { headerOf } from './retry-after.ts';
import type { ReplyHeaders } from './retry-after.ts';

/** The text of a reply, or why it has none: then `problem` names the header that stands in the way. */
export interface ReplyText {
  readonly text: string;
  readonly problem: string | null;
}

type Decoder = (bytes: Buffer, maxOutputLength: number) => Buffer;

/** What broke off is read as far as it goes: the beginning of an error still says something. */
const zlibOptions = { finishFlush: constants.Z_SYNC_FLUSH } as const;
const brotliOptions = { finishFlush: constants.BROTLI_OPERATION_FLUSH } as const;

/** By the names that `Content-Encoding` gives them. A coding may come although none was asked for. */
const DECODERS: Readonly<Record<string, Decoder>> = {
  identity: (bytes) => bytes,
  gzip: (bytes, maxOutputLength) => gunzipSync(bytes, { ...zlibOptions, maxOutputLength }),
  'x-gzip': (bytes, maxOutputLength) => gunzipSync(bytes, { ...zlibOptions, maxOutputLength }),
  // QUIRK: some servers call the bare stream "deflate", others the one in a zlib frame.
  deflate: (bytes, maxOutputLength) =>
    ((bytes[0] ?? 0) & 0x0f) === 8
      ? inflateSync(bytes, { ...zlibOptions, maxOutputLength })
      : inflateRawSync(bytes, { ...zlibOptions, maxOutputLength }),
  br: (bytes, maxOutputLength) => brotliDecompressSync(bytes, { ...brotliOptions, maxOutputLength }),
  zstd: (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
};

/** Undoes the codings of a body, which are at most `maxBytes` long when undone, and reads it in its charset. */
export function readReplyText(bytes: Buffer, headers: ReplyHeaders, maxBytes: number): ReplyText {
  let plain = bytes;
  const codings = codingsOf(headers);
  // A body of nothing is nothing in every coding, and a proxy may have removed one without saying so.
  for (const coding of bytes.length === 0 || isOpenJson(bytes) ? [] : codings.toReversed()) {
    const decode = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
    if (decode === undefined) return { text: '', problem: `content-encoding "${coding}" is not known here` };
    try {
      plain = decode(plain, maxBytes);
    } catch (error) {
      return { text: '', problem: `content-encoding "${coding}" does not hold (${reasonOf(error)})` };
    }
  }
  return inCharset(plain, headers);
}

const STREAM_DECODERS: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
]);

/** A body with its codings undone as it comes; null when one of them is not known. */
export function decodedStream(body: Readable, codings: readonly string[]): Readable | null {
  if (!codings.every((coding) => STREAM_DECODERS.has(coding))) return null;
  let stream = body;
  for (const coding of codings.toReversed()) {
    const decoder = STREAM_DECODERS.get(coding)?.();
    // The reader sees an error on the last stream; the callback is only there so that none is thrown elsewhere.
    if (decoder !== undefined) stream = pipeline(stream, decoder, () => {});
  }
  return stream;
}

/** The codings in the order in which they were applied. */
export function codingsOf(headers: ReplyHeaders): readonly string[] {
  const value = headers['content-encoding'] ?? '';
  return (typeof value === 'string' ? value : value.join(','))
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '');
}

/** What begins and goes on like a JSON object is not coded, whatever the header says. */
function isOpenJson(bytes: Buffer): boolean {
  return /^\s*\{\s*["}]/.test(bytes.toString('latin1', 0, 64));
}

/** UTF-8 unless a mark at the beginning or the header says otherwise; the mark is no part of the text. */
function inCharset(bytes: Buffer, headers: ReplyHeaders): ReplyText {
  const contentType = headerOf(headers, 'content-type') ?? '';
  const named = /;\s*charset\s*=\s*"?([^\s";]+)"?/i.exec(contentType)?.[1] ?? 'utf-8';
  const charset = markedCharset(bytes) ?? named;
  try {
    return { text: new TextDecoder(charset).decode(bytes), problem: null };
  } catch {
    // JSON is UTF-8 whatever is said about it.
    return { text: new TextDecoder().decode(bytes), problem: null };
  }
}

function markedCharset(bytes: Buffer): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 'utf-8' : null;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}
