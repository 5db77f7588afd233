import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

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

/** Sends the reply. Throws when the connection ends before a stream does. */
export async function sendReply(response: ServerResponse, reply: Reply): Promise<void> {
  if (reply.body.kind === 'stream') {
    response.writeHead(reply.status, { ...reply.headers, 'content-length': reply.body.bytes });
    await pipeline(reply.body.stream, response);
    return;
  }
  const body = Buffer.from(textOf(reply.body));
  response.writeHead(reply.status, { ...reply.headers, 'content-length': body.length });
  response.end(body);
}

export function textOf(body: Exclude<Reply['body'], { kind: 'stream' }>): string {
  return body.kind === 'text' ? body.text : `${JSON.stringify(body.value)}\n`;
}
