/** What a server's list takes and gives, by the rules of its dialect. */
import { ApiError, missingParameter } from './api-error.ts';
import { boundedInteger } from './bounded-integer.ts';
import type { ListRules } from './dialects.ts';
import type { StoredFile } from './stored-file.ts';
import { agePosition, compareAge, fileObject } from './stored-file.ts';

export interface AskedList {
  readonly purpose: string | null;
  readonly order: 'asc' | 'desc';
  /** The id of the file behind which the page begins; null: at the start. */
  readonly after: string | null;
  readonly limit: number;
}

/** What the query asks for. Throws `ApiError`. */
export function listQuery(query: Readonly<Record<string, string>>, rules: ListRules): AskedList {
  const known: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    if (rules.parameters.includes(name)) known[name] = value;
    else if (rules.unknown === 'refused')
      throw new ApiError(400, `Unknown query parameter: '${name}'.`, { param: name });
  }
  if (rules.required !== null && known[rules.required] === undefined) {
    throw missingParameter(rules.required);
  }
  const { order = rules.order, purpose = null, pagination_token: token } = known;
  if (order !== 'asc' && order !== 'desc') {
    const message = `Invalid value: '${order}'. Supported values are: 'asc' and 'desc'.`;
    throw new ApiError(400, message, { param: 'order', code: 'invalid_value' });
  }
  const after = token === undefined ? (known['after'] ?? null) : idOfToken(token);
  return { purpose, order, after, limit: limitOf(known['limit'], rules) };
}

function limitOf(limit: string | undefined, { defaultLimit, maxLimit, overLimit }: ListRules): number {
  if (limit === undefined) return defaultLimit;
  if (overLimit === 'refused') return boundedInteger(limit, 'limit', 1, maxLimit);
  return Math.min(maxLimit, boundedInteger(limit, 'limit', 1, Number.MAX_SAFE_INTEGER));
}

/** The page as this server puts it. `endless`: it says that there is more whatever there is. */
export function listReply(page: ListPage, endless: boolean, rules: ListRules): Record<string, unknown> {
  const hasMore = page.hasMore || endless;
  const last = page.files.at(-1)?.id ?? '';
  const list = { object: 'list', data: page.files.map((file) => fileObject(file, 'processed')) };
  switch (rules.envelope) {
    case 'bare':
      return list;
    case 'has-more':
      return { ...list, has_more: hasMore };
    case 'token':
      return { ...list, pagination_token: hasMore ? tokenOf(last) : null };
    case 'cursor':
      // The published description wants strings here, even of an empty list.
      return { ...list, first_id: page.files[0]?.id ?? '', last_id: last, has_more: hasMore };
  }
}

function tokenOf(id: string): string {
  return Buffer.from(`after:${id}`).toString('base64url');
}

function idOfToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (text.startsWith('after:')) return text.slice('after:'.length);
  throw new ApiError(400, 'Invalid pagination token.', { param: 'pagination_token', code: 'invalid_value' });
}

export interface ListQuery {
  readonly purpose: string | null;
  readonly order: 'asc' | 'desc';
  /** The file behind which the page begins; null: at the start. */
  readonly after: StoredFile | null;
  /** The most files that the page may have. */
  readonly limit: number;
}

export interface ListPage {
  readonly files: readonly StoredFile[];
  readonly hasMore: boolean;
}

/** One page of `sorted` (oldest first). A cursor that is not in the list still marks its place in it. */
export function listPage(sorted: readonly StoredFile[], query: ListQuery): ListPage {
  const step = query.order === 'asc' ? 1 : -1;
  const files: StoredFile[] = [];
  for (let index = startIndex(sorted, query); index >= 0 && index < sorted.length; index += step) {
    const file = sorted[index];
    if (file === undefined || (query.purpose !== null && file.purpose !== query.purpose)) continue;
    if (files.length === query.limit) return { files, hasMore: true };
    files.push(file);
  }
  return { files, hasMore: false };
}

function startIndex(sorted: readonly StoredFile[], { order, after }: ListQuery): number {
  if (after === null) return order === 'asc' ? 0 : sorted.length - 1;
  const position = agePosition(sorted, after);
  if (order === 'desc') return position - 1;
  const there = sorted[position];
  return there !== undefined && compareAge(there, after) === 0 ? position + 1 : position;
}
