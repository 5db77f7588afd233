import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import type { ReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { ContentSpool } from './content-spool.ts';
import { CountingSpool, HashingSpool } from './content-spool.ts';
import { RecordJournal } from './record-journal.ts';
import type { StoredFile } from './stored-file.ts';
import { agePosition, storedFileSchema } from './stored-file.ts';

export interface FileStoreOptions {
  readonly dataDir: string;
  /** How an id begins, and how many characters follow. */
  readonly id: { readonly prefix: string; readonly characters: number };
  /** True: contents are counted and forgotten; only metadata is kept. */
  readonly discard: boolean;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
}

/** What is known of a file before it is stored. */
export interface NewFile {
  readonly purpose: string;
  readonly filename: string;
  /** Null: never. */
  readonly expiresAfterSeconds: number | null;
  /** Unix milliseconds. Default: now. */
  readonly createdAtMs?: number;
}

/**
 * The files: metadata in memory and in a journal, contents as `content/<id>` beside it. A file exists when its
 * journal line does; content without a line is a leftover of a crash and is cleared at start.
 */
export class FileStore {
  readonly #options: FileStoreOptions;
  readonly #journal: RecordJournal<StoredFile>;
  readonly #contentDir: string;
  readonly #incomingDir: string;
  readonly #byId = new Map<string, StoredFile>();
  /** Oldest first. */
  readonly #sorted: StoredFile[] = [];
  readonly #unlinking = new Set<Promise<void>>();
  #totalBytes = 0;
  #nextSequence = 0;
  #nextSpool = 0;
  /** No file expires before this unix second. */
  #soonestExpiry = Infinity;

  /** Opens or creates the store. Throws `Error` when its journal is damaged or its folder cannot be used. */
  constructor(options: FileStoreOptions) {
    this.#options = options;
    this.#contentDir = join(options.dataDir, 'content');
    this.#incomingDir = join(options.dataDir, 'incoming');
    mkdirSync(this.#contentDir, { recursive: true, mode: 0o700 });
    rmSync(this.#incomingDir, { recursive: true, force: true });
    mkdirSync(this.#incomingDir, { mode: 0o700 });
    const { journal, records: files } = RecordJournal.open(
      join(options.dataDir, 'files.jsonl'),
      storedFileSchema,
    );
    this.#journal = journal;
    for (const file of files) this.#remember(file);
    const known = new Set(files.map(({ id }) => contentName(id)));
    for (const name of readdirSync(this.#contentDir)) {
      if (!known.has(name)) unlinkSync(join(this.#contentDir, name));
    }
  }

  get totalBytes(): number {
    this.#dropExpired();
    return this.#totalBytes;
  }

  get(id: string): StoredFile | null {
    this.#dropExpired();
    return this.#byId.get(id) ?? null;
  }

  /** All files, oldest first. The array is the store's own: not to be kept over a wait. */
  sorted(): readonly StoredFile[] {
    this.#dropExpired();
    return this.#sorted;
  }

  /** A place for content that arrives. */
  spool(): ContentSpool {
    if (this.#options.discard) return new CountingSpool();
    this.#nextSpool += 1;
    return new HashingSpool(join(this.#incomingDir, String(this.#nextSpool)));
  }

  /** Stores what the spool received. */
  async commit(
    spool: ContentSpool,
    { purpose, filename, expiresAfterSeconds, createdAtMs = this.#options.nowMs() }: NewFile,
  ): Promise<StoredFile> {
    const id = newId(this.#options.id);
    const bytes = spool.bytes;
    const sha256 = spool.sha256();
    await spool.moveTo(join(this.#contentDir, contentName(id)));
    const createdAt = Math.floor(createdAtMs / 1000);
    const expiresAt = expiresAfterSeconds === null ? null : createdAt + expiresAfterSeconds;
    const sequence = this.#nextSequence;
    const file = { id, purpose, filename, bytes, sha256, createdAt, createdAtMs, expiresAt, sequence };
    this.#journal.added(file);
    this.#remember(file);
    return file;
  }

  /** Where the content lies; null when contents are discarded. */
  contentPath(file: StoredFile): string | null {
    return file.sha256 === null ? null : join(this.#contentDir, contentName(file.id));
  }

  /** The content as a stream; null when contents are discarded. */
  readContent(file: StoredFile): ReadStream | null {
    const path = this.contentPath(file);
    return path === null ? null : createReadStream(path);
  }

  /** False when there is no such file. */
  remove(id: string): boolean {
    this.#dropExpired();
    const file = this.#byId.get(id);
    if (file === undefined) return false;
    this.#sorted.splice(agePosition(this.#sorted, file), 1);
    this.#forget(file);
    return true;
  }

  async close(): Promise<void> {
    await Promise.all(this.#unlinking);
    this.#journal.close();
  }

  #remember(file: StoredFile): void {
    this.#byId.set(file.id, file);
    this.#sorted.splice(agePosition(this.#sorted, file), 0, file);
    this.#totalBytes += file.bytes;
    this.#nextSequence = Math.max(this.#nextSequence, file.sequence + 1);
    this.#soonestExpiry = Math.min(this.#soonestExpiry, file.expiresAt ?? Infinity);
  }

  /** Everything but the sorted list, which callers change in their own way. */
  #forget(file: StoredFile): void {
    this.#journal.removed(file.id);
    this.#byId.delete(file.id);
    this.#totalBytes -= file.bytes;
    const unlinking = rm(join(this.#contentDir, contentName(file.id)), { force: true });
    this.#unlinking.add(unlinking);
    void unlinking.finally(() => this.#unlinking.delete(unlinking));
  }

  #dropExpired(): void {
    const nowSeconds = Math.floor(this.#options.nowMs() / 1000);
    if (nowSeconds < this.#soonestExpiry) return;
    const kept: StoredFile[] = [];
    let soonest = Infinity;
    for (const file of this.#sorted) {
      if (file.expiresAt !== null && file.expiresAt <= nowSeconds) {
        this.#forget(file);
        continue;
      }
      kept.push(file);
      soonest = Math.min(soonest, file.expiresAt ?? Infinity);
    }
    this.#sorted.length = 0;
    for (const file of kept) this.#sorted.push(file);
    this.#soonestExpiry = soonest;
  }
}

export function newId({ prefix, characters }: FileStoreOptions['id']): string {
  let random = '';
  while (random.length < characters) random += randomUUID().replaceAll('-', '');
  return prefix + random.slice(0, characters);
}

/** File systems take names of up to 255 bytes; some gateways' ids are longer. */
function contentName(id: string): string {
  return id.length <= 200 ? id : createHash('sha256').update(id).digest('hex');
}
