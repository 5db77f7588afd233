/** The five operations on files. Each returns its reply or throws `ApiError`. */
import { ApiError, methodNotAllowed, noSuchFile, storageQuotaExceeded, unknownUrl } from './api-error.ts';
import type { Dialect } from './dialects.ts';
import type { Exchange } from './exchange.ts';
import type { ArmedAct } from './fault-injection.ts';
import type { FileStore } from './file-store.ts';
import { listPage } from './list-page.ts';
import { boundaryOf } from './multipart.ts';
import type { Reply } from './reply.ts';
import { jsonReply } from './reply.ts';
import type { StoredFile } from './stored-file.ts';
import { boundedInteger, judgeUploadForm, readUploadForm } from './upload-form.ts';

const MAX_LIST_LIMIT = 10_000;
/** Room for the form around a file of the greatest size. */
const FORM_OVERHEAD_BYTES = 1024 * 1024;
/** Inputs that may be downloaded again even where contents are guarded. */
const ALWAYS_READABLE: ReadonlySet<string> = new Set(['batch', 'fine-tune']);

export interface FilesContext {
  readonly store: FileStore;
  readonly dialect: Dialect;
  readonly contentReadable: boolean;
  /** Bytes of all files together; null: no limit. */
  readonly storageBytes: number | null;
  readonly maxPageSize: number;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
}

/** Does what the request asks for. Throws `ApiError`. */
export async function routeFiles(context: FilesContext, exchange: Exchange): Promise<Reply> {
  const { method, path } = exchange.entry;
  const route = path.startsWith(context.dialect.basePath)
    ? /^\/files(?:\/(?<id>[^/]+)(?<content>\/content)?)?$/.exec(path.slice(context.dialect.basePath.length))
    : null;
  if (route === null) throw unknownUrl(method, path);
  const id = route.groups?.['id'];
  if (id === undefined) {
    if (method === 'POST') return upload(context, exchange);
    if (method !== 'GET') throw methodNotAllowed(method, path, 'GET, POST');
    await exchange.passStage('body');
    return list(context, exchange);
  }
  exchange.entry.id = id;
  await exchange.passStage('body');
  if (route.groups?.['content'] !== undefined) {
    if (method !== 'GET') throw methodNotAllowed(method, path, 'GET');
    return download(context, exchange, id);
  }
  if (method === 'GET') return jsonReply(200, fileObject(visibleFile(context, exchange, id), 'processed'));
  if (method !== 'DELETE') throw methodNotAllowed(method, path, 'GET, DELETE');
  if (!context.store.remove(id)) throw noSuchFile(id);
  return jsonReply(200, { object: 'file', deleted: true, id });
}

/** The file as the API describes it: `expires_at` is absent, not null, when the file does not expire. */
function fileObject(file: StoredFile, status: Dialect['uploadedStatus']): Record<string, unknown> {
  return {
    object: 'file',
    id: file.id,
    purpose: file.purpose,
    filename: file.filename,
    bytes: file.bytes,
    created_at: file.createdAt,
    ...(file.expiresAt === null ? {} : { expires_at: file.expiresAt }),
    status,
  };
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
  const { dialect } = context;
  const query = dialect.listParameters === 'ignored' ? {} : exchange.entry.query;
  const [refused] = dialect.listParameters === 'refused' ? Object.keys(query) : [];
  if (refused !== undefined)
    throw new ApiError(400, `Unknown query parameter: '${refused}'.`, { param: refused });
  const { order = 'desc', limit, after, purpose = null } = query;
  if (order !== 'asc' && order !== 'desc') {
    const message = `Invalid value: '${order}'. Supported values are: 'asc' and 'desc'.`;
    throw new ApiError(400, message, { param: 'order', code: 'invalid_value' });
  }
  const asked = limit === undefined ? MAX_LIST_LIMIT : boundedInteger(limit, 'limit', 1, MAX_LIST_LIMIT);
  const endless = exchange.acts.some((act) => act.kind === 'list-endless');
  const files = visibleFiles(context, exchange.acts);
  const page = listPage(files, {
    purpose,
    order,
    after: after === undefined || endless ? null : cursorFile(context, files, after),
    limit: Math.min(asked, context.maxPageSize, ...exchange.acts.map(pageLimit)),
  });
  const data = page.files.map((file) => fileObject(file, 'processed'));
  if (dialect.listEnvelope === 'bare') return jsonReply(200, { object: 'list', data });
  return jsonReply(200, {
    object: 'list',
    data,
    // The published description wants strings here, even of an empty list.
    first_id: page.files[0]?.id ?? '',
    last_id: page.files.at(-1)?.id ?? '',
    has_more: page.hasMore || endless,
  });
}

/** What a cursor of a vanished file means is written nowhere; a refusal is the answer that hides no files. */
function cursorFile({ store }: FilesContext, files: readonly StoredFile[], id: string): StoredFile {
  const file = store.get(id) ?? files.find((candidate) => candidate.id === id);
  if (file === undefined) throw new ApiError(404, `No such File object: ${id}`, { param: 'after' });
  return file;
}

function pageLimit(act: ArmedAct): number {
  return act.kind === 'list-short' ? act.files : Infinity;
}

function visibleFiles({ store, nowMs }: FilesContext, acts: readonly ArmedAct[]): readonly StoredFile[] {
  let files = store.sorted();
  for (const act of acts) {
    if (act.kind === 'list-stale') files = act.files;
    if (act.kind === 'list-lag') files = files.filter((file) => file.createdAtMs + act.ms <= nowMs());
  }
  return files;
}

function visibleFile({ store, nowMs }: FilesContext, exchange: Exchange, id: string): StoredFile {
  const file = store.get(id);
  const lags = exchange.acts.some(
    (act) => act.kind === 'list-lag' && act.retrieve && file !== null && file.createdAtMs + act.ms > nowMs(),
  );
  if (file === null || lags) throw noSuchFile(id);
  return file;
}

function download(context: FilesContext, exchange: Exchange, id: string): Reply {
  const file = visibleFile(context, exchange, id);
  if (!context.contentReadable && !ALWAYS_READABLE.has(file.purpose)) {
    throw new ApiError(400, `Not allowed to download files of purpose: ${file.purpose}`);
  }
  const stream = context.store.readContent(file);
  if (stream === null) throw new ApiError(400, 'The content of this file was not kept.');
  const headers = { 'content-type': 'application/octet-stream' };
  return { status: 200, headers, body: { kind: 'stream', stream, bytes: file.bytes } };
}
