/** A line to a server that counts what goes over it, and can lose replies on their way back. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export class LosingLine {
  posts = 0;
  deletes = 0;
  #toLose = 0;
  readonly #server: Server;
  readonly #target: URL;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => this.#carry(incoming, outgoing));
  }

  /** `target`: the server's base URL; the line has the same path and query. */
  static async open(target: URL): Promise<LosingLine> {
    const line = new LosingLine(target);
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    return line;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** The next so many uploads are stored, and their replies never arrive. */
  loseReplies(count: number): void {
    this.#toLose = count;
  }

  /** Replies that are still to be lost. */
  get toLose(): number {
    return this.#toLose;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #carry(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = incoming;
    if (method === 'POST') this.posts += 1;
    if (method === 'DELETE') this.deletes += 1;
    const { hostname, port, host } = this.#target;
    const onward = request({ hostname, port, method, path: url, headers: { ...headers, host } });
    onward.on('error', () => outgoing.destroy());
    onward.on('response', (reply) => {
      if (method === 'POST' && this.#toLose > 0) {
        this.#toLose -= 1;
        reply.resume().on('end', () => incoming.socket.resetAndDestroy());
        return;
      }
      outgoing.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
      reply.pipe(outgoing);
    });
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  }
}
