/**
 * One reader of listings for all servers. They differ in what they take (`limit` and its greatest value, `order`,
 * `purpose`), in how a page says that there is more, and in how the next one is asked for.
 */
import { Fault, retryFault } from '../contract/faults.ts';
import type { ListRequest } from '../contract/ports.ts';
import type { FileId, RemoteFile } from '../contract/types.ts';
import { inOrder } from './in-order.ts';
import { isRefusedQuery } from './page-asker.ts';
import type { FetchPage, FirstPage, PageAsker, Query } from './page-asker.ts';
import type { ListPage } from './replies.ts';

/** A listing longer than this is a server that does not know when to stop. */
const MAX_PAGES = 10_000;

/**
 * Pages of a listing without repetitions, in the order that was asked for, one request each; it ends when a page brings nothing new. What cannot be
 * read, and that the listing was cut short, is told to `request.onDoubt`. Throws what `fetchPage` throws, and `Fault`
 * `lying-list` when the server never comes to an end.
 */
export function listPages(
  request: ListRequest,
  asker: PageAsker,
  fetchPage: FetchPage,
): AsyncGenerator<readonly RemoteFile[], void, undefined> {
  return inOrder(request.order, pagesAsTheyCome(request, asker, fetchPage));
}

async function* pagesAsTheyCome(
  request: ListRequest,
  asker: PageAsker,
  fetchPage: FetchPage,
): AsyncGenerator<readonly RemoteFile[], void, undefined> {
  const first = await asker.first(request, fetchPage);
  if (first.isWhole) {
    yield* wholeList(request, first.page);
    return;
  }
  const reading = new Reading(request, first, asker, fetchPage);
  let page: ListPage | null = first.page;
  for (let pages = 1; page !== null; pages += 1) {
    const fresh = reading.take(page);
    if (fresh.length > 0) yield fresh;
    if (pages === MAX_PAGES) throw lyingList(`still had more after ${MAX_PAGES} pages`);
    page = await reading.next(page);
  }
}

/** How the page after another one is asked for. */
interface Cursor {
  /** Which of the ways it is: the one that has worked is tried first for the pages that follow. */
  readonly way: string;
  readonly query: Query;
}

/** What one listing has seen, and how it goes on. */
class Reading {
  readonly #request: ListRequest;
  readonly #query: Query;
  readonly #pageSize: number;
  readonly #asker: PageAsker;
  readonly #fetchPage: FetchPage;
  readonly #seen = new Set<FileId>();
  readonly #passed = new Set<string>();
  readonly #doubted = new Map<string, number>();
  #pages = 0;
  #way: string | null = null;

  constructor(request: ListRequest, first: FirstPage, asker: PageAsker, fetchPage: FetchPage) {
    this.#request = request;
    this.#query = first.query;
    this.#pageSize = first.pageSize;
    this.#asker = asker;
    this.#fetchPage = fetchPage;
  }

