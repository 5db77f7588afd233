/**
 * A faithful local Files API over plain HTTP: the embedded default when there is no API key, and the server of
 * the tests, which may meddle with requests and see behind the counter. It knows nothing of the mirror.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Authorization } from './access.ts';
import { checkKey, shownKey } from './access.ts';
import { ApiError, tooManyUploads } from './api-error.ts';
import type { Dialect, DialectName, ListRules } from './dialects.ts';
import { dialects } from './dialects.ts';
import { Exchange } from './exchange.ts';
import { FileStore } from './file-store.ts';
import { meddleNot, type Meddle } from './meddling.ts';
import type { FilesContext } from './files-routes.ts';
import { routeFiles } from './files-routes.ts';
import type { Reply } from './reply.ts';
import type { OpenRequest } from './logged-request.ts';
import type { StoredFile } from './stored-file.ts';
import { UploadWindow } from './upload-window.ts';

/** The server's own clock: for `created_at`, expiry and the `Date` header, and for the upload limit. */
interface EmulatorClock {
  /** Unix milliseconds. May jump. */
  nowMs(): number;
  /** Never jumps. Default: `performance.now()`. */
  monotonicMs?(): number;
}

export interface EmulatorOptions {
  /** Default: `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Where files live across restarts. Default: a temporary folder that `close` removes. */
  readonly dataDir?: string;
  /** Default `any`: a key must be shown, no matter which. */
  readonly authorization?: Authorization;
  /** Which server to be like. Default: `openai`. */
  readonly dialect?: DialectName;
  /** Uploads in any 60 s before a 429; null: no limit. Default: 1,000. */
  readonly uploadsPerMinute?: number | null;
  /** Bytes of all files together before the quota 400; null: no limit. Default: 2.5 TB. */
  readonly storageBytes?: number | null;
  /** Pages of a listing are never longer than this, whatever `limit` asks for. Default: no such bound. */
  readonly maxPageSize?: number;
  /** How its listing differs from the dialect's. */
  readonly list?: Partial<ListRules>;
  /**
   * True: `GET /files/{id}/content` gives every file's content, which is useful locally. False: only that of the
   * purposes that the server gives out, at OpenAI neither assistants nor vision nor user_data. Default: false.
   */
  readonly contentReadable?: boolean;
  /** True: contents are neither hashed nor kept, only metadata; for measuring clients. Default: false. */
  readonly discard?: boolean;
  readonly clock?: EmulatorClock;
  /** Told of errors that the emulator did not expect; the request got a 500. */
  readonly onInternalError?: (error: unknown) => void;
  /** What befalls each request; for tests. Default: nothing. */
  readonly meddle?: Meddle;
}

export interface Emulator {
  /** The base URL of the API, its path included: `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  /** What lies behind the counter. */
  readonly store: FileStore;
  /** All files that exist now, oldest first. */
  files(): readonly StoredFile[];
  /** Ends all connections and stops. */
  close(): Promise<void>;
}

const UPLOADS_PER_MINUTE = 1000;
const STORAGE_BYTES = 2_500_000_000_000;
const systemClock: EmulatorClock = { nowMs: () => Date.now() };

/** Starts the server. Throws when the port is taken or the data folder cannot be used. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'files-emulator-'));
  const desk = openDesk(options, dataDir);
  const { store, dialect } = desk.files;
  const running = new Set<Promise<void>>();
  // Slow uploads are the client's affair, and an idle connection outlives the pauses that clients make.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 65_000 }, (request, response) => {
    const work = serve(desk, request, response);
    running.add(work);
    void work.finally(() => running.delete(work));
  });
  const clearAway = async (): Promise<void> => {
    await Promise.all(running);
    await store.close();
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };

  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    await clearAway();
    throw error;
  }
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    await clearAway();
  };
  // A second call must not close descriptors that belong to somebody else by then.
  let closing: Promise<void> | null = null;
  return {
    url: `${originOf(server.address() as AddressInfo)}${dialect.basePath}`,
    files: () => [...store.sorted()],
    store,
    close: () => (closing ??= close()),
  };
}

/** What every request needs. */
interface Desk {
  readonly files: FilesContext;
  readonly window: UploadWindow;
  readonly authorization: Authorization;
  readonly monotonicMs: () => number;
  readonly nowMs: () => number;
  readonly meddle: Meddle;
  readonly onInternalError: (error: unknown) => void;
}

function openDesk(options: EmulatorOptions, dataDir: string): Desk {
  const {
    clock = systemClock,
    discard = false,
    storageBytes = STORAGE_BYTES,
    uploadsPerMinute = UPLOADS_PER_MINUTE,
  } = options;
  const nowMs = (): number => clock.nowMs();
  const named = dialects[options.dialect ?? 'openai'];
  const dialect: Dialect = { ...named, list: { ...named.list, ...options.list } };
  const store = new FileStore({ dataDir, id: dialect.id, discard, nowMs });
  return {
    files: {
      store,
      dialect,
      contentReadable: options.contentReadable ?? false,
      storageBytes,
      maxPageSize: options.maxPageSize ?? Infinity,
    },
    nowMs,
    meddle: options.meddle ?? meddleNot,
    window: new UploadWindow(uploadsPerMinute),
    authorization: options.authorization ?? 'any',
    monotonicMs: () => clock.monotonicMs?.() ?? performance.now(),
    onInternalError: options.onInternalError ?? (() => {}),
  };
}

function originOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

async function serve(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { files, window, monotonicMs } = desk;
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  const key = shownKey(request.headers, files.dialect.apiKeyHeader);
  const entry: OpenRequest = {
    method: request.method ?? 'GET',
    path,
    query: Object.fromEntries(new URLSearchParams(query)),
    arrivedMonotonicMs: monotonicMs(),
    arrivedWallMs: desk.nowMs(),
    authorized: key !== null,
    status: null,
    requestId: `req_${randomUUID().replaceAll('-', '')}`,
    purpose: null,
    filename: null,
    bytes: null,
    sha256: null,
    id: null,
    aborted: false,
    faults: [],
  };
  response.sendDate = false;
  response.setHeader('date', new Date(entry.arrivedWallMs).toUTCString());
  response.setHeader('x-request-id', entry.requestId);

  // The window counts what arrives, whatever becomes of it.
  const isUpload = entry.method === 'POST' && entry.path === `${files.dialect.basePath}/files`;
  const waitMs = isUpload ? window.admit(entry.arrivedMonotonicMs) : null;
  const exchange = new Exchange(request, response, entry, desk.meddle);
  await exchange.run(async (): Promise<Reply> => {
    checkKey(key, desk.authorization);
    checkQuery(entry, files.dialect);
    if (waitMs !== null) throw tooManyUploads(desk.window.limit, Math.ceil(waitMs / 1000));
    return routeFiles(files, exchange);
  }, desk.onInternalError);
}

function checkQuery(entry: OpenRequest, { requiredQuery }: Dialect): void {
  if (requiredQuery === null || entry.query[requiredQuery]) return;
  throw new ApiError(404, 'Resource not found', { code: '404', param: requiredQuery });
}
