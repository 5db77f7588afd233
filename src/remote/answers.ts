/** How answers are taken: what counts as one, and what becomes of one that cannot be read. */
import { badReply, isAbsence } from './classify.ts';
import type { ReplyFacts, RequestContext } from './classify.ts';
import type { Reading } from './reply-fields.ts';
import { isSuccess } from './sender.ts';
import type { Sender, SendRequest } from './sender.ts';

/** One object, or an error, is under 1 kB; a proxy's error page may be more. */
export const MAX_OBJECT_BYTES = 1024 * 1024;

/** A success, or the API's word that there is no such thing. */
export function isAnswer(reply: ReplyFacts): boolean {
  return isSuccess(reply) || isAbsence(reply);
}

export function readOrRaise<T>(
  reading: Reading<T>,
  what: string,
  reply: ReplyFacts,
  context: RequestContext,
): T {
  if ('value' in reading) return reading.value;
  throw badReply(`${what} (${reading.problem})`, reply, context);
}

/** Asks for, or about, one object; null when the API has none such. `what`: e.g. `with no file object`. */
export async function askForObject<T>(
  sender: Sender,
  request: Omit<SendRequest, 'maxReplyBytes'>,
  read: (text: string) => Reading<T>,
  what: string,
  signal: AbortSignal,
): Promise<T | null> {
  const reply = await sender.send({ ...request, maxReplyBytes: MAX_OBJECT_BYTES }, signal, isAnswer);
  if (!isSuccess(reply)) return null;
  return readOrRaise(read(reply.body), what, reply, sender.context(request, reply.progress));
}
