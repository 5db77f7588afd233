/**
 * What the API sends, read loosely: unknown fields, purposes and statuses pass, and each field by itself. An id that
 * can be read is never lost because of what stands beside it.
 */
import type { RemoteFile } from '../contract/types.ts';
import {
  fieldsOf,
  kindOf,
  parseJson,
  readFlag,
  readId,
  readSize,
  readText,
  readTime,
} from './reply-fields.ts';
import type { Fields, Reading } from './reply-fields.ts';

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
  const found = readEntries(text);
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
      total: readSize(reply['total']),
      ...continuationOf(reply),
      last: last ?? (readText(reply['last_id']) || (files.at(-1)?.id ?? null)),
    },
  };
}

/** Under what names servers put the entries of a listing; the first that is there wins. */
const ENTRY_NAMES = ['data', 'value', 'files', 'items', 'results'] as const;

/** What a reply lists, of whatever kind. */
export function readEntries(text: string): Reading<Entries> {
  const parsed = parseJson(text);
  return 'problem' in parsed ? parsed : findEntries(parsed.value);
}

/** How a listing goes on, as its page says. */
export function continuationOf(reply: Fields): Pick<ListPage, 'hasMore' | 'next'> {
  return { hasMore: readFlag(reply['has_more'] ?? reply['hasMore']), next: nextQueryOf(reply) };
}

export interface Entries {
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
