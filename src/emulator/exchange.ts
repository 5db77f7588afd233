import type { IncomingMessage, ServerResponse } from 'node:http';

import { ApiError, internalError } from './api-error.ts';
import { Interruption, type Meddle, type Meddling, type Stage } from './meddling.ts';
import { MultipartError } from './multipart.ts';
import type { Reply } from './reply.ts';
import { sendReply } from './reply.ts';
import type { OpenRequest } from './logged-request.ts';

const connectionEnded = new Error('the connection ended');

/** One request and its reply, with what befalls it on the way. */
export class Exchange {
  readonly entry: OpenRequest;
  readonly meddling: Meddling;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #gone = new AbortController();

  constructor(request: IncomingMessage, response: ServerResponse, entry: OpenRequest, meddle: Meddle) {
    this.#request = request;
    this.#response = response;
    this.entry = entry;
    response.once('close', () => {
      entry.aborted = !response.writableFinished;
      // A reason made in advance: the default one captures a stack, at every request.
      this.#gone.abort(connectionEnded);
    });
    const reset = (): void => void request.socket.resetAndDestroy();
    this.meddling = meddle(entry, { ended: this.#gone.signal, reset });
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** Runs `handle`, and sends what comes of it. Never throws for what a request can do. */
  async run(handle: () => Promise<Reply>, onInternalError: (error: unknown) => void): Promise<void> {
    const reply = await this.#settle(handle, onInternalError);
    if (reply === null) return;
    this.entry.status = reply.status;
    try {
      await sendReply(this.#response, reply);
    } catch (error) {
      if (!this.#gone.signal.aborted) onInternalError(error);
      this.#response.destroy();
    }
    // A body that was not read, or not to its end, stands in the way of the connection's next request.
    this.#request.resume();
  }

  /** To be called when the upload's file is known. */
  async nameUpload(filename: string, purpose: string | null): Promise<void> {
    this.entry.filename = filename;
    this.entry.purpose = purpose;
    await this.meddling.named();
  }

  /** The body as it arrives, which ends in an error when the client breaks off. */
  async *body(): AsyncGenerator<Buffer, void> {
    const announcedBytes = Number(this.header('content-length') ?? 0);
    let bytes = 0;
    for await (const chunk of this.#request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      this.meddling.received(bytes, announcedBytes);
      yield chunk;
    }
  }

  async passStage(stage: Stage): Promise<void> {
    await this.meddling.pass(stage);
  }

  async #settle(
    handle: () => Promise<Reply>,
    onInternalError: (error: unknown) => void,
  ): Promise<Reply | null> {
    try {
      await this.passStage('arrival');
      const reply = await handle();
      await this.passStage('handled');
      return this.meddling.reply(reply);
    } catch (error) {
      if (error instanceof Interruption) return error.reply;
      const brokenOff = this.#request.destroyed && !this.#request.complete;
      if (this.#gone.signal.aborted || brokenOff) return null;
      if (error instanceof ApiError) return errorReply(error);
      if (error instanceof MultipartError) return errorReply(new ApiError(400, error.message));
      onInternalError(error);
      return errorReply(internalError());
    }
  }
}

function errorReply(error: ApiError): Reply {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', ...error.headers },
    body: { kind: 'text', text: error.body() },
  };
}
