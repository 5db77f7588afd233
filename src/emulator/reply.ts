import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** An answer that is not sent yet. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body:
    | { readonly kind: 'json'; readonly value: unknown }
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'stream'; readonly stream: Readable; readonly bytes: number };
}

export function jsonReply(status: number, value: unknown): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: { kind: 'json', value } };
}

export interface Drip {
  readonly chunkBytes: number;
  readonly everyMs: number;
}

/**
 * Sends the reply: cut to `keepBytes`, and drop by drop with `drip`. Throws when the connection ends first or
 * the signal, which tells of that, aborts.
 */
export async function sendReply(
  response: ServerResponse,
  reply: Reply,
  how: { readonly keepBytes: number; readonly drip: Drip | null; readonly signal: AbortSignal },
): Promise<void> {
  if (reply.body.kind === 'stream') {
    response.writeHead(reply.status, { ...reply.headers, 'content-length': reply.body.bytes });
    await pipeline(reply.body.stream, response);
    return;
  }
  const text = reply.body.kind === 'text' ? reply.body.text : `${JSON.stringify(reply.body.value)}\n`;
  const body = Buffer.from(text).subarray(0, how.keepBytes);
  response.writeHead(reply.status, { ...reply.headers, 'content-length': body.length });
  if (how.drip !== null) {
    const { chunkBytes, everyMs } = how.drip;
    for (let sent = 0; sent < body.length; sent += chunkBytes) {
      response.write(body.subarray(sent, sent + chunkBytes));
      await sleep(everyMs, undefined, { signal: how.signal });
    }
    response.end();
  } else response.end(body);
}
