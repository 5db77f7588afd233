/** The operations on batches. Each returns its reply or throws `ApiError`. */
import { linkSync } from 'node:fs';

import { ApiError, methodNotAllowed, noSuchBatch, unknownUrl } from './api-error.ts';
import { batchObject } from './batch-object.ts';
import { judgeBatchRequest, readJsonBody } from './batch-request.ts';
import type { BatchRules } from './batch-rules.ts';
import type { BatchRunner } from './batch-runner.ts';
import type { BatchStore } from './batch-store.ts';
import { boundedInteger } from './bounded-integer.ts';
import type { Exchange } from './exchange.ts';
import type { FileStore } from './file-store.ts';
import type { Reply } from './reply.ts';
import { jsonReply } from './reply.ts';
import type { StoredBatch } from './stored-batch.ts';

export interface BatchesContext {
  readonly batches: BatchStore;
  readonly runner: BatchRunner;
  readonly files: FileStore;
  readonly rules: BatchRules;
  readonly basePath: string;
  readonly byUpstream: boolean;
  /** Pages are never longer than this. */
  readonly maxPageSize: number;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
}

const PAGE = { default: 20, max: 100 };

/** Does what the request asks for. Throws `ApiError`. */
export async function routeBatches(context: BatchesContext, exchange: Exchange): Promise<Reply> {
  const { method, path } = exchange.entry;
  const route = /^\/batches(?:\/(?<id>[^/]+)(?<cancel>\/cancel)?)?$/.exec(
    path.slice(context.basePath.length),
  );
  if (route === null) throw unknownUrl(method, path);
  const id = route.groups?.['id'];
  if (id === undefined) {
    if (method === 'POST') return create(context, exchange);
    if (method !== 'GET') throw methodNotAllowed(method, path, 'GET, POST');
    await exchange.passStage('body');
    await context.runner.catchUp();
    return list(context, exchange);
  }
  exchange.entry.id = id;
  await exchange.passStage('body');
  await context.runner.catchUp();
  const cancels = route.groups?.['cancel'] !== undefined;
  if (method !== (cancels ? 'POST' : 'GET')) throw methodNotAllowed(method, path, cancels ? 'POST' : 'GET');
  const batch = context.batches.get(id);
  if (batch === null || exchange.meddling.hides(batch)) throw noSuchBatch(id);
  return jsonReply(200, describe(context, cancels ? cancel(context, batch) : batch));
}

function describe({ runner, rules, nowMs }: BatchesContext, batch: StoredBatch): Record<string, unknown> {
  return batchObject(batch, runner.done(batch), nowMs(), rules);
}

async function create(context: BatchesContext, exchange: Exchange): Promise<Reply> {
  const { batches, files, rules, byUpstream, nowMs } = context;
  const fields = await readJsonBody(exchange.body());
  await exchange.passStage('body');
  const request = judgeBatchRequest(fields, rules);
  const key = rules.idempotencyHeader === null ? null : (exchange.header(rules.idempotencyHeader) ?? null);
  const first = key === null ? undefined : batches.all().find(({ idempotencyKey }) => idempotencyKey === key);
  const input = inputPath(files, request.inputFileId);
  const batch =
    first ??
    batches.add(
      { ...request, createdAtMs: nowMs(), idempotencyKey: key, byUpstream },
      rules.id,
      ({ input: link }) => linkSync(input, link),
    );
  exchange.entry.id = batch.id;
  return jsonReply(200, describe(context, batch));
}

function inputPath(files: FileStore, id: string): string {
  const file = files.get(id);
  const details = { param: 'input_file_id' };
  if (file === null) {
    throw new ApiError(400, `Cannot find file ${id}, or this project does not have access to it.`, details);
  }
  if (file.purpose !== 'batch') {
    throw new ApiError(400, `Invalid purpose of file ${id}: '${file.purpose}'. It must be 'batch'.`, details);
  }
  const path = files.contentPath(file);
  if (path === null) throw new ApiError(400, 'The content of this file was not kept.', details);
  return path;
}

function cancel({ batches, nowMs }: BatchesContext, batch: StoredBatch): StoredBatch {
  if (batch.end !== null) {
    throw new ApiError(409, `Cannot cancel a batch with status '${batch.end.status}'.`);
  }
  if (batch.cancellingAtMs !== null) return batch;
  return batches.change(batch.id, { cancellingAtMs: nowMs() }) ?? batch;
}

function list(context: BatchesContext, exchange: Exchange): Reply {
  const { rules, nowMs } = context;
  const { query } = exchange.entry;
  const limit =
    query['limit'] === undefined ? PAGE.default : boundedInteger(query['limit'], 'limit', 1, PAGE.max);
  const { batches, maxPageSize, endless, atMs } = exchange.meddling.listBatches({
    batches: context.batches.all(),
    maxPageSize: context.maxPageSize,
    endless: false,
    atMs: nowMs(),
  });
  const known = rules.listOrder === 'asc' ? batches : batches.toReversed();
  const after = query['after'];
  const start = !rules.listPages || after === undefined || endless ? 0 : cursorPosition(known, after);
  const size = rules.listPages ? Math.min(limit, maxPageSize) : Infinity;
  const page = known.slice(start, start + size);
  return jsonReply(200, {
    object: 'list',
    [rules.listKey]: page.map((batch) => batchObject(batch, context.runner.done(batch), atMs, rules)),
    // The published description wants strings here, even of an empty list.
    ...(rules.listPages ? { first_id: page[0]?.id ?? '', last_id: page.at(-1)?.id ?? '' } : {}),
    has_more: endless || start + page.length < known.length,
  });
}

function cursorPosition(known: readonly StoredBatch[], id: string): number {
  const position = known.findIndex((batch) => batch.id === id);
  if (position === -1) throw noSuchBatch(id);
  return position + 1;
}
