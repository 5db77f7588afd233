/** The emulator, and a hand in its works. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { RequestLog } from './request-log.ts';
import * as plain from '../../src/emulator/emulator.ts';
import {
  Interruption,
  type Connection,
  type Listed,
  type ListedBatches,
  type Meddling,
} from '../../src/emulator/meddling.ts';
import { jsonReply, textOf, type Reply } from '../../src/emulator/reply.ts';
import type { OpenRequest } from '../../src/emulator/logged-request.ts';
import type { StoredFile } from '../../src/emulator/stored-file.ts';
import { FaultInjector, type ArmedAct, type FaultAct, type FaultStage } from './fault-injection.ts';

export interface EmulatorOptions extends Omit<plain.EmulatorOptions, 'meddle'> {
  /** How many requests the log remembers. Default: 100,000. */
  readonly requestLogLimit?: number;
}

export interface Emulator extends Omit<plain.Emulator, 'store'> {
  readonly faults: FaultInjector;
  /** What was asked, and what came of it. */
  readonly requests: RequestLog;
  readonly store: {
    /** Removes a file behind everyone's back. False when there is none. */
    remove(id: string): boolean;
    /** Puts in a file, as another user of the project would, without any rule in its way. */
    add(file: {
      readonly purpose: string;
      readonly filename: string;
      readonly content: string | Uint8Array;
      readonly expiresAfterSeconds?: number;
    }): Promise<StoredFile>;
    /** The stored content; null when there is no such file or contents are discarded. */
    content(id: string): Promise<Buffer | null>;
  };
}

export async function startEmulator({
  requestLogLimit = 100_000,
  ...options
}: EmulatorOptions = {}): Promise<Emulator> {
  const requests = new RequestLog(requestLogLimit);
  const nowMs = (): number => options.clock?.nowMs() ?? Date.now();
  const faults = new FaultInjector(() => ({
    files: emulator.files(),
    batches: emulator.batches.all(),
    atMs: nowMs(),
  }));
  const emulator = await plain.startEmulator({
    ...options,
    meddle: (request, connection) => {
      requests.open(request);
      return new FaultyCourse(faults, request, connection, nowMs);
    },
  });
  return { ...emulator, requests, faults, store: backDoor(emulator.store) };
}

function backDoor(store: plain.Emulator['store']): Emulator['store'] {
  return {
    remove: (id) => store.remove(id),
    add: async ({ purpose, filename, content, expiresAfterSeconds = null }) => {
      const spool = store.spool();
      await spool.write(Buffer.from(content));
      return store.commit(spool, { purpose, filename, expiresAfterSeconds });
    },
    content: async (id) => {
      const file = store.get(id);
      const stream = file === null ? null : store.readContent(file);
      return stream === null ? null : Buffer.concat(await stream.toArray());
    },
  };
}

/** What the faults do to one request. */
class FaultyCourse implements Meddling {
  readonly #faults: FaultInjector;
  readonly #request: OpenRequest;
  readonly #connection: Connection;
  readonly #nowMs: () => number;
  readonly #acts: ArmedAct[] = [];
  #arrived = false;

  constructor(faults: FaultInjector, request: OpenRequest, connection: Connection, nowMs: () => number) {
    this.#faults = faults;
    this.#request = request;
    this.#connection = connection;
    this.#nowMs = nowMs;
  }

