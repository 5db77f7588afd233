/**
 * What the API sends, read loosely: unknown fields, purposes and statuses pass, and each field by itself. An id that
 * can be read is never lost because of what stands beside it.
 */
import type { RemoteFile } from '../mirror/types.ts';

/** A JSON object, as far as it is one. */
type Fields = Readonly<Record<string, unknown>>;

/** A reading that names what stood in its way. */
export type Reading<T> = { readonly value: T } | { readonly problem: string };

/** An entry of a listing whose id cannot be read, so that nothing can be done with it. */
export interface UnreadableEntry {
  /** What is wrong, naming the field, e.g. `"id" is missing`. */
  readonly problem: string;
  /** What else it says, to tell whether it could be ours. */
  readonly file: Omit<RemoteFile, 'id'>;
}

export interface ListPage {
  readonly files: readonly RemoteFile[];
  readonly unreadable: readonly UnreadableEntry[];
  /** Null when the server does not say. */
  readonly hasMore: boolean | null;
}

/** A reply that is, or wraps, one file object. Its id alone is needed. */
export function readFileReply(text: string): Reading<RemoteFile> {
  const parsed = parseJson(text);
  if ('problem' in parsed) return parsed;
  const object = unwrapped(parsed.value);
  if (object === null) return { problem: 'it is no JSON object' };
  const id = readId(object);
  return 'problem' in id ? id : { value: { id: id.value, ...described(object) } };
}

/** A reply that lists files. */
export function readListReply(text: string): Reading<ListPage> {
  const parsed = parseJson(text);
  if ('problem' in parsed) return parsed;
  const reply = fieldsOf(parsed.value);
  const data = reply?.['data'];
  if (!Array.isArray(data)) return { problem: `"data" is ${kindOf(data)}` };
  const files: RemoteFile[] = [];
  const unreadable: UnreadableEntry[] = [];
  for (const item of data) {
    const object = fieldsOf(item);
    const id = object === null ? { problem: `an entry is ${kindOf(item)}` } : readId(object);
    const file = described(object ?? {});
    if ('problem' in id) unreadable.push({ problem: id.problem, file });
    else files.push({ id: id.value, ...file });
  }
  const more = reply?.['has_more'];
  return { value: { files, unreadable, hasMore: typeof more === 'boolean' ? more : null } };
}

/** Does this reply to a DELETE with a good status say that the file is gone? Nothing at all is a yes. */
export function saysDeleted(text: string, id: string): boolean {
  if (text.trim() === '') return true;
  const parsed = parseJson(text);
  const reply = 'problem' in parsed ? null : unwrapped(parsed.value);
  if (reply === null || reply['deleted'] === false) return false;
  if (reply['deleted'] === true) return true;
  const named = readId(reply);
  return 'value' in named && named.value === id;
}

/** The value of a JSON text, with or without a byte order mark. */
function parseJson(text: string): Reading<unknown> {
  const json = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (json.trim() === '') return { problem: 'it is empty' };
  try {
    return { value: JSON.parse(json) };
  } catch {
    return { problem: 'it is no JSON' };
  }
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** Some servers put their object into an envelope, which may have an id of its own. */
function unwrapped(value: unknown): Fields | null {
  const outer = fieldsOf(value);
  if (outer === null || 'filename' in outer || 'purpose' in outer) return outer;
  for (const name of ['data', 'file']) {
    const inner = fieldsOf(outer[name]);
    if (inner !== null && ('id' in inner || 'file_id' in inner)) return inner;
  }
  return outer;
}

/**
 * An id is opaque: of any length and alphabet. It must be able to stand in a URL, where `.` and `..` would be steps
 * and half a surrogate pair is nothing, and to be the key of an object.
 */
function readId(object: Fields): Reading<string> {
  const name = 'id' in object || !('file_id' in object) ? 'id' : 'file_id';
  const raw = object[name];
  const id = typeof raw === 'number' && Number.isSafeInteger(raw) ? String(raw) : raw;
  if (typeof id !== 'string') return { problem: `"${name}" is ${kindOf(id)}` };
  if (id === '') return { problem: `"${name}" is empty` };
  if (id === '.' || id === '..' || id === '__proto__' || !id.isWellFormed()) {
    return { problem: `"${name}" cannot be part of a URL` };
  }
  return { value: id };
}

function described(object: Fields): Omit<RemoteFile, 'id'> {
  const expiresAt = readTime(object['expires_at']);
  return {
    bytes: readSize(object['bytes']),
    createdAt: readTime(object['created_at']),
    // QUIRK: zero and negative times are how some servers say "never".
    expiresAt: expiresAt !== null && expiresAt > 0 ? expiresAt : null,
    filename: readText(object['filename']),
    purpose: readText(object['purpose']),
  };
}

function readText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function readSize(value: unknown): number | null {
  const size = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : null;
}

/** Unix times beyond this, in the year 5138, are milliseconds. */
const LAST_UNIX_SECOND = 1e11;

/** Unix seconds from a number or a text of one, with or without a fraction, or from an ISO time. */
function readTime(value: unknown): number | null {
  const number = typeof value === 'string' ? timeOfText(value.trim()) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) return null;
  return Math.floor(number > LAST_UNIX_SECOND ? number / 1000 : number);
}

function timeOfText(text: string): number {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}|$)/.test(text)) return Number.NaN;
  // Without a zone it is UTC, as servers mean it; `Date.parse` would take it for local time.
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(text) || text.length === 10 ? text : `${text}Z`;
  return Date.parse(zoned.replace(' ', 'T')) / 1000;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
