/** The five operations on files. Each returns its reply or throws `ApiError`. */
import { ApiError, methodNotAllowed, noSuchFile, storageQuotaExceeded, unknownUrl } from './api-error.ts';
import type { Dialect } from './dialects.ts';
import type { Exchange } from './exchange.ts';
import type { FileStore } from './file-store.ts';
import { listPage, listQuery, listReply } from './listing.ts';
import { boundaryOf } from './multipart.ts';
import type { Reply } from './reply.ts';
import { jsonReply } from './reply.ts';
import { fileObject } from './stored-file.ts';
import type { StoredFile } from './stored-file.ts';
import { judgeUploadForm, readUploadForm } from './upload-form.ts';

/** Room for the form around a file of the greatest size. */
const FORM_OVERHEAD_BYTES = 1024 * 1024;

export interface FilesContext {
  readonly store: FileStore;
  readonly dialect: Dialect;
  readonly contentReadable: boolean;
  /** Bytes of all files together; null: no limit. */
  readonly storageBytes: number | null;
  readonly maxPageSize: number;
  /** Has what batches are to have stored by now. */
  readonly catchUp: () => Promise<void>;
}

/** Does what the request asks for. Throws `ApiError`. */
export async function routeFiles(context: FilesContext, exchange: Exchange): Promise<Reply> {
  const { method, path } = exchange.entry;
  const route = path.startsWith(context.dialect.basePath)
    ? /^\/files(?:\/(?<id>[^/]+)(?<content>\/content)?)?$/.exec(path.slice(context.dialect.basePath.length))
    : null;
  if (route === null) throw unknownUrl(method, path);
  const id = decoded(route.groups?.['id']);
  if (id === undefined) {
    if (method === 'POST') return upload(context, exchange);
    if (method !== 'GET') throw methodNotAllowed(method, path, 'GET, POST');
    await exchange.passStage('body');
    await context.catchUp();
    return list(context, exchange);
  }
  exchange.entry.id = id;
  await exchange.passStage('body');
  await context.catchUp();
  if (route.groups?.['content'] !== undefined) {
    if (method !== 'GET') throw methodNotAllowed(method, path, 'GET');
    return download(context, exchange, id);
  }
  if (method === 'GET') return jsonReply(200, fileObject(visibleFile(context, exchange, id), 'processed'));
  if (!context.dialect.canDelete) throw methodNotAllowed(method, path, 'GET');
  if (method !== 'DELETE') throw methodNotAllowed(method, path, 'GET, DELETE');
  if (!context.store.remove(id)) throw noSuchFile(id);
  return jsonReply(200, { object: 'file', deleted: true, id });
}

/** The id that a path names; as it is when it is no valid escape. */
function decoded(part: string | undefined): string | undefined {
  if (part === undefined) return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function upload(context: FilesContext, exchange: Exchange): Promise<Reply> {
  const { store, dialect } = context;
  const { entry } = exchange;
  if (Number(exchange.header('content-length') ?? 0) > dialect.maxFileBytes + FORM_OVERHEAD_BYTES) {
    throw new ApiError(413, `Maximum content size limit (${dialect.maxFileBytes}) exceeded`);
  }
  const boundary = boundaryOf(exchange.header('content-type'));
  const spool = store.spool();
  try {
    const form = await readUploadForm({
      body: exchange.body(),
      boundary,
      dialect,
      spool,
      onFile: (filename, purpose) => exchange.nameUpload(filename, purpose),
      onProgress: (bytes) => {
        entry.bytes = bytes;
      },
    });
    entry.purpose = form.fields.get('purpose') ?? null;
    entry.sha256 = spool.sha256();
    await exchange.passStage('body');
    const newFile = judgeUploadForm(form, dialect);
    if (context.storageBytes !== null && store.totalBytes + form.bytes > context.storageBytes) {
      throw storageQuotaExceeded(context.storageBytes);
    }
    const file = await store.commit(spool, newFile);
    entry.id = file.id;
    return jsonReply(dialect.uploadReplyStatus, fileObject(file, dialect.uploadedStatus));
  } catch (error) {
    await spool.discard();
    throw error;
  }
}

function list(context: FilesContext, exchange: Exchange): Reply {
  const rules = context.dialect.list;
  const asked = listQuery(exchange.entry.query, rules);
  const { files, maxPageSize, endless } = exchange.meddling.list({
    files: context.store.sorted(),
    maxPageSize: context.maxPageSize,
    endless: false,
  });
  const page = listPage(files, {
    purpose: asked.purpose,
    order: asked.order,
    after: asked.after === null || endless ? null : cursorFile(context, files, asked.after),
    limit: Math.min(asked.limit, maxPageSize),
  });
  return jsonReply(200, listReply(page, endless, rules));
}

/** What a cursor of a vanished file means is written nowhere; a refusal is the answer that hides no files. */
function cursorFile({ store }: FilesContext, files: readonly StoredFile[], id: string): StoredFile {
  const file = store.get(id) ?? files.find((candidate) => candidate.id === id);
  if (file === undefined) throw new ApiError(404, `No such File object: ${id}`, { param: 'after' });
  return file;
}

function visibleFile({ store }: FilesContext, exchange: Exchange, id: string): StoredFile {
  const file = store.get(id);
  if (file === null || exchange.meddling.hides(file)) throw noSuchFile(id);
  return file;
}

function download(context: FilesContext, exchange: Exchange, id: string): Reply {
  const file = visibleFile(context, exchange, id);
  if (!context.contentReadable && context.dialect.guardedPurposes.includes(file.purpose)) {
    throw new ApiError(400, `Not allowed to download files of purpose: ${file.purpose}`);
  }
  const stream = context.store.readContent(file);
  if (stream === null) throw new ApiError(400, 'The content of this file was not kept.');
  const headers = { 'content-type': 'application/octet-stream' };
  return { status: 200, headers, body: { kind: 'stream', stream, bytes: file.bytes } };
}