  async pass(stage: FaultStage): Promise<void> {
    if (!this.#arrived) this.#strike('arrived');
    this.#arrived = true;
    await this.#pass(stage, this.#acts);
  }

  async named(): Promise<void> {
    await this.#pass('arrival', this.#strike('named'));
  }

  received(bytes: number, announcedBytes: number): void {
    if (this.#acts.some((act) => isReached(act, bytes, announcedBytes))) this.#reset();
  }

  list(listed: Listed): Listed {
    let { files, maxPageSize, endless } = listed;
    for (const act of this.#acts) {
      if (act.kind === 'list-stale') files = act.files;
      if (act.kind === 'list-lag') files = files.filter((file) => !this.#lags(act.ms, file));
      if (act.kind === 'list-short') maxPageSize = Math.min(maxPageSize, act.files);
      if (act.kind === 'list-endless') endless = true;
    }
    return { files, maxPageSize, endless };
  }

  listBatches(listed: ListedBatches): ListedBatches {
    let { batches, maxPageSize, endless, atMs } = listed;
    for (const act of this.#acts) {
      if (act.kind === 'list-stale') ({ batches, atMs } = act);
      if (act.kind === 'list-lag') batches = batches.filter((batch) => !this.#lags(act.ms, batch));
      if (act.kind === 'list-short') maxPageSize = Math.min(maxPageSize, act.files);
      if (act.kind === 'list-endless') endless = true;
    }
    return { batches, maxPageSize, endless, atMs };
  }

  hides(stored: { readonly createdAtMs: number }): boolean {
    return this.#acts.some((act) => act.kind === 'list-lag' && act.retrieve && this.#lags(act.ms, stored));
  }

  reply(reply: Reply): Reply {
    let changed = reply;
    for (const act of this.#acts) {
      if (act.kind === 'rewrite' && changed.body.kind === 'json')
        changed = {
          ...changed,
          body: { kind: 'json', value: act.patch(changed.body.value as Record<string, unknown>) },
        };
    }
    const way: Way = {
      keepBytes: this.#act('truncate')?.keepBytes ?? Infinity,
      cutAfterBytes: this.#act('cut')?.afterBytes ?? Infinity,
      drip: this.#act('drip') ?? null,
    };
    if (way.keepBytes === Infinity && way.cutAfterBytes === Infinity && way.drip === null) return changed;
    const whole = changed.body.kind === 'stream' ? changed.body : wholeOf(textOf(changed.body));
    const bytes = Math.min(whole.bytes, way.keepBytes);
    const stream = Readable.from(meddledWith(whole.stream, bytes, way, this.#connection));
    return { ...changed, body: { kind: 'stream', stream, bytes } };
  }

  #strike(when: 'arrived' | 'named'): readonly ArmedAct[] {
    const struck = this.#faults.strike(this.#request, when);
    for (const act of struck) {
      this.#acts.push(act);
      this.#request.faults.push(act.kind);
    }
    return struck;
  }

  async #pass(stage: FaultStage, acts: readonly ArmedAct[]): Promise<void> {
    const { ended } = this.#connection;
    for (const act of acts) {
      if (stageOf(act) !== stage) continue;
      if (act.kind === 'respond') throw new Interruption(injectedReply(act));
      if (act.kind === 'reset') this.#reset();
      if (act.kind === 'delay') await sleep(act.ms, undefined, { signal: ended });
      if (act.kind !== 'hang') continue;
      if (!ended.aborted) await once(ended, 'abort');
      throw new Interruption(null);
    }
  }

  #reset(): never {
    this.#connection.reset();
    throw new Interruption(null);
  }

  #lags(ms: number, stored: { readonly createdAtMs: number }): boolean {
    return stored.createdAtMs + ms > this.#nowMs();
  }

  #act<K extends ArmedAct['kind']>(kind: K): Extract<ArmedAct, { kind: K }> | undefined {
    return this.#acts.find((act): act is Extract<ArmedAct, { kind: K }> => act.kind === kind);
  }
}

/** A reset discards what the other side has not read yet. */
const CUT_AFTER_MS = 50;

/** What befalls a reply on its way. */
interface Way {
  /** Its body is only so long. */
  readonly keepBytes: number;
  /** The connection is reset once so many bytes are sent. */
  readonly cutAfterBytes: number;
  readonly drip: { readonly chunkBytes: number; readonly everyMs: number } | null;
}

function wholeOf(text: string): { readonly stream: AsyncIterable<Buffer>; readonly bytes: number } {
  const buffer = Buffer.from(text);
  return { stream: Readable.from([buffer]), bytes: buffer.length };
}

/** The first `keepBytes` of it, as slowly and as far as the way goes. */
async function* meddledWith(
  chunks: AsyncIterable<Buffer>,
  keepBytes: number,
  { cutAfterBytes, drip }: Way,
  connection: Connection,
): AsyncGenerator<Buffer, void> {
  let sent = 0;
  for await (const chunk of chunks) {
    const size = drip?.chunkBytes ?? chunk.length;
    for (let start = 0; start < chunk.length && sent < keepBytes; start += size) {
      const most = start + Math.min(keepBytes, cutAfterBytes) - sent;
      const piece = chunk.subarray(start, Math.min(start + size, most));
      sent += piece.length;
      yield piece;
      if (drip !== null) await sleep(drip.everyMs, undefined, { signal: connection.ended });
      if (sent >= cutAfterBytes) await cutOff(connection);
    }
    if (sent >= keepBytes) return;
  }
}

/** What was written before goes out first. */
async function cutOff(connection: Connection): Promise<never> {
  await sleep(CUT_AFTER_MS);
  connection.reset();
  if (!connection.ended.aborted) await once(connection.ended, 'abort');
  throw new Error('cut off by an injected fault');
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

function injectedReply({ status, headers = {}, body = '' }: Extract<FaultAct, { kind: 'respond' }>): Reply {
  if (typeof body === 'string') return { status, headers, body: { kind: 'text', text: body } };
  const reply = jsonReply(status, body);
  return { ...reply, headers: { ...reply.headers, ...headers } };
}
