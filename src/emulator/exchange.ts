import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { ApiError, internalError } from './api-error.ts';
import type { ArmedAct, FaultAct, FaultInjector, FaultStage } from './fault-injection.ts';
import { MultipartError } from './multipart.ts';
import type { Reply } from './reply.ts';
import { jsonReply, sendReply } from './reply.ts';
import type { OpenRequest } from './request-log.ts';

/** Thrown by an injected fault to leave the normal course: with this reply, or (null) with none. */
class Interruption extends Error {
  readonly reply: Reply | null;

  constructor(reply: Reply | null) {
    super('interrupted by an injected fault');
    this.reply = reply;
  }
}

const connectionEnded = new Error('the connection ended');

/** One request and its reply, with the faults that befall it on the way. */
export class Exchange {
  readonly entry: OpenRequest;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #injector: FaultInjector;
  readonly #acts: ArmedAct[] = [];
  readonly #gone = new AbortController();

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    entry: OpenRequest,
    injector: FaultInjector,
  ) {
    this.#request = request;
    this.#response = response;
    this.#injector = injector;
    this.entry = entry;
    response.once('close', () => {
      entry.aborted = !response.writableFinished;
      // A reason made in advance: the default one captures a stack, at every request.
      this.#gone.abort(connectionEnded);
    });
  }

  /** Every fault that struck so far. */
  get acts(): readonly ArmedAct[] {
    return this.#acts;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** Runs `handle` between the faults, and sends what comes of it. Never throws for what a request can do. */
  async run(handle: () => Promise<Reply>, onInternalError: (error: unknown) => void): Promise<void> {
    const reply = await this.#settle(handle, onInternalError);
    if (reply === null) return;
    this.entry.status = reply.status;
    try {
      await sendReply(this.#response, reply, {
        keepBytes: this.#act('truncate')?.keepBytes ?? Infinity,
        drip: this.#act('drip') ?? null,
        signal: this.#gone.signal,
      });
    } catch (error) {
      if (!this.#gone.signal.aborted) onInternalError(error);
      this.#response.destroy();
    }
    // A body that was not read, or not to its end, stands in the way of the connection's next request.
    this.#request.resume();
  }

  /** To be called when the upload's file is known: faults that go by its name may strike now. */
  async nameUpload(filename: string, purpose: string | null): Promise<void> {
    this.entry.filename = filename;
    this.entry.purpose = purpose;
    const struck = this.#strike('named');
    await this.#passStage('arrival', struck);
  }

  /** The body as it arrives, which ends in an error when the client breaks off. */
  async *body(): AsyncGenerator<Buffer, void> {
    const announcedBytes = Number(this.header('content-length') ?? 0);
    let bytes = 0;
    for await (const chunk of this.#request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (this.#acts.some((act) => isReached(act, bytes, announcedBytes))) this.#reset();
      yield chunk;
    }
  }

  async passStage(stage: FaultStage): Promise<void> {
    await this.#passStage(stage, this.#acts);
  }

  async #settle(
    handle: () => Promise<Reply>,
    onInternalError: (error: unknown) => void,
  ): Promise<Reply | null> {
    try {
      this.#strike('arrived');
      await this.passStage('arrival');
      const reply = await handle();
      await this.passStage('handled');
      return this.#rewritten(reply);
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

  #strike(when: 'arrived' | 'named'): readonly ArmedAct[] {
    const struck = this.#injector.strike(this.entry, when);
    for (const act of struck) {
      this.#acts.push(act);
      this.entry.faults.push(act.kind);
    }
    return struck;
  }

  async #passStage(stage: FaultStage, acts: readonly ArmedAct[]): Promise<void> {
    for (const act of acts) {
      if (stageOf(act) !== stage) continue;
      if (act.kind === 'respond') throw new Interruption(injectedReply(act));
      if (act.kind === 'reset') this.#reset();
      if (act.kind === 'hang') await this.#hang();
      if (act.kind === 'delay') await sleep(act.ms, undefined, { signal: this.#gone.signal });
    }
  }

  #reset(): never {
    this.#request.socket.resetAndDestroy();
    throw new Interruption(null);
  }

  async #hang(): Promise<never> {
    if (!this.#gone.signal.aborted) await once(this.#gone.signal, 'abort');
    throw new Interruption(null);
  }

  #rewritten(reply: Reply): Reply {
    const { body } = reply;
    if (body.kind !== 'json') return reply;
    let value = body.value;
    for (const act of this.#acts) {
      if (act.kind === 'rewrite') value = act.patch(value as Record<string, unknown>);
    }
    return { ...reply, body: { kind: 'json', value } };
  }

  #act<K extends ArmedAct['kind']>(kind: K): Extract<ArmedAct, { kind: K }> | undefined {
    return this.#acts.find((act): act is Extract<ArmedAct, { kind: K }> => act.kind === kind);
  }
}

function stageOf(act: ArmedAct): FaultStage | null {
  switch (act.kind) {
    case 'respond':
    case 'delay':
      return act.at ?? 'arrival';
    case 'hang':
      return act.at;
    case 'reset':
      return typeof act.at === 'string' ? act.at : null;
    default:
      return null;
  }
}

function isReached(act: ArmedAct, bytes: number, announcedBytes: number): boolean {
  if (act.kind !== 'reset' || typeof act.at === 'string') return false;
  return bytes >= ('afterBytes' in act.at ? act.at.afterBytes : act.at.afterFraction * announcedBytes);
}

function errorReply(error: ApiError): Reply {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', ...error.headers },
    body: { kind: 'text', text: error.body() },
  };
}

function injectedReply({ status, headers = {}, body = '' }: Extract<FaultAct, { kind: 'respond' }>): Reply {
  if (typeof body === 'string') return { status, headers, body: { kind: 'text', text: body } };
  const reply = jsonReply(status, body);
  return { ...reply, headers: { ...reply.headers, ...headers } };
}
