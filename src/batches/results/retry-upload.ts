import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import type { BatchRecord, RequestsFile, SubmissionId } from '../../contract/batch.ts';
import { Fault } from '../../contract/faults.ts';
import { remoteNameOf } from '../../contract/mirror-path.ts';
import type { Clock } from '../../contract/ports.ts';
import type { FileId, RemoteFile } from '../../contract/types.ts';
import type { BatchFiles, LineEnd } from '../ports.ts';
import { LineSplitter } from './line-splitter.ts';
import { openLocal } from './local-requests.ts';
import { RequestReader } from './request-index.ts';
import { chunksOf, diskFault, writeAll } from './results-disk.ts';
import type { ResultsDisk } from './results-disk.ts';
import type { Staging } from './staging.ts';

/** The durable note of one file of lines that are tried again, and of its upload. */
const noteSchema = z.object({
  version: z.literal(1),
  name: z.string(),
  sizeBytes: z.number(),
  sha256: z.string(),
  file: z.object({
    requests: z.number(),
    endpoint: z.string().nullable(),
    model: z.string().nullable(),
    inputTokens: z.number(),
  }),
  /** Durable before the POST; null: none was made whose outcome is open. Unix milliseconds, as all times here. */
  startedAtMs: z.number().nullable(),
  /** The same by the server's clock, where it was known. */
  serverStartedAtMs: z.number().nullable(),
  /** Since when it is looked for. */
  lookedSinceMs: z.number().nullable(),
  fileId: z.string().nullable(),
});

type Note = z.infer<typeof noteSchema>;

const NOT_SENT = { startedAtMs: null, serverStartedAtMs: null, lookedSinceMs: null } as const;

/** Clocks of servers are not quite one. */
const MARGIN_MS = 5 * 60_000;
const LOOK_AGAIN_MS = 30_000;

export interface RetryUploadParts {
  /** Absolute. */
  readonly root: string;
  readonly files: BatchFiles;
  readonly clock: Clock;
  readonly lookSeconds: number;
  readonly expiresAfterSeconds: number | null;
  readonly staging: Staging;
}

export interface Uploaded {
  readonly inputFileId: FileId;
  readonly sha256: string;
  readonly file: RequestsFile;
}

/** Lines that are tried again, as a file of their own, uploaded once. */
export class RetryUpload {
  readonly #parts: RetryUploadParts;
  /** Files of one name and size are never under way together: that is what makes a listing decisive. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(parts: RetryUploadParts) {
    this.#parts = parts;
  }

  async upload(
    id: SubmissionId,
    record: BatchRecord,
    generation: number,
    lines: readonly LineEnd[],
    signal: AbortSignal,
  ): Promise<Uploaded> {
    const { staging } = this.#parts;
    const paths: Paths = {
      content: staging.pathOf(id, `retry-${generation}.jsonl`),
      note: staging.pathOf(id, `retry-${generation}.json`),
    };
    const { data } = noteSchema.safeParse(await staging.read(paths.note));
    const note = data ?? (await this.#make(id, record, generation, lines, paths, signal));
    const key = JSON.stringify([note.name, note.sizeBytes]);
    const before = this.#running.get(key);
    const upload = Promise.resolve(before)
      .catch(() => {})
      .then(() => this.#send(paths, note, signal));
    this.#running.set(key, upload);
    try {
      const inputFileId = await upload;
      return { inputFileId, sha256: note.sha256, file: note.file };
    } finally {
      if (this.#running.get(key) === upload) this.#running.delete(key);
    }
  }

  async #send(paths: Paths, note: Note, signal: AbortSignal): Promise<FileId> {
    if (note.fileId !== null) return note.fileId;
    const found = note.startedAtMs === null ? null : await this.#find(paths, note, signal);
    if (found !== null) return await this.#close(paths, note, found);
    const { files, clock, staging, expiresAfterSeconds } = this.#parts;
    const startedAtMs = clock.wallMs();
    const started: Note = {
      ...note,
      startedAtMs,
      serverStartedAtMs: files.serverNowMs(),
      lookedSinceMs: null,
    };
    await staging.note(paths.note, started);
    const { name: remoteName, sizeBytes } = note;
    const body = (): AsyncIterable<Uint8Array> => contentOf(staging.disk, paths.content);
    try {
      const request = { purpose: 'batch', remoteName, sizeBytes, expiresAfterSeconds, body };
      return await this.#close(paths, note, (await files.upload(request, signal)).id);
    } catch (error) {
      if (error instanceof Fault && error.outcome === 'refused') {
        await staging.note(paths.note, { ...note, ...NOT_SENT });
      }
      throw error;
    }
  }

  async #close(paths: Paths, note: Note, fileId: FileId): Promise<FileId> {
    await this.#parts.staging.note(paths.note, { ...note, ...NOT_SENT, fileId });
    return fileId;
  }

  /** What became of an upload whose reply was lost; null: it was surely not stored. Throws while that is open. */
  async #find(paths: Paths, note: Note, signal: AbortSignal): Promise<FileId | null> {
    const { files, clock, lookSeconds, staging } = this.#parts;
    for (const id of await this.#candidates(note, signal)) {
      if (await this.#hasContent(id, note, signal)) return id;
    }
    const nowMs = files.serverNowMs() ?? clock.wallMs();
    const sinceMs = note.lookedSinceMs ?? nowMs;
    if (note.lookedSinceMs === null) await staging.note(paths.note, { ...note, lookedSinceMs: sinceMs });
    const leftMs = sinceMs + lookSeconds * 1000 - nowMs;
    if (leftMs <= 0) return null;
    throw new Fault(`${note.name}: it is looked up whether its upload was stored`, {
      disposition: 'retry',
      outcome: 'unknown',
      rule: 'unknown-upload',
      retryAfterMs: Math.min(LOOK_AGAIN_MS, leftMs),
    });
  }

