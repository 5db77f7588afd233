import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Progress } from './classify.ts';
import { readReplyText } from './reply-text.ts';
import type { ReplyHeaders } from './retry-after.ts';

/** A request without its body, as undici takes it. */
export interface RequestOptions {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
}

export interface Reply {
  readonly status: number;
  readonly headers: ReplyHeaders;
  /** As text, its codings undone. */
  readonly body: string;
  /** Why the body cannot be read, naming the header; null: it can. */
  readonly problem: string | null;
  readonly progress: Progress;
}

/** An exchange that ended without a complete reply. `cause` is the error of the connection, the body or the limit. */
export class ExchangeError extends Error {
  readonly progress: Progress;
  /** Status, headers and what had arrived of the body, if the reply had begun. */
  readonly partial: Reply | null;

  constructor(cause: unknown, progress: Progress, partial: Reply | null) {
    super('the exchange broke off', { cause });
    this.name = 'ExchangeError';
    this.progress = progress;
    this.partial = partial;
  }
}

/** The reply outgrew `maxReplyBytes`. */
class ReplyTooLarge extends Error {
  readonly code = 'UND_ERR_RES_EXCEEDED_MAX_SIZE';
}

/**
 * One request and its reply, directly on undici's dispatch: no streams, no second attempt. It settles once, at
 * the first of: complete reply, error, `stop`.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  /** Rejects with `ExchangeError`. */
  readonly reply: Promise<Reply>;
  readonly #options: RequestOptions;
  readonly #body: Buffer | AsyncIterable<Uint8Array> | null;
  readonly #bodyBytes: number;
  readonly #maxReplyBytes: number;
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: ExchangeError) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #stopped: Error | null = null;
  #requestSent = false;
  #bodySentBytes = 0;
  #status = 0;
  #headers: ReplyHeaders = {};
  #chunks: Buffer[] = [];
  #receivedBytes = 0;

  /** `bodyBytes`: how long the body will be. `maxReplyBytes`: a longer reply is broken off. */
  constructor(
    options: RequestOptions,
    body: Buffer | AsyncIterable<Uint8Array> | null,
    bodyBytes: number,
    maxReplyBytes: number,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.reply = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#options = options;
    this.#body = body;
    this.#bodyBytes = bodyBytes;
    this.#maxReplyBytes = maxReplyBytes;
  }

  start(dispatcher: Dispatcher): void {
    // QUIRK: undici takes any async iterable as a body; its types do not say so.
    const body = this.#body as Buffer | Readable | null;
    dispatcher.dispatch({ ...this.#options, body }, this);
  }

  /** Gives up: destroys the connection if the request is on it, or keeps it from being sent at all. */
  stop(reason: Error): void {
    this.#fail(reason);
    this.#stopped ??= reason;
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#stopped !== null) controller.abort(this.#stopped);
  }

  /** INVARIANT: called in the same turn in which the chunk is written, so the count is never behind the socket. */
  onBodySent(chunk: Uint8Array): void {
    this.#bodySentBytes += chunk.byteLength;
  }

  onRequestSent(): void {
    this.#requestSent = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#receivedBytes += chunk.byteLength;
    if (this.#receivedBytes > this.#maxReplyBytes) {
      this.stop(new ReplyTooLarge(`the reply is larger than ${this.#maxReplyBytes} bytes`));
      return;
    }
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#resolve(this.#received());
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#fail(error);
  }

  #fail(cause: unknown): void {
    this.#reject(new ExchangeError(cause, this.#progress(), this.#status === 0 ? null : this.#received()));
  }

  #received(): Reply {
    const [first, ...others] = this.#chunks;
    const bytes = first !== undefined && others.length === 0 ? first : Buffer.concat(this.#chunks);
    const { text, problem } = readReplyText(bytes, this.#headers, this.#maxReplyBytes);
    return {
      status: this.#status,
      headers: this.#headers,
      body: text,
      problem,
      progress: this.#progress(),
    };
  }

  #progress(): Progress {
    if (this.#controller === null) return 'connecting';
    const sent = this.#body === null ? this.#requestSent : this.#bodySentBytes >= this.#bodyBytes;
    return sent ? 'sent' : 'sending';
  }
}
