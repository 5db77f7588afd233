/**
 * A faithful local Files and Batch API over plain HTTP: the embedded default when there is no API key, and the server of
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

import { checkKey, shownKey } from './access.ts';
import { ApiError, tooManyUploads } from './api-error.ts';
import { routeBatches } from './batches-routes.ts';
import type { Desk } from './desk.ts';
import { openDesk } from './desk.ts';
import type { Dialect } from './dialects.ts';
import type { EmulatorOptions } from './emulator-options.ts';
import { Exchange } from './exchange.ts';
import type { FileStore } from './file-store.ts';
import { routeFiles } from './files-routes.ts';
import type { Reply } from './reply.ts';
import type { OpenRequest } from './logged-request.ts';
import type { StoredBatch } from './stored-batch.ts';
import type { StoredFile } from './stored-file.ts';

export type { EmulatorOptions } from './emulator-options.ts';

export interface Emulator {
  /** The base URL of the API, its path included: `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  /** What lies behind the counter. */
  readonly store: FileStore;
  /** All files that exist now, oldest first. */
  files(): readonly StoredFile[];
  readonly batches: {
    /** All batches, oldest first, as they were when they were last asked for. */
    all(): readonly StoredBatch[];
    /** Does everything that is due by the clock, however long it takes. */
    settle(): Promise<void>;
    /** Removes a batch behind everyone's back. False when there is none. */
    remove(id: string): boolean;
  };
  /** Ends all connections and stops. */
  close(): Promise<void>;
}

/** Starts the server. Throws when the port is taken or the data folder cannot be used. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'files-emulator-'));
  const desk = openDesk(options, dataDir);
  const { store, dialect } = desk.files;
  const { batches, runner } = desk.batches;
  const running = new Set<Promise<void>>();
  // Slow uploads are the client's affair, and an idle connection outlives the pauses that clients make.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 65_000 }, (request, response) => {
    const work = serve(desk, request, response);
    running.add(work);
    void work.finally(() => running.delete(work));
  });
  const clearAway = async (): Promise<void> => {
    await Promise.all(running);
    await runner.close();
    batches.close();
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
    batches: {
      all: () => batches.all(),
      settle: () => runner.settle(),
      remove: (id) => batches.remove(id),
    },
    close: () => (closing ??= close()),
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
    const { basePath, batches } = files.dialect;
    if (
      batches !== null &&
      /^\/batches(?:\/|$)/.test(path.slice(path.startsWith(basePath) ? basePath.length : 0))
    )
      return routeBatches(desk.batches, exchange);
    return routeFiles(files, exchange);
  }, desk.onInternalError);
}

function checkQuery(entry: OpenRequest, { requiredQuery }: Dialect): void {
  if (requiredQuery === null || entry.query[requiredQuery]) return;
  throw new ApiError(404, 'Resource not found', { code: '404', param: requiredQuery });
}
