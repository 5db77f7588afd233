import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A line to a server on this machine that a test can cut and mend. */
export class FlakyLine {
  /** Connections that were tried while the line was cut. */
  refused = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #targetPort: number | null = null;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#carry(socket));
  }

  /** A line that is cut. */
  static async open(): Promise<FlakyLine> {
    const server = createServer();
    const line = new FlakyLine(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return line;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Mends it: connections from now on go to this port. */
  connectTo(targetPort: number): void {
    this.#targetPort = targetPort;
  }

  /** Breaks every connection, and refuses new ones. */
  cut(): void {
    this.#targetPort = null;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #carry(socket: Socket): void {
    // A connection that breaks is what this is for.
    socket.on('error', () => {});
    if (this.#targetPort === null) {
      this.refused += 1;
      socket.resetAndDestroy();
      return;
    }
    const onward = connect(this.#targetPort, '127.0.0.1');
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
    onward.on('close', () => socket.destroy());
    for (const end of [socket, onward]) {
      this.#sockets.add(end);
      end.on('close', () => this.#sockets.delete(end));
    }
    socket.pipe(onward).pipe(socket);
  }
}
