/** The emulator, and a hand in its works. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { RequestLog } from './request-log.ts';
import * as plain from '../../src/emulator/emulator.ts';
import { Interruption, type Connection, type Listed, type Meddling } from '../../src/emulator/meddling.ts';
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
  const faults = new FaultInjector(() => emulator.files());
  const nowMs = (): number => options.clock?.nowMs() ?? Date.now();
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

  hides(file: StoredFile): boolean {
    return this.#acts.some((act) => act.kind === 'list-lag' && act.retrieve && this.#lags(act.ms, file));
  }

  reply(reply: Reply): Reply {
    const { body } = reply;
    if (body.kind === 'stream') return reply;
    let changed = reply;
    for (const act of this.#acts) {
      if (act.kind === 'rewrite' && changed.body.kind === 'json')
        changed = {
          ...changed,
          body: { kind: 'json', value: act.patch(changed.body.value as Record<string, unknown>) },
        };
    }
    const truncate = this.#act('truncate');
    const drip = this.#act('drip');
    if ((truncate === undefined && drip === undefined) || changed.body.kind === 'stream') return changed;
    const bytes = Buffer.from(textOf(changed.body)).subarray(0, truncate?.keepBytes);
    const { chunkBytes = bytes.length, everyMs = 0 } = drip ?? {};
    const stream = Readable.from(drops(bytes, chunkBytes, everyMs, this.#connection.ended));
    return { ...changed, body: { kind: 'stream', stream, bytes: bytes.length } };
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

  #lags(ms: number, file: StoredFile): boolean {
    return file.createdAtMs + ms > this.#nowMs();
  }

  #act<K extends ArmedAct['kind']>(kind: K): Extract<ArmedAct, { kind: K }> | undefined {
    return this.#acts.find((act): act is Extract<ArmedAct, { kind: K }> => act.kind === kind);
  }
}

async function* drops(
  bytes: Buffer,
  chunkBytes: number,
  everyMs: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < bytes.length; sent += chunkBytes) {
    yield bytes.subarray(sent, sent + chunkBytes);
    if (everyMs > 0) await sleep(everyMs, undefined, { signal });
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

function injectedReply({ status, headers = {}, body = '' }: Extract<FaultAct, { kind: 'respond' }>): Reply {
  if (typeof body === 'string') return { status, headers, body: { kind: 'text', text: body } };
  const reply = jsonReply(status, body);
  return { ...reply, headers: { ...reply.headers, ...headers } };
}
