/**
 * What the API sends, read loosely: unknown fields, purposes and statuses pass, and each field by itself. An id that
 * can be read is never lost because of what stands beside it.
 */
import type { RemoteFile } from '../contract/types.ts';

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
  /** How many files there are in all; null when the server does not say. */
  readonly total: number | null;
  /** What to ask for the next page with, if the server names that itself. */
  readonly next: Readonly<Record<string, string>> | null;
  /** The id after which the next page begins; null: the page has none. */
  readonly last: string | null;
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
  const found = findEntries(parsed.value);
  if ('problem' in found) return found;
  const { entries, reply } = found.value;
  const files: RemoteFile[] = [];
  const unreadable: UnreadableEntry[] = [];
  let last: string | null = null;
  for (const item of entries) {
    const object = fieldsOf(item);
    const id: Reading<string> = object === null ? { problem: `an entry is ${kindOf(item)}` } : readId(object);
    last = 'value' in id ? id.value : null;
    const file = described(object ?? {});
    if ('problem' in id) unreadable.push({ problem: id.problem, file });
    else files.push({ id: id.value, ...file });
  }
  return {
    value: {
      files,
      unreadable,
      hasMore: readFlag(reply['has_more'] ?? reply['hasMore']),
      total: readSize(reply['total']),
      next: nextQueryOf(reply),
      last: last ?? (readText(reply['last_id']) || (files.at(-1)?.id ?? null)),
    },
  };
}

/** Under what names servers put the entries of a listing; the first that is there wins. */
const ENTRY_NAMES = ['data', 'value', 'files', 'items', 'results'] as const;

interface Entries {
  readonly entries: readonly unknown[];
  /** The object that they are in, which says whether there is more. */
  readonly reply: Fields;
}

function findEntries(value: unknown): Reading<Entries> {
  if (Array.isArray(value)) return { value: { entries: value, reply: {} } };
  const reply = fieldsOf(value);
  if (reply === null) return { problem: 'it is no JSON object' };
  for (const name of ENTRY_NAMES) {
    const entries = reply[name];
    if (Array.isArray(entries)) return { value: { entries, reply } };
    // QUIRK: an empty list is null where a program's empty lists are.
    if (entries === null && reply['object'] === 'list') return { value: { entries: [], reply } };
    const inner = fieldsOf(entries);
    if (inner !== null && ENTRY_NAMES.some((each) => Array.isArray(inner[each]))) return findEntries(inner);
  }
  return { problem: `"data" is ${kindOf(reply['data'])}` };
}

/** Fields that hold a token for the next page, and the parameter that it is sent back in. */
const TOKENS: Readonly<Record<string, string>> = {
  next_page_token: 'page_token',
  nextPageToken: 'pageToken',
  next_token: 'next_token',
  pagination_token: 'pagination_token',
  next_cursor: 'cursor',
  next_page: 'page',
};

/** Fields that hold the next page's address, whose query is what asks for it. */
const LINKS = ['nextLink', '@odata.nextLink', 'next_link', 'next', 'next_url'] as const;

function nextQueryOf(reply: Fields): Readonly<Record<string, string>> | null {
  for (const [field, parameter] of Object.entries(TOKENS)) {
    const token = reply[field];
    if (typeof token === 'string' && token !== '') return { [parameter]: token };
    if (typeof token === 'number') return { [parameter]: String(token) };
  }
  for (const field of LINKS) {
    const link = readText(reply[field]);
    if (link === null || !URL.canParse(link, 'http://here')) continue;
    const query = Object.fromEntries(new URL(link, 'http://here').searchParams);
    if (Object.keys(query).length > 0) return query;
  }
  return null;
}

function readFlag(value: unknown): boolean | null {
  if (typeof value === 'boolean') return value;
  return value === 'true' ? true : value === 'false' ? false : null;
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
