/** The Files API over HTTP: the front door of this room, which knows neither paths nor the manifest. */
import type { Dispatcher } from 'undici';
import type { BatchesApi } from '../contract/batch.ts';
import type { Clock, FilesApi, ListRequest, UploadRequest } from '../contract/ports.ts';
import type { FileId, RemoteFile } from '../contract/types.ts';
import { parseBaseUrl } from './base-url.ts';
import { askForObject, isAnswer, MAX_OBJECT_BYTES, readOrRaise } from './answers.ts';
import { HttpBatches } from './batches-client.ts';
import type { BatchDialect } from './batches-client.ts';
import { badReply } from './classify.ts';
import { proxiesFor } from './proxies.ts';
import type { ProxyEnvironment } from './proxies.ts';
import { openContent } from './content.ts';
import type { Content } from './content.ts';
import { openAiExpiry } from './multipart.ts';
import type { ExpiryField, ServerFields, UploadFields } from './multipart.ts';
import { inOneOrder } from './in-order.ts';
import { listPages } from './listing.ts';
import { PageAsker } from './page-asker.ts';
import type { ListParameters } from './page-asker.ts';
import { readFileReply, readListReply, saysDeleted } from './replies.ts';
import type { ListPage } from './replies.ts';
import { requestHeaders } from './request-headers.ts';
import type { HeaderOptions } from './request-headers.ts';
import { isSuccess, Sender } from './sender.ts';
import type { ApiRequest } from './sender.ts';
import { createThrottle } from './throttle.ts';
import type { Throttle } from './throttle.ts';
import { prepareForm } from './upload-form.ts';

/** Of the headers only the key and the program's name are needed; the key is sent as `bearer` by default. */
export interface FilesClientOptions
  extends Pick<HeaderOptions, 'apiKey' | 'userAgent'>, Partial<Omit<HeaderOptions, 'apiKey' | 'userAgent'>> {
  /** http or https; may have a path and a query, e.g. Azure's `?api-version=…`. */
  readonly baseUrl: string;
  /** Default: none. */
  readonly uploadFields?: UploadFields;
  /** How an expiry is asked for. Default: as OpenAI wants it. */
  readonly expiry?: ExpiryField;
  /**
   * How long the server may be silent, and how long a request may take; to an upload the time is added that its
   * bytes need at 64 KiB/s, and the time that the bandwidth limit makes it wait.
   */
  readonly timeoutMs: number;
  /** Shared by all uploads; null (the default) is no limit. */
  readonly uploadBytesPerSecond?: number | null;
  /** Default `full`. */
  readonly listParameters?: ListParameters;
  /** What a listing of all purposes is made of where the server wants one purpose at a time (`by-purpose`). */
  readonly purposes?: readonly string[];
  /** Files a page of a listing; null (the default) is 1,000, and fewer where the server refuses that. */
  readonly pageSize?: number | null;
  /** Where the server's batches differ from OpenAI's. */
  readonly batches?: BatchDialect;
  readonly clock: Clock;
  /** Where `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are looked up. Default: this process's environment. */
  readonly env?: ProxyEnvironment;
}

export interface FilesClient extends FilesApi, AsyncDisposable {
  /** The batches of the same server, over the same connections, by the same clock. */
  readonly batches: BatchesApi;
  /**
   * Opens a file's content for reading. `chunks` may be read once, and must be read or the signal be aborted.
   * Throws `Fault`, or the signal's reason, here and while reading.
   */
  content(id: FileId, signal: AbortSignal): Promise<Content>;
  /** Closes every connection. Requests that still run fail. */
  close(): Promise<void>;
}

/** A server that ignores `limit` may send every file it has; 64 MB are some 150,000. */
const MAX_LIST_BYTES = 64 * 1024 * 1024;

/** Throws `TypeError` when the base URL, a proxy's URL or a configured header cannot be used. */
export function createFilesClient(options: FilesClientOptions): FilesClient {
  const { auth = 'bearer', headers = {}, secrets = [], organization = null, project = null } = options;
  const { apiKey, userAgent, timeoutMs, clock, uploadBytesPerSecond = null } = options;
  const { uploadFields = {}, expiry = openAiExpiry, listParameters = 'full', pageSize = null } = options;
  const asker = new PageAsker(listParameters, pageSize);
  const address = parseBaseUrl(options.baseUrl);
  const proxies = proxiesFor(address, options.env ?? process.env);
  let connections: Promise<Dispatcher> | null = null;
  // Loading what is behind takes longer than many a pass that has nothing to send.
  const connect = (): Promise<Dispatcher> =>
    (connections ??= import('./connections.ts').then(({ openConnections }) =>
      openConnections(address, proxies),
    ));
  const sender = new Sender({
    address,
    connect,
    headers: requestHeaders({ apiKey, auth, headers, secrets, organization, project, userAgent }),
    timeoutMs,
    clock,
  });
  const throttle = uploadBytesPerSecond === null ? null : createThrottle(uploadBytesPerSecond, clock);
  const close = async (): Promise<void> => {
    sender.close();
    await (await connections)?.destroy();
  };
  const fields = { more: uploadFields, expiry };
  const purposes = listParameters === 'by-purpose' ? (options.purposes ?? []) : [];
  const batches = new HttpBatches(sender, options.batches ?? {});
  return new HttpFilesClient({ sender, connect, close, throttle, clock, asker, purposes, fields, batches });
}

