import { Fault } from '../mirror/faults.ts';
import type { ListRequest } from '../mirror/ports.ts';
import type { FileId, RemoteFile } from '../mirror/types.ts';
import type { ListPage } from './replies.ts';

/**
 * Files asked for at once. The API allows 10,000, which would be some 4 MB of JSON held and parsed in one go. With
 * 1,000 the parsing stays unnoticeable, and the commonest question (was my last upload stored?) needs one page.
 */
const PAGE_FILES = 1_000;

/** A listing longer than this is a server that does not know when to stop. */
const MAX_PAGES = 10_000;

/**
 * `full`: `purpose`, `limit`, `order` and `after` are sent. `none`: nothing is; for servers that know no
 * parameters and answer with everything at once. `by-purpose`: a purpose always, and no `order`; for servers whose
 * list wants one and orders as it likes.
 */
export type ListParameters = 'full' | 'by-purpose' | 'none';

export type FetchPage = (query: Readonly<Record<string, string>>) => Promise<ListPage>;

/**
 * Pages of a listing without repetitions, one request each. Throws what `fetchPage` throws, and `Fault`
 * `lying-list` when the server says that there is more but never comes to an end.
 */
export async function* listPages(
  request: ListRequest,
  parameters: ListParameters,
  fetchPage: FetchPage,
): AsyncGenerator<readonly RemoteFile[], void, undefined> {
  if (parameters === 'none') {
    yield wholeList(request, await fetchPage({}));
    return;
  }
  const seen = new Set<FileId>();
  let after: FileId | null = null;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const page: ListPage = await fetchPage(query(request, parameters, after));
    const fresh = page.files.filter((file) => !seen.has(file.id));
    for (const file of fresh) seen.add(file.id);
    if (fresh.length > 0) yield fresh;
    after = page.files.at(-1)?.id ?? null;
    // A page without news ends the listing whatever the server says: it ignores `after`, or goes in circles.
    if (fresh.length === 0 || after === null || !mayHaveMore(page)) return;
  }
  throw lyingList(`still had more after ${MAX_PAGES} pages`);
}

/**
 * A server that does not say whether there is more has sent everything, as compatible servers do; unless the page
 * is as long as was asked for, when only asking again can tell.
 */
function mayHaveMore(page: ListPage): boolean {
  return page.hasMore ?? page.files.length >= PAGE_FILES;
}

function query(
  request: ListRequest,
  parameters: ListParameters,
  after: FileId | null,
): Record<string, string> {
  return {
    ...(request.purpose === null ? {} : { purpose: request.purpose }),
    limit: String(PAGE_FILES),
    ...(parameters === 'by-purpose' ? {} : { order: request.order }),
    ...(after === null ? {} : { after }),
  };
}

/** The selection and the order that were asked for, made on this side. */
function wholeList(request: ListRequest, page: ListPage): readonly RemoteFile[] {
  if (page.hasMore === true) {
    throw lyingList('has more than one page, but is configured to take no parameters');
  }
  const sign = request.order === 'asc' ? 1 : -1;
  return page.files
    .filter((file) => request.purpose === null || file.purpose === request.purpose)
    .sort((a, b) => sign * ((a.createdAt ?? 0) - (b.createdAt ?? 0)));
}

function lyingList(what: string): Fault {
  return new Fault(`GET /files: the listing ${what}`, {
    disposition: 'retry',
    outcome: 'refused',
    rule: 'lying-list',
  });
}
