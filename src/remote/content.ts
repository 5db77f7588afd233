import type { Dispatcher } from 'undici';
import { classifyBreak, describeBreak } from './classify.ts';
import { headerOf } from './retry-after.ts';
import type { ReplyHeaders } from './retry-after.ts';
import type { ApiRequest, Sender } from './sender.ts';

export interface Content {
  /** From `Content-Length`; null when the server does not say. */
  readonly sizeBytes: number | null;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** More than this of an error page is of no use to anyone. */
const MAX_ERROR_BYTES = 16 * 1024;

/**
 * Opens a download. It has no limit on its whole duration, because its reader may be slow on purpose; only
 * silence ends it, and the signal. Throws `Fault`, or the signal's reason.
 */
export async function openContent(
  dispatcher: Dispatcher,
  sender: Sender,
  request: ApiRequest,
  signal: AbortSignal,
): Promise<Content> {
  signal.throwIfAborted();
  const translate = (error: unknown): unknown =>
    signal.aborted
      ? signal.reason
      : classifyBreak(describeBreak(error), sender.context(request, 'sent'), error);
  const isLate = sender.patience();
  const { statusCode, headers, body } = await dispatcher
    .request({ ...sender.requestOptions(request), signal })
    .catch((error: unknown) => {
      throw translate(error);
    });
  sender.noteClock(headers);
  if (statusCode < 300) return { sizeBytes: lengthOf(headers), chunks: translated(body, translate) };
  throw sender.refusal(
    { status: statusCode, headers, body: await beginningOf(body, isLate) },
    request,
    'sent',
  );
}

async function* translated(
  body: AsyncIterable<Uint8Array>,
  translate: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw translate(error);
  }
}

/** What came of an error page until it broke, grew too long or took too long. */
async function beginningOf(body: AsyncIterable<Buffer>, isLate: () => boolean): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes >= MAX_ERROR_BYTES || isLate()) break;
    }
  } catch {
    // The status is known; how the rest of the page got lost is of no interest.
  }
  return Buffer.concat(chunks).toString('utf8');
}

function lengthOf(headers: ReplyHeaders): number | null {
  const text = headerOf(headers, 'content-length');
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}
