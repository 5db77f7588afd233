/**
 * The body of `POST /files`, written by hand: the length must be known before the first byte goes, and no
 * library streams a form of known length without first reading the file.
 */
import { randomUUID } from 'node:crypto';
import { type Fault, retryFault } from '../contract/faults.ts';
import type { Throttle } from './throttle.ts';

export interface FormFields {
  readonly purpose: string;
  readonly remoteName: string;
  readonly sizeBytes: number;
  readonly expiresAfterSeconds: number | null;
  /** Default: nothing more, and expiry as OpenAI wants it. */
  readonly server?: ServerFields;
}

/** More fields of the form, by their names. */
export type UploadFields = Readonly<Record<string, string>>;

/** How a server is asked to expire a file. */
export interface ExpiryField {
  readonly field: string;
  /** `anchored`: `FIELD[anchor]` and `FIELD[seconds]`; `seconds`: the number alone; `none`: it cannot be asked. */
  readonly form: 'anchored' | 'seconds' | 'none';
}

export const openAiExpiry: ExpiryField = { field: 'expires_after', form: 'anchored' };

/** What one server wants in every form, besides what is the same everywhere. */
export interface ServerFields {
  readonly more: UploadFields;
  readonly expiry: ExpiryField;
}

const noMoreFields: ServerFields = { more: {}, expiry: openAiExpiry };

/** A form without the file's bytes, which belong between `head` and `tail`. */
export interface FormFrame {
  readonly contentType: string;
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly sizeBytes: number;
  readonly totalBytes: number;
}

/**
 * The file name as browsers and the official SDKs write it (WHATWG multipart/form-data): raw UTF-8, and only
 * the three characters escaped that could end the parameter or the header. `%` itself stays as it is.
 */
export function escapeFilename(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/**
 * Fields first, the file last: a server that reads as it goes then knows what to do with it. The file's type is
 * always `application/octet-stream`, as with the official SDK for Node; the API goes by the name's extension.
 */
export function formFrame(fields: FormFields, boundary = `files-mirror-${randomUUID()}`): FormFrame {
  const { more, expiry } = fields.server ?? noMoreFields;
  const named = [
    ['purpose', fields.purpose],
    ...Object.entries(more),
    ...expiryFields(fields.expiresAfterSeconds, expiry),
  ] as const;
  const parts = named.map(([name, value]) => field(boundary, name, value));
  parts.push(
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${escapeFilename(fields.remoteName)}"\r\n`,
    'Content-Type: application/octet-stream\r\n\r\n',
  );
  const head = Buffer.from(parts.join(''));
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    head,
    tail,
    sizeBytes: fields.sizeBytes,
    totalBytes: head.length + fields.sizeBytes + tail.length,
  };
}

/**
 * The whole form in one buffer, for small files: everything is read, and found unchanged, before the first byte
 * is sent. Throws the source's error as it is, `Fault` `moved` when its size is another, or the signal's reason.
 */
export async function gatherForm(
  frame: FormFrame,
  open: () => AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Buffer> {
  const form = Buffer.allocUnsafe(frame.totalBytes);
  const start = frame.head.copy(form);
  let read = 0;
  for await (const chunk of open()) {
    signal.throwIfAborted();
    if (read + chunk.byteLength > frame.sizeBytes) throw otherSize(frame.sizeBytes, read + chunk.byteLength);
    form.set(chunk, start + read);
    read += chunk.byteLength;
  }
  if (read < frame.sizeBytes) throw otherSize(frame.sizeBytes, read);
  frame.tail.copy(form, start + read);
  return form;
}

/**
 * From this size on a chunk goes out uncopied. undici asks for the next chunk when the socket's buffer has room,
 * or, once the buffer has reached its high-water mark, when all of it was written. The mark is 64 KiB for TCP and
 * less for TLS, so a chunk this large is always written before the next is asked for.
 */
const WRITE_THROUGH_BYTES = 64 * 1024;

export interface StreamOptions {
  readonly throttle: Throttle | null;
  /** Aborts when the attempt is over: nothing more is read then. */
  readonly ended: AbortSignal;
  /** Told what ended the body before the attempt was over, so that it can be told from the connection's errors. */
  readonly onFailure: (error: unknown) => void;
}

/** The form in pieces, never more than one chunk in memory. Throws as `gatherForm` does. */
export async function* streamForm(
  frame: FormFrame,
  open: () => AsyncIterable<Uint8Array>,
  options: StreamOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield frame.head;
    yield* pacedFile(frame.sizeBytes, open, options);
    // INVARIANT: the tail goes only after the source ended well and had the announced size. Without it the body
    // is shorter than its Content-Length, and the server stores nothing.
    yield frame.tail;
  } catch (error) {
    if (!options.ended.aborted) options.onFailure(error);
    throw error;
  }
}

async function* pacedFile(
  sizeBytes: number,
  open: () => AsyncIterable<Uint8Array>,
  { throttle, ended }: StreamOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const sliceBytes = throttle?.sliceBytes ?? Number.POSITIVE_INFINITY;
  let read = 0;
  for await (const chunk of open()) {
    read += chunk.byteLength;
    if (read > sizeBytes) throw otherSize(sizeBytes, read);
    for (let at = 0; at < chunk.byteLength; at += sliceBytes) {
      const slice = chunk.subarray(at, Math.min(at + sliceBytes, chunk.byteLength));
      if (throttle !== null) await throttle.take(slice.byteLength, ended);
      ended.throwIfAborted();
      // RACE: the socket may hold a small chunk while the source already refills its buffer.
      yield slice.byteLength >= WRITE_THROUGH_BYTES ? slice : Buffer.from(slice);
      ended.throwIfAborted();
    }
  }
  if (read < sizeBytes) throw otherSize(sizeBytes, read);
}

function expiryFields(
  seconds: number | null,
  { field: name, form }: ExpiryField,
): readonly (readonly [string, string])[] {
  if (seconds === null || form === 'none') return [];
  const value = String(seconds);
  if (form === 'seconds') return [[name, value]];
  return [
    [`${name}[anchor]`, 'created_at'],
    [`${name}[seconds]`, value],
  ];
}

function field(boundary: string, name: string, value: string): string {
  return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

function otherSize(announcedBytes: number, readBytes: number): Fault {
  const found = readBytes > announcedBytes ? 'more' : `only ${readBytes}`;
  return retryFault(
    'moved',
    `the file changed while it was sent: ${announcedBytes} bytes were announced, ${found} came`,
  );
}
