import type { Clock, UploadRequest } from '../contract/ports.ts';
import { formFrame, gatherForm, streamForm } from './multipart.ts';
import type { FormFrame, ServerFields } from './multipart.ts';
import type { Throttle } from './throttle.ts';

/** The body of one attempt. */
export interface UploadForm {
  readonly contentType: string;
  readonly totalBytes: number;
  /** `ended` aborts when the attempt is over. */
  body(ended: AbortSignal): Buffer | AsyncIterable<Uint8Array>;
  /** What ended the body before its time: the source's own error, or its wrong size. */
  failure(): { readonly error: unknown } | null;
  /** How long the bandwidth limit has kept the body waiting so far, milliseconds. */
  throttledMs(): number;
}

/** What every form of one client is made with. */
export interface FormParts {
  /** Null: no bandwidth limit. */
  readonly throttle: Throttle | null;
  readonly clock: Clock;
  readonly fields: ServerFields;
}

/** A body of JSON, sent in one write. */
export function jsonForm(value: unknown): UploadForm {
  return wholeForm('application/json', Buffer.from(JSON.stringify(value)));
}

function wholeForm(contentType: string, form: Buffer): UploadForm {
  const totalBytes = form.byteLength;
  return { contentType, totalBytes, body: () => form, failure: () => null, throttledMs: () => 0 };
}

/** Up to this size a form is read into memory and sent in one write. */
const SMALL_FORM_BYTES = 256 * 1024;

/**
 * Prepares the body of an upload. A small file is read here, and its turn under the bandwidth limit waited for;
 * a large one is opened when the connection asks for it. Throws what the file's reader throws, or the signal's
 * reason.
 */
export async function prepareForm(
  request: UploadRequest,
  { throttle, clock, fields }: FormParts,
  signal: AbortSignal,
): Promise<UploadForm> {
  const frame = formFrame({ ...request, server: fields });
  if (frame.totalBytes > SMALL_FORM_BYTES) return largeForm(frame, request.body, throttle, clock);
  const form = await gatherForm(frame, request.body, signal);
  await throttle?.take(form.byteLength, signal);
  return wholeForm(frame.contentType, form);
}

function largeForm(
  frame: FormFrame,
  open: () => AsyncIterable<Uint8Array>,
  throttle: Throttle | null,
  clock: Clock,
): UploadForm {
  let failure: { readonly error: unknown } | null = null;
  let throttledMs = 0;
  const timed: Throttle | null = throttle && {
    sliceBytes: throttle.sliceBytes,
    async take(bytes, signal) {
      const startMs = clock.monotonicMs();
      await throttle.take(bytes, signal);
      throttledMs += clock.monotonicMs() - startMs;
    },
  };
  const onFailure = (error: unknown): void => {
    failure = { error };
  };
  return {
    contentType: frame.contentType,
    totalBytes: frame.totalBytes,
    body: (ended) => streamForm(frame, open, { throttle: timed, ended, onFailure }),
    failure: () => failure,
    throttledMs: () => throttledMs,
  };
}