  /** The files of the page that were not told before. */
  take(page: ListPage): readonly RemoteFile[] {
    this.#pages += 1;
    const fresh = page.files.filter(({ id }) => !this.#seen.has(id));
    for (const { id } of fresh) this.#seen.add(id);
    this.#passed.add(placeOf(page));
    this.#doubt(page);
    // What the server did not take to choose by is chosen here.
    return 'purpose' in this.#query ? fresh : fresh.filter((file) => isOf(file, this.#request.purpose));
  }

  /** Pages may overlap, and what has no id cannot be known again: alike entries count as often as one page has them. */
  #doubt(page: ListPage): void {
    const here = new Map<string, number>();
    for (const entry of page.unreadable) {
      const key = JSON.stringify(entry);
      const count = (here.get(key) ?? 0) + 1;
      here.set(key, count);
      if (count <= (this.#doubted.get(key) ?? 0)) continue;
      this.#doubted.set(key, count);
      this.#request.onDoubt?.({ kind: 'unreadable', ...entry });
    }
  }

  /** The next page; null: there is none, or none can be had. */
  async next(page: ListPage): Promise<ListPage | null> {
    if (isEmpty(page) && page.next === null) return this.#endAt(page);
    const promised = this.#promisesMore(page);
    if (page.hasMore === false && page.next === null && !isRound(page)) return null;
    if (!promised && page.next === null && !this.#asker.takesCursor) return null;
    let refusal: Fault | null = null;
    for (const { way, query } of this.#cursors(page, promised)) {
      const next = await this.#fetch({ ...this.#query, ...query });
      if (next instanceof Fault) {
        // A guess may be refused; the documented way may not.
        if (way === 'after' || way === 'token') refusal ??= next;
        continue;
      }
      if (isEmpty(next) && next.next === null) return this.#endAt(next);
      if (this.#isNews(next)) {
        this.#way = way;
        return next;
      }
    }
    if (refusal !== null) await this.#judgeRefusal(page, promised, refusal);
    // A page that is filled to a limit of the server's, and no way to the rest.
    if (promised && (isRound(page) || page.files.length >= this.#pageSize)) {
      this.#request.onDoubt?.({
        kind: 'cut',
        why: `it says that more follows after ${this.#seen.size} files`,
      });
    }
    return null;
  }

  /** Nothing follows an empty page, whatever the server counts. */
  #endAt({ total }: ListPage): null {
    doubtCount(this.#request, total, this.#countTold());
    return null;
  }

  #promisesMore({ hasMore, total }: ListPage): boolean {
    return hasMore === true || (total !== null && total > this.#countTold());
  }

  /** With those that cannot be read. */
  #countTold(): number {
    return this.#doubted.values().reduce((sum, count) => sum + count, this.#seen.size);
  }

  /** From the likeliest on. A server that promises nothing is asked in the one way that is documented. */
  #cursors({ next, last }: ListPage, promised: boolean): readonly Cursor[] {
    const after: Cursor[] = last === null ? [] : [{ way: 'after', query: { after: last } }];
    if (next !== null) return [{ way: 'token', query: next }, ...after];
    if (!promised) return after;
    const guesses: Cursor[] = last === null ? [] : [{ way: 'after_id', query: { after_id: last } }];
    guesses.push(
      { way: 'page from 0', query: { page: String(this.#pages) } },
      { way: 'page from 1', query: { page: String(this.#pages + 1) } },
    );
    const all = [...after, ...guesses];
    return [...all.filter(({ way }) => way === this.#way), ...all.filter(({ way }) => way !== this.#way)];
  }

  /** A `Fault`: the server does not take this query. */
  async #fetch(query: Query): Promise<ListPage | Fault> {
    try {
      return await this.#fetchPage(query);
    } catch (error) {
      if (isRefusedQuery(error)) return error;
      throw error;
    }
  }

  /**
   * Throws the refusal of a cursor, unless the server surely takes none: it promises nothing, and the same question
   * without the cursor is still answered, with the very file that the cursor named, and the cursor is refused again
   * after that. A server that refuses everything for a while, or a file that has gone meanwhile, must not be taken for
   * the end, and all the less for every listing to come.
   */
  async #judgeRefusal({ last }: ListPage, promised: boolean, refusal: Fault): Promise<void> {
    if (promised || last === null || this.#pages > 1) throw refusal;
    const again = await this.#fetchPage(this.#query);
    if (!again.files.some(({ id }) => id === last)) throw refusal;
    if (!((await this.#fetch({ ...this.#query, after: last })) instanceof Fault)) throw refusal;
    this.#asker.takesCursor = false;
  }

  #isNews(page: ListPage): boolean {
    if (page.files.some(({ id }) => !this.#seen.has(id))) return true;
    // Nothing that can be read, or a token that leads on past a page that was told already.
    return (page.files.length === 0 || page.next !== null) && !this.#passed.has(placeOf(page));
  }
}

/** Where a page stands in the listing: tells one without readable files from one that was seen. */
function placeOf({ next, last }: ListPage): string {
  return JSON.stringify([next, last]);
}

function isEmpty({ files, unreadable }: ListPage): boolean {
  return files.length + unreadable.length === 0;
}

/** QUIRK: gateways cap pages at a round number, and some of them then say that this was all. */
function isRound({ files, unreadable }: ListPage): boolean {
  const count = files.length + unreadable.length;
  return count > 0 && count % 10 === 0;
}

function isOf({ purpose }: RemoteFile, wanted: string | null): boolean {
  return wanted === null || purpose === null || purpose === wanted;
}

/** The selection that was asked for, made on this side. */
function* wholeList(request: ListRequest, page: ListPage): Iterable<readonly RemoteFile[]> {
  if (page.hasMore === true || page.next !== null) {
    throw lyingList('has more than one page, but is configured to take no parameters');
  }
  for (const entry of page.unreadable) request.onDoubt?.({ kind: 'unreadable', ...entry });
  doubtCount(request, page.total, page.files.length + page.unreadable.length);
  const ids = new Set<FileId>();
  const files = page.files
    .filter((file) => isOf(file, request.purpose))
    .filter(({ id }) => !ids.has(id) && ids.add(id));
  if (files.length > 0) yield files;
}

function doubtCount(request: ListRequest, total: number | null, given: number): void {
  if (total === null || total <= given) return;
  request.onDoubt?.({ kind: 'cut', why: `it counts ${total} files, and gives ${given}` });
}

function lyingList(what: string): Fault {
  return retryFault('lying-list', `GET /files: the listing ${what}`);
}