interface ClientParts {
  readonly sender: Sender;
  readonly connect: () => Promise<Dispatcher>;
  readonly close: () => Promise<void>;
  readonly throttle: Throttle | null;
  readonly clock: Clock;
  readonly asker: PageAsker;
  /** What a listing of all purposes is made of; empty where it can be asked for at once. */
  readonly purposes: readonly string[];
  readonly fields: ServerFields;
  readonly batches: BatchesApi;
}

class HttpFilesClient implements FilesClient {
  readonly batches: BatchesApi;
  readonly #parts: ClientParts;

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.batches = parts.batches;
  }

  async upload(request: UploadRequest, signal: AbortSignal): Promise<RemoteFile> {
    signal.throwIfAborted();
    const { remoteName } = request;
    const post: ApiRequest = { action: 'upload', method: 'POST', path: '/files', remoteName };
    const { throttle, clock, fields } = this.#parts;
    const form = await prepareForm(request, { throttle, clock, fields }, signal);
    const reply = await this.#parts.sender.send({ ...post, form, maxReplyBytes: MAX_OBJECT_BYTES }, signal);
    const context = this.#parts.sender.context(post, reply.progress);
    if (reply.progress !== 'sent') throw badReply('before the file was sent', reply, context);
    return readOrRaise(readFileReply(reply.body), 'with no file object', reply, context);
  }

  list(request: ListRequest, signal: AbortSignal): AsyncIterable<readonly RemoteFile[]> {
    const { purposes } = this.#parts;
    const { inTurn = (ask) => ask() } = request;
    const listOf = (purpose: string | null): AsyncIterable<readonly RemoteFile[]> =>
      listPages({ ...request, purpose }, this.#parts.asker, (query) =>
        inTurn(() => this.#page(query, signal)),
      );
    if (request.purpose !== null || purposes.length === 0) return listOf(request.purpose);
    return inOneOrder(request.order, purposes.map(listOf));
  }

  async retrieve(id: FileId, signal: AbortSignal): Promise<RemoteFile | null> {
    const get: ApiRequest = { action: 'read', method: 'GET', path: pathOf(id) };
    return await askForObject(this.#parts.sender, get, readFileReply, 'with no file object', signal);
  }

  async delete(id: FileId, signal: AbortSignal): Promise<'deleted' | 'absent'> {
    const request: ApiRequest = { action: 'delete', method: 'DELETE', path: pathOf(id) };
    const reply = await this.#parts.sender.send(
      { ...request, maxReplyBytes: MAX_OBJECT_BYTES },
      signal,
      isAnswer,
    );
    if (!isSuccess(reply)) return 'absent';
    if (saysDeleted(reply.body, id)) return 'deleted';
    throw badReply('not as a deletion', reply, this.#parts.sender.context(request, reply.progress));
  }

  async content(id: FileId, signal: AbortSignal): Promise<Content> {
    const get: ApiRequest = { action: 'read', method: 'GET', path: `${pathOf(id)}/content` };
    return await openContent(await this.#parts.connect(), this.#parts.sender, get, signal);
  }

  async probe(signal: AbortSignal): Promise<void> {
    const { asker, purposes } = this.#parts;
    await asker.probe(purposes[0] ?? null, (query) => this.#page(query, signal));
  }

  serverNowMs(): number | null {
    return this.#parts.sender.serverNowMs();
  }

  close(): Promise<void> {
    return this.#parts.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #page(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<ListPage> {
    const get: ApiRequest = { action: 'read', method: 'GET', path: '/files' };
    const { sender } = this.#parts;
    const reply = await sender.send({ ...get, query, maxReplyBytes: MAX_LIST_BYTES }, signal);
    const context = sender.context(get, reply.progress);
    return readOrRaise(readListReply(reply.body), 'with no list of files', reply, context);
  }
}

function pathOf(id: FileId): string {
  return `/files/${encodeURIComponent(id)}`;
}
