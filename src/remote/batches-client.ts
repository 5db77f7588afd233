/** The batches of an API over HTTP, through the sender that its files go through. */
import { Fault } from '../contract/faults.ts';
import type { BatchesApi, BatchRequest, RemoteBatch } from '../contract/batch.ts';
import { askForObject, MAX_OBJECT_BYTES, readOrRaise } from './answers.ts';
import { readBatchList, readBatchReply } from './batch-replies.ts';
import type { BatchPage } from './batch-replies.ts';
import { isRefusedQuery } from './page-asker.ts';
import type { Query } from './page-asker.ts';
import { assertSendable } from './request-headers.ts';
import type { ApiRequest, Sender } from './sender.ts';
import { jsonForm } from './upload-form.ts';

export interface BatchDialect {
  /** From the endpoint as lines name it to the one that the server wants, e.g. Azure's `/chat/completions`. */
  readonly endpointMap?: Readonly<Record<string, string>>;
  /** A header whose value makes the server take a submission once; null (the default): it knows none. */
  readonly idempotencyHeader?: string | null;
}

const PAGE_SIZE = 100;

/** A listing longer than this is a server that does not know when to stop. */
const MAX_PAGES = 10_000;

/** A server that ignores `limit` may send every batch it has. */
const MAX_LIST_BYTES = 64 * 1024 * 1024;

const NO_BATCH = 'with no batch object';

export class HttpBatches implements BatchesApi {
  readonly #sender: Sender;
  readonly #dialect: BatchDialect;

  /** Throws `TypeError` when the header cannot be sent. */
  constructor(sender: Sender, dialect: BatchDialect) {
    if (typeof dialect.idempotencyHeader === 'string') assertSendable(dialect.idempotencyHeader, '');
    this.#sender = sender;
    this.#dialect = dialect;
  }

  async create(request: BatchRequest, signal: AbortSignal): Promise<RemoteBatch> {
    const { endpointMap = {}, idempotencyHeader: header = null } = this.#dialect;
    const { endpoint, outputExpiresAfterSeconds: seconds } = request;
    const form = jsonForm({
      input_file_id: request.inputFileId,
      endpoint: Object.hasOwn(endpointMap, endpoint) ? endpointMap[endpoint] : endpoint,
      completion_window: request.completionWindow,
      metadata: request.metadata,
      ...(seconds === null ? {} : { output_expires_after: { anchor: 'created_at', seconds } }),
    });
    const post: ApiRequest = {
      action: 'create',
      method: 'POST',
      path: '/batches',
      headers: header === null ? [] : [header, request.submission],
    };
    const reply = await this.#sender.send({ ...post, form, maxReplyBytes: MAX_OBJECT_BYTES }, signal);
    return readOrRaise(
      readBatchReply(reply.body),
      NO_BATCH,
      reply,
      this.#sender.context(post, reply.progress),
    );
  }

  async retrieve(id: string, signal: AbortSignal): Promise<RemoteBatch | null> {
    const get: ApiRequest = { action: 'read', method: 'GET', path: pathOf(id) };
    return await askForObject(this.#sender, get, readBatchReply, NO_BATCH, signal);
  }

  async cancel(id: string, signal: AbortSignal): Promise<RemoteBatch | null> {
    const post: ApiRequest = { action: 'cancel', method: 'POST', path: `${pathOf(id)}/cancel` };
    return await askForObject(this.#sender, post, readBatchReply, NO_BATCH, signal);
  }

  /** Throws `lying-list` when the server says that more follows and it cannot be had: what is not listed may exist. */
  async *list(signal: AbortSignal): AsyncGenerator<readonly RemoteBatch[], void, undefined> {
    const seen = new Set<string>();
    let { page, query } = await this.#firstPage(signal);
    let wasPromised = false;
    for (let pages = 1; ; pages += 1) {
      const fresh = page.batches.filter(({ id }) => !seen.has(id) && seen.add(id));
      if (fresh.length > 0) yield fresh;
      if (pages === MAX_PAGES) throw lyingList(`still has more after ${MAX_PAGES} pages`);
      if (isEnd(page)) return;
      const promised = page.hasMore === true || page.next !== null;
      const cursor = page.next ?? (page.last === null ? null : { after: page.last });
      if (fresh.length === 0 ? wasPromised : promised && cursor === null) {
        throw lyingList(`says that more follows after ${seen.size}, and gives none`);
      }
      if (fresh.length === 0 || cursor === null) return;
      const next = await this.#page({ ...query, ...cursor }, signal).catch((error: unknown) => {
        // Who promised nothing may know no cursor.
        if (!promised && isRefusedQuery(error)) return null;
        throw error;
      });
      if (next === null) return;
      page = next;
      wasPromised = promised;
    }
  }

  serverNowMs(): number | null {
    return this.#sender.serverNowMs();
  }

  /** QUIRK: some servers refuse a `limit`, or one so large. */
  async #firstPage(signal: AbortSignal): Promise<{ readonly page: BatchPage; readonly query: Query }> {
    const query = { limit: String(PAGE_SIZE) };
    try {
      return { page: await this.#page(query, signal), query };
    } catch (error) {
      if (!isRefusedQuery(error)) throw error;
      return { page: await this.#page({}, signal), query: {} };
    }
  }

  async #page(query: Query, signal: AbortSignal): Promise<BatchPage> {
    const get: ApiRequest = { action: 'read', method: 'GET', path: '/batches' };
    const reply = await this.#sender.send({ ...get, query, maxReplyBytes: MAX_LIST_BYTES }, signal);
    const context = this.#sender.context(get, reply.progress);
    return readOrRaise(readBatchList(reply.body), 'with no list of batches', reply, context);
  }
}

/**
 * Nothing follows an empty page, whatever the server says. QUIRK: gateways cap pages at a round number, and some of them
 * then say that this was all.
 */
function isEnd({ hasMore, next, batches }: BatchPage): boolean {
  if (next !== null) return false;
  return batches.length === 0 || (hasMore === false && batches.length % 10 !== 0);
}

function pathOf(id: string): string {
  return `/batches/${encodeURIComponent(id)}`;
}

function lyingList(what: string): Fault {
  return new Fault(`GET /batches: the listing ${what}`, {
    disposition: 'retry',
    outcome: 'refused',
    rule: 'lying-list',
  });
}
