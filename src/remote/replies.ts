/** What the API sends, read loosely: unknown fields, purposes and statuses pass; what the mirror relies on must be there. */
import { z } from 'zod';
import type { RemoteFile } from '../mirror/types.ts';

/** An id becomes part of a path and of terminal output: visible ASCII, and no `.` or `..`. */
const fileId = z.string().regex(/^(?!\.{1,2}$)[\x21-\x7e]{1,256}$/);
const unixSeconds = z.number().nonnegative().transform(Math.floor);
const sizeBytes = z.int().nonnegative();

/** What every description of a file must have, and the expiry that it may have. */
const common = { id: fileId, created_at: unixSeconds, expires_at: unixSeconds.nullish() };

const fileReply = z.object({ ...common, bytes: sizeBytes, filename: z.string(), purpose: z.string() });

/**
 * Listings hold files that others made, some of them by the service itself: one without a name or a size cannot
 * be ours, and must not make the whole listing unreadable.
 */
const listedFile = z.object({
  ...common,
  bytes: sizeBytes.nullish(),
  filename: z.string().nullish(),
  purpose: z.string().nullish(),
});

const listReply = z.object({ data: z.array(listedFile), has_more: z.boolean().nullish() });

const deleteReply = z.object({ id: z.string().nullish(), deleted: z.boolean().nullish() });

export interface ListPage {
  readonly files: readonly RemoteFile[];
  /** Null when the server does not say. */
  readonly hasMore: boolean | null;
}

/** Null when the text is no file object. */
export function readFileReply(text: string): RemoteFile | null {
  const file = read(fileReply, text);
  return file === null ? null : toRemoteFile(file);
}

/** Null when the text is no list of files. */
export function readListReply(text: string): ListPage | null {
  const page = read(listReply, text);
  return page === null ? null : { files: page.data.map(toRemoteFile), hasMore: page.has_more ?? null };
}

/** Does this reply to a DELETE with a good status say that the file is gone? Nothing at all is a yes. */
export function saysDeleted(text: string, id: string): boolean {
  if (text.trim() === '') return true;
  const reply = read(deleteReply, text);
  if (reply === null || reply.deleted === false) return false;
  return reply.deleted === true || reply.id === id;
}

function toRemoteFile(file: z.infer<typeof listedFile>): RemoteFile {
  return {
    id: file.id,
    bytes: file.bytes ?? 0,
    createdAt: file.created_at,
    expiresAt: file.expires_at ?? null,
    filename: file.filename ?? '',
    purpose: file.purpose ?? '',
  };
}

function read<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const result = schema.safeParse(value);
  return result.success ? result.data : null;
}
