import type { Dispatcher } from 'undici';
import { formatSeconds } from '../contract/quantities.ts';
import type { Fault } from '../contract/faults.ts';
import type { Clock } from '../contract/ports.ts';
import type { ApiAddress } from './base-url.ts';
import { badReply, classifyBreak, classifyReply, describeBreak } from './classify.ts';
import type { Progress, ReplyFacts, RequestContext } from './classify.ts';
import { Deadlines } from './deadlines.ts';
import { Exchange, ExchangeError } from './exchange.ts';
import type { Reply, RequestOptions } from './exchange.ts';
import type { RequestHeaders } from './request-headers.ts';
import { headerOf, parseHttpDateMs } from './retry-after.ts';
import type { ReplyHeaders } from './retry-after.ts';
import type { UploadForm } from './upload-form.ts';

/** What every request names. */
export interface ApiRequest {
  readonly action: RequestContext['action'];
  readonly method: RequestContext['method'];
  /** Below the base URL, e.g. `/files`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly remoteName?: string;
  /** More headers, names and values in turn. */
  readonly headers?: readonly string[];
}

export interface SendRequest extends ApiRequest {
  readonly maxReplyBytes: number;
  readonly form?: UploadForm;
}

/** A line slower than this is taken for a dead one. */
const SLOWEST_BYTES_PER_SECOND = 64 * 1024;

const OVER = new Error('the attempt is over');

class AttemptTimeout extends Error {
  readonly code = 'ATTEMPT_TIMEOUT';
}

export interface SenderOptions {
  readonly address: ApiAddress;
  /** The connections, opened when they are first asked for. */
  readonly connect: () => Promise<Dispatcher>;
  readonly headers: RequestHeaders;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Sends requests, ends those that take too long, and turns what fails into a `Fault`. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #deadlines: Deadlines;
  #serverClock: { readonly serverMs: number; readonly atMs: number } | null = null;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
  }

  /**
   * The server's clock, unix milliseconds; null before any reply. A `Date` header counts whole seconds, rounded
   * down, and is as old as its way here: the true time is up to about a second later.
   */
  serverNowMs(): number | null {
    if (this.#serverClock === null) return null;
    const { serverMs, atMs } = this.#serverClock;
    return serverMs + (this.#options.clock.monotonicMs() - atMs);
  }

  /**
   * One attempt. Resolves with a complete reply that is a success, or that `accept` takes for an answer. Throws
   * the signal's reason, the error of the form's source as it is, or a `Fault`.
   */
  async send(
    request: SendRequest,
    signal: AbortSignal,
    accept: (reply: ReplyFacts) => boolean = isSuccess,
  ): Promise<Reply> {
    signal.throwIfAborted();
    const { form } = request;
    const dispatcher = await this.#options.connect();
    signal.throwIfAborted();
    const ended = new AbortController();
    const exchange = new Exchange(
      this.requestOptions(request, form),
      form?.body(ended.signal) ?? null,
      form?.totalBytes ?? 0,
      request.maxReplyBytes,
    );
    const onAbort = (): void => exchange.stop(OVER);
    signal.addEventListener('abort', onAbort, { once: true });
    const endLimit = this.#limit(exchange, form);
    try {
      exchange.start(dispatcher);
      const reply = await exchange.reply;
      this.noteClock(reply.headers);
      if (accept(reply)) {
        if (reply.problem === null) return reply;
        throw badReply('its body cannot be read', reply, this.context(request, reply.progress));
      }
      throw this.refusal(reply, request, reply.progress);
    } catch (error) {
      signal.throwIfAborted();
      const failure = form?.failure() ?? null;
      if (failure !== null) throw failure.error;
      throw error instanceof ExchangeError ? this.#judge(error, request) : error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      endLimit();
      ended.abort(OVER);
    }
  }

  /** What undici is told about a request, but for its body. Throws `Fault` when the key cannot be sent. */
  requestOptions(request: ApiRequest, form?: UploadForm): RequestOptions {
    const { address, headers, timeoutMs } = this.#options;
    const formHeaders =
      form === undefined ? [] : ['content-type', form.contentType, 'content-length', String(form.totalBytes)];
    return {
      method: request.method,
      origin: address.origin,
      path: address.target(request.path, request.query),
      headers: headers.make([...formHeaders, ...(request.headers ?? [])]),
      // The longest silence: no byte taken from us, none received.
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    };
  }

  /** Nothing is sent any more; what still runs ends with its connection. */
  close(): void {
    this.#deadlines.close();
  }

  /** The fault that a reply stands for. */
  refusal(reply: ReplyFacts, request: ApiRequest, progress: Progress): Fault {
    return classifyReply(reply, this.context(request, progress), this.#options.clock.wallMs());
  }

  /** Starts a measure of `timeoutMs`: true once they are over. */
  patience(): () => boolean {
    const { clock, timeoutMs } = this.#options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    return () => clock.monotonicMs() >= untilMs;
  }

  context(request: ApiRequest, progress: Progress): RequestContext {
    const { action, method, path, remoteName = null } = request;
    const secrets = [...this.#options.headers.secrets(), ...this.#options.address.secrets];
    return { action, method, path, remoteName, progress, secrets };
  }

  /** Sets the server's clock by a reply. */
  noteClock(headers: ReplyHeaders): void {
    const serverMs = parseHttpDateMs(headerOf(headers, 'date') ?? '');
    if (serverMs !== null) this.#serverClock = { serverMs, atMs: this.#options.clock.monotonicMs() };
  }

  /**
   * Ends the exchange when the whole of it takes longer than `timeoutMs` and the time that its bytes need on the
   * slowest line. That is what ends a server that answers a byte a second, which no limit on silence would.
   * Returns what lifts the limit.
   */
  #limit(exchange: Exchange, form: UploadForm | undefined): () => void {
    const { timeoutMs, clock } = this.#options;
    const transferMs = ((form?.totalBytes ?? 0) / SLOWEST_BYTES_PER_SECOND) * 1000;
    const startedMs = clock.monotonicMs();
    const leftMs = (): number =>
      startedMs + timeoutMs + transferMs + (form?.throttledMs() ?? 0) - clock.monotonicMs();
    return this.#deadlines.watch(leftMs, () => {
      exchange.stop(new AttemptTimeout(`given up after ${formatSeconds(clock.monotonicMs() - startedMs)}`));
    });
  }

  #judge(error: ExchangeError, request: SendRequest): Fault {
    const { partial } = error;
    // A refusal is one from its status on; how the rest of it got lost is of no interest.
    if (partial !== null && !isSuccess(partial)) {
      this.noteClock(partial.headers);
      return this.refusal(partial, request, error.progress);
    }
    return classifyBreak(describeBreak(error.cause), this.context(request, error.progress), error.cause);
  }
}

export function isSuccess(reply: ReplyFacts): boolean {
  return reply.status >= 200 && reply.status < 300;
}
