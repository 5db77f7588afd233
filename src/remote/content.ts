import type { Dispatcher } from 'undici';
import { badReply, classifyBreak, describeBreak } from './classify.ts';
import { codingsOf, decodedStream, readReplyText } from './reply-text.ts';
import { headerOf } from './retry-after.ts';
import type { ReplyHeaders } from './retry-after.ts';
import type { ApiRequest, Sender } from './sender.ts';

export interface Content {
  /** From `Content-Length`; null when the server does not say, or sends the content in a coding. */
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
  if (statusCode >= 300) {
    const { text, problem } = readReplyText(await beginningOf(body, isLate), headers, MAX_ERROR_BYTES);
    throw sender.refusal({ status: statusCode, headers, body: text, problem }, request, 'sent');
  }
  const codings = codingsOf(headers).filter((coding) => coding !== 'identity');
  if (codings.length === 0) return { sizeBytes: lengthOf(headers), chunks: translated(body, translate) };
  const decoded = decodedStream(body, codings);
  if (decoded !== null) return { sizeBytes: null, chunks: translated(decoded, translate) };
  // What is not read any more ends with an error that concerns nobody.
  body.on('error', () => {}).destroy();
  const problem = `content-encoding "${codings.join(', ')}" is not known here`;
  const reply = { status: statusCode, headers, body: '', problem };
  throw badReply('its content cannot be read', reply, sender.context(request, 'sent'));
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
async function beginningOf(body: AsyncIterable<Buffer>, isLate: () => boolean): Promise<Buffer> {
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
  return Buffer.concat(chunks);
}

function lengthOf(headers: ReplyHeaders): number | null {
  const text = headerOf(headers, 'content-length');
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}
