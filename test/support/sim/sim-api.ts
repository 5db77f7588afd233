import type { FilesApi, ListRequest, UploadRequest } from '../../../src/contract/ports.ts';
import type { FileId, RemoteFile } from '../../../src/contract/types.ts';
import type { Project } from './sim-account.ts';
import { listPages } from '../../../src/remote/listing.ts';
import { PageAsker } from '../../../src/remote/page-asker.ts';
import type { Query } from '../../../src/remote/page-asker.ts';
import type { ListPage } from '../../../src/remote/replies.ts';
import type { SafetyMonitor } from './safety.ts';
import type { SimClock } from './sim-clock.ts';
import { joined } from './sim-content.ts';
import {
  authFault,
  badReplyFault,
  conflictFault,
  drawPlainFate,
  drawUploadFate,
  forbiddenFault,
  isContradiction,
  networkFault,
  passingFault,
  quotaFault,
  rateLimitFault,
  refusedFault,
  refusedRequestFault,
  serverFault,
  timeoutFault,
  unreachableFault,
} from './sim-fates.ts';
import type { PlainFate, UploadFate } from './sim-fates.ts';
import type { Incarnation } from './sim-process.ts';
import type { LifeKnobs } from './sim-profile.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimServer, StoredFile } from './sim-server.ts';
import type { SimTrace } from './sim-trace.ts';

export interface ApiTools {
  readonly server: SimServer;
  /** Whose requests these are. */
  readonly project: () => Project;
  readonly clock: SimClock;
  readonly incarnation: Incarnation;
  readonly knobs: LifeKnobs;
  readonly random: SimRandom;
  readonly safety: SafetyMonitor;
  readonly trace: SimTrace;
  /** What befalls every request; null or absent: as drawn. */
  readonly fates?: { upload: UploadFate | null; plain: PlainFate | null };
}

const freely = { isRefused: false, onRateLimit: () => {} };

/** `FilesApi` as one incarnation sees it: the client, the way to the server, and every fault on it. */
export class SimApi implements FilesApi {
  readonly #tools: ApiTools;
  readonly #asker = new PageAsker('full', null);
  #serverClock: { readonly serverMs: number; readonly atMs: number } | null = null;

  constructor(tools: ApiTools) {
    this.#tools = tools;
  }