  /** Files that may be the one that was sent, the oldest first. */
  async #candidates(note: Note, signal: AbortSignal): Promise<readonly FileId[]> {
    const { files } = this.#parts;
    const sinceMs = note.serverStartedAtMs === null ? null : note.serverStartedAtMs - MARGIN_MS;
    const isOld = ({ createdAt }: RemoteFile): boolean =>
      sinceMs !== null && createdAt !== null && createdAt * 1000 < sinceMs;
    const found: FileId[] = [];
    for await (const page of files.list({ purpose: 'batch', order: 'desc' }, signal)) {
      const fits = page.filter(
        (file) =>
          file.filename === note.name &&
          (file.bytes === null || file.bytes === note.sizeBytes) &&
          !isOld(file) &&
          !files.isKnown(file.id),
      );
      found.push(...fits.map(({ id }) => id));
      if (page.some(isOld)) break;
    }
    return found.toReversed();
  }

  /** Equal bytes, as far as the server shows them: some let nobody read an input again. */
  async #hasContent(id: FileId, note: Note, signal: AbortSignal): Promise<boolean> {
    const digest = createHash('sha256');
    try {
      const { chunks } = await this.#parts.files.content(id, signal);
      for await (const chunk of chunks) digest.update(chunk);
    } catch (error) {
      if (!(error instanceof Fault) || error.disposition === 'fatal') throw error;
      if (error.status === 404) return false;
      if (error.status === null || error.status >= 500 || error.status === 429) throw error;
      return true;
    }
    return digest.digest('hex') === note.sha256;
  }

  async #make(
    id: SubmissionId,
    record: BatchRecord,
    generation: number,
    lines: readonly LineEnd[],
    paths: Paths,
    signal: AbortSignal,
  ): Promise<Note> {
    const { root, staging } = this.#parts;
    const { path, sha256, inputFileId } = record;
    const wanted = new Set(lines.map(({ line }) => line));
    const picked = await staging.fill(paths.content, async (handle) => {
      const local = await openLocal(staging.disk, root, path);
      const fromPath = await pickLines(local, sha256, wanted, handle, signal);
      if (fromPath !== null) return fromPath;
      const staged = await staging.fetch(id, 'input', inputFileId, signal);
      return await pickLines(await staging.disk.open(staged, 'r'), sha256, wanted, handle, signal);
    });
    if (picked === null) throw noInput(path);
    const name = `${remoteNameOf(path).replace(/\.jsonl$/i, '')}.retry-${generation}.jsonl`;
    const note: Note = { version: 1, name, ...picked, ...NOT_SENT, fileId: null };
    await staging.note(paths.note, note);
    return note;
  }
}

interface Paths {
  readonly content: string;
  readonly note: string;
}

type Picked = Pick<Note, 'sizeBytes' | 'sha256' | 'file'>;

/**
 * Writes the wanted lines of an input, byte for byte, each with an LF, in place of what `into` held. Null: it is not the
 * input any more. Closes `from`.
 */
async function pickLines(
  from: FileHandle | null,
  inputSha256: string,
  wanted: ReadonlySet<number>,
  into: FileHandle,
  signal: AbortSignal,
): Promise<Picked | null> {
  if (from === null) return null;
  const whole = createHash('sha256');
  const digest = createHash('sha256');
  const reader = new RequestReader();
  let sizeBytes = 0;
  let line = 0;
  let pending: Buffer[] = [];
  const splitter = new LineSplitter(({ bytes }) => {
    line += 1;
    if (wanted.has(line) && bytes !== null) pending.push(Buffer.from(bytes), LF);
  });
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(pending);
    pending = [];
    digest.update(bytes);
    reader.write(bytes);
    await writeAll(into, bytes, sizeBytes);
    sizeBytes += bytes.length;
  };
  try {
    await into.truncate(0);
    for await (const chunk of chunksOf(from)) {
      signal.throwIfAborted();
      whole.update(chunk);
      splitter.write(chunk);
      await flush();
    }
    splitter.end();
    await flush();
  } finally {
    await from.close().catch(() => {});
  }
  const { file } = reader.end();
  if (whole.digest('hex') !== inputSha256 || file.requests !== wanted.size) return null;
  return { sizeBytes, sha256: digest.digest('hex'), file };
}

const LF = Buffer.from('\n');

/** Throws `Fault` halt `state` when it cannot be read. */
async function* contentOf(disk: ResultsDisk, path: string): AsyncGenerator<Uint8Array, void, undefined> {
  let handle: FileHandle | null = null;
  try {
    handle = await disk.open(path, 'r');
    yield* chunksOf(handle);
  } catch (error) {
    throw diskFault(path, error);
  } finally {
    await handle?.close().catch(() => {});
  }
}

function noInput(path: string): Fault {
  const details = { disposition: 'skip', outcome: 'refused', rule: 'gone' } as const;
  return new Fault(
    `${path}: its lines cannot be tried again: it is another file by now, here and at the API`,
    details,
  );
}