  serverNowMs(): number | null {
    if (this.#serverClock === null) return null;
    const { serverMs, atMs } = this.#serverClock;
    return serverMs + this.#tools.clock.monotonicMs() - atMs;
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#call('probe', () => this.#plain(signal, 'refused', () => {}));
  }

  upload(request: UploadRequest, signal: AbortSignal): Promise<RemoteFile> {
    return this.#call('upload', async () => {
      signal.throwIfAborted();
      const { incarnation, knobs, random, safety } = this.#tools;
      const drawn =
        this.#tools.fates?.upload ?? drawUploadFate(random, this.#faults(), knobs.profile.contradictions);
      const fate = canBeTold(drawn, knobs) ? drawn : 'ok';
      const attempt = safety.uploadStarted(request, incarnation);
      try {
        await this.#reach(fate, signal, safety.uploadArrived);
        this.#answerEarly(fate);
        const content = await this.#receive(request, fate === 'reset-in-body', signal);
        const reply = await this.#store(request, content, fate, signal);
        safety.replied(reply.id);
        return reply;
      } finally {
        safety.uploadEnded(attempt);
      }
    });
  }

  /** By the reader of listings that the real client has: what is simulated is the server's part. */
  list(request: ListRequest, signal: AbortSignal): AsyncIterable<readonly RemoteFile[]> {
    const { inTurn = (ask) => ask() } = request;
    return listPages(request, this.#asker, (query) =>
      inTurn(() => this.#call('list', () => this.#page(query, signal))),
    );
  }

  retrieve(id: FileId, signal: AbortSignal): Promise<RemoteFile | null> {
    return this.#call('retrieve', () => {
      return this.#question(id, signal, () =>
        this.#tools.server.find(id, this.#stateOfMs(), this.#tools.project()),
      );
    });
  }

  delete(id: FileId, signal: AbortSignal): Promise<'deleted' | 'absent'> {
    return this.#call('delete', () => {
      signal.throwIfAborted();
      const { incarnation, safety, server } = this.#tools;
      safety.deleteStarted(id, incarnation);
      return this.#plain(signal, 'unknown', () => (this.#remove(id) ? 'deleted' : 'absent'), {
        isRefused: server.episode === 'no-deletes',
        onRateLimit: (forMs) => safety.paused('delete', incarnation, forMs),
      });
    });
  }

  /** In another project there is no such file. */
  #remove(id: FileId): boolean {
    const { project, server } = this.#tools;
    return server.get(id)?.project === project() && server.remove(id, 'mirror');
  }

  /** Connects. `onArrival` is called when the server sees the request, even if the process dies on its way. */
  async #reach(fate: UploadFate | PlainFate, signal: AbortSignal, onArrival: () => void): Promise<void> {
    const { clock, incarnation, safety, server } = this.#tools;
    safety.requestStarted(incarnation);
    const travelMs = this.#latencyMs();
    const isReachable = fate !== 'no-connection' && server.episode !== 'down';
    if (isReachable) clock.schedule(travelMs, () => incarnation.deadForMs() <= 250 && onArrival());
    await incarnation.sleep(travelMs, signal);
    if (!isReachable) throw unreachableFault();
    if (server.episode === 'auth') throw this.#answered(authFault(this.#tools.random));
  }

  /** What is answered to the headers alone, before the body was taken. */
  #answerEarly(fate: UploadFate): void {
    const { incarnation, random, safety, server } = this.#tools;
    if (server.episode === 'refusals') throw this.#answered(refusedFault());
    if (server.episode === 'quota') throw this.#answered(quotaFault(random));
    if (fate === 'conflict') throw this.#answered(conflictFault());
    if (fate === 'early-5xx') throw this.#answered(serverFault(random, 'refused'));
    if (fate !== 'rate-limited') return;
    const fault = this.#answered(rateLimitFault(random));
    safety.paused('upload', incarnation, fault.retryAfterMs ?? 0);
    throw fault;
  }

  async #receive(request: UploadRequest, breaks: boolean, signal: AbortSignal): Promise<Uint8Array> {
    const { incarnation, random, safety } = this.#tools;
    const breaksAt = breaks ? random.int(0, Math.max(0, request.sizeBytes - 1)) : Number.POSITIVE_INFINITY;
    const parts: Uint8Array[] = [];
    let receivedBytes = 0;
    for await (const chunk of request.body()) {
      signal.throwIfAborted();
      parts.push(chunk.slice());
      receivedBytes += chunk.length;
      if (receivedBytes > breaksAt) throw networkFault('refused', 'ECONNRESET in the body');
      if (random.chance(0.3)) await incarnation.sleep(random.int(1, 40), signal);
    }
    if (receivedBytes !== request.sizeBytes) {
      safety.add(`a body of ${receivedBytes} bytes was announced as ${request.sizeBytes}`);
      throw networkFault('refused', 'the body does not match its Content-Length');
    }
    return joined(...parts);
  }

  /** The body is complete: from here on only the server knows what happens. */
  async #store(
    request: UploadRequest,
    body: Uint8Array,
    fate: UploadFate,
    signal: AbortSignal,
  ): Promise<RemoteFile> {
    const { clock, incarnation, knobs, random, server } = this.#tools;
    const refusal = server.refusalOf(body);
    if (refusal !== null) {
      await incarnation.sleep(this.#latencyMs(), signal);
      throw this.#answered(refusal === 403 ? forbiddenFault() : refusedFault());
    }
    const damaged = fate === 'short-store';
    const content = damaged ? body.slice(0, -1) : body;
    const hangs = fate.startsWith('hang');
    const workMs = hangs ? random.int(0, knobs.timeoutMs) : this.#latencyMs();
    const isLate = fate.endsWith('-stored') && random.chance(0.25);
    const answerMs = hangs ? knobs.timeoutMs : workMs + this.#latencyMs();
    const storeMs = isLate ? answerMs + random.int(0, knobs.profile.lateEffectMs) : workMs;
    const survivesClient = random.chance(0.7);
    const attempt: { file: StoredFile | null; abandonedAtMs: number | null } = {
      file: null,
      abandonedAtMs: null,
    };
    const store = (): void => {
      const abandonedForMs =
        attempt.abandonedAtMs === null
          ? incarnation.deadForMs()
          : clock.monotonicMs() - attempt.abandonedAtMs;
      const isAbandoned = incarnation.dead || attempt.abandonedAtMs !== null;
      if (isAbandoned && (!survivesClient || abandonedForMs > knobs.profile.lateEffectMs)) return;
      const { purpose, remoteName: filename, expiresAfterSeconds } = request;
      const project = this.#tools.project();
      if (project !== 'home') this.#tools.safety.add(`${filename} was uploaded to another project`);
      attempt.file = server.store({ purpose, filename, content, expiresAfterSeconds, damaged, project });
      if (isContradiction(fate)) server.noteContradiction(attempt.file);
    };
    if (!fate.endsWith('-lost')) clock.schedule(storeMs, store);
    try {
      await incarnation.sleep(answerMs, signal);
    } catch (error) {
      attempt.abandonedAtMs = clock.monotonicMs();
      throw error;
    }
    return this.#reply(fate, attempt.file);
  }

  #reply(fate: UploadFate, file: StoredFile | null): RemoteFile {
    const { random, safety, server, trace } = this.#tools;
    if (fate !== 'ok') trace.add('api', 'upload', fate, file?.id ?? '-');
    if (fate.startsWith('hang')) throw timeoutFault('unknown');
    if (fate.startsWith('reset')) throw networkFault('unknown', 'ECONNRESET after the body');
    if (fate.startsWith('5xx')) throw this.#answered(serverFault(random, 'unknown'));
    if (fate.startsWith('4xx')) throw this.#answered(passingFault(random));
    if (fate === 'bad-json' || file === null) throw this.#answered(badReplyFault('unknown'));
    this.#noteDate();
    const reply = server.describe(file);
    switch (fate) {
      case 'bare-reply':
        return { ...reply, bytes: null, purpose: null, filename: null, createdAt: null };
      case 'wrong-bytes':
        return { ...reply, bytes: file.content.length + random.int(1, 9) };
      case 'wrong-purpose':
        return { ...reply, purpose: random.pick(['', 'other']) };
      case 'foreign-reply':
        return this.#describedAlien(file) ?? reply;
      case 'repeated-id': {
        const other = server.all().find(({ id }) => safety.isRecorded(id));
        return other === undefined ? reply : { ...reply, id: other.id };
      }
      default:
        return reply;
    }
  }

  /** An old file of somebody else, which can be told from the one that was sent. */
  #describedAlien({ createdAt, content }: StoredFile): RemoteFile | null {
    const { server } = this.#tools;
    const isOlder = (each: StoredFile): boolean => each.createdAt < createdAt - 3_600;
    const other = server
      .all()
      .find((each) => each.madeBy === 'foreign' && isOlder(each) && each.content.length !== content.length);
    return other === undefined ? null : server.describe(other);
  }

  async #page(query: Query, signal: AbortSignal): Promise<ListPage> {
    const { knobs, random, server } = this.#tools;
    // Only who says that there is more may give less than it could.
    const isShort = !server.isCalm && knobs.listing.more === 'has-more' && random.chance(0.5);
    const most = isShort ? random.int(1, 8) : Number.POSITIVE_INFINITY;
    return this.#question(null, signal, () =>
      server.page(query, most, this.#stateOfMs(), this.#tools.project()),
    );
  }

  /** `id` null: a page of a listing. */
  #question<T>(id: FileId | null, signal: AbortSignal, effect: () => T): Promise<T> {
    signal.throwIfAborted();
    const { incarnation, safety } = this.#tools;
    safety.questionStarted(id, incarnation);
    return this.#plain(signal, 'refused', effect, {
      isRefused: false,
      onRateLimit: (forMs) => safety.isInLane(id) && safety.paused('ask', incarnation, forMs),
    });
  }

  /** A request without a body: its effect happens between the way there and the way back. */
  async #plain<T>(
    signal: AbortSignal,
    ifLost: 'refused' | 'unknown',
    effect: () => T,
    rate: { readonly isRefused: boolean; readonly onRateLimit: (forMs: number) => void } = freely,
  ): Promise<T> {
    signal.throwIfAborted();
    const { incarnation, knobs, random, server, trace } = this.#tools;
    const drawn = this.#tools.fates?.plain ?? drawPlainFate(random, this.#faults());
    const fate = rate.isRefused ? 'rate-limited' : drawn;
    await this.#reach(fate, signal, () => {});
    if (server.episode === 'refusals') throw this.#answered(refusedRequestFault());
    if (fate === 'forbidden') throw this.#answered(forbiddenFault());
    if (fate === 'rate-limited') {
      const fault = this.#answered(rateLimitFault(random));
      rate.onRateLimit(fault.retryAfterMs ?? 0);
      throw fault;
    }
    if (fate === 'conflict') throw this.#answered(conflictFault());
    const result = fate.endsWith('-lost') ? null : effect();
    if (fate !== 'ok') trace.add('api', 'request', fate);
    await incarnation.sleep(fate.startsWith('hang') ? knobs.timeoutMs : this.#latencyMs(), signal);
    if (fate.startsWith('hang')) throw timeoutFault(ifLost);
    if (fate.startsWith('reset')) throw networkFault(ifLost, 'ECONNRESET');
    if (fate.startsWith('5xx')) throw this.#answered(serverFault(random, ifLost));
    if (fate === 'bad-json') throw this.#answered(badReplyFault(ifLost));
    this.#noteDate();
    return result as T;
  }

  /** Lists and lookups may show the state of some seconds ago. */
  #stateOfMs(): number {
    const { clock, knobs, random, server } = this.#tools;
    const isStale = !server.isCalm && random.chance(0.2);
    return clock.monotonicMs() - (isStale ? random.int(0, knobs.profile.staleMs) : 0);
  }

  #faults(): number {
    return this.#tools.server.isCalm ? 0 : this.#tools.knobs.serverFaults;
  }

  #latencyMs(): number {
    const { random, server } = this.#tools;
    return !server.isCalm && random.chance(0.03) ? random.int(500, 4_000) : random.int(2, 120);
  }

  /** An error that came as an HTTP answer: it had a `Date` header. */
  #answered<E extends Error>(error: E): E {
    this.#noteDate();
    this.#tools.trace.add('api', 'answered', error.message);
    return error;
  }

  #noteDate(): void {
    const { clock, server } = this.#tools;
    this.#serverClock = { serverMs: Math.floor(server.wallMs() / 1000) * 1000, atMs: clock.monotonicMs() };
  }

  #call<T>(point: string, run: () => Promise<T>): Promise<T> {
    return this.#tools.incarnation.call(`api.${point}`, run);
  }
}

/**
 * Whether anybody could find out that the answer is at odds with what was sent: not where this server leaves out, or
 * rewrites, what would show it.
 */
function canBeTold(fate: UploadFate, { omits, rewrites }: LifeKnobs): boolean {
  const saysBytes = !omits.includes('bytes') && rewrites !== 'bytes';
  if (fate === 'wrong-bytes' || fate === 'short-store') return saysBytes;
  return fate !== 'foreign-reply' || (saysBytes && !omits.includes('createdAt'));
}
