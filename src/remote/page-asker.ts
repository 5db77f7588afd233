import { Fault } from '../contract/faults.ts';
import type { ListRequest } from '../contract/ports.ts';
import type { ListPage } from './replies.ts';

export type Query = Readonly<Record<string, string>>;
export type FetchPage = (query: Query) => Promise<ListPage>;

/**
 * Files asked for at once. The API allows 10,000, which would be some 4 MB of JSON held and parsed in one go. With
 * 1,000 the parsing stays unnoticeable, and the commonest question (was my last upload stored?) needs one page.
 */
export const DEFAULT_PAGE_SIZE = 1_000;

/** What many servers allow at most. */
const COMMON_LIMIT = 100;

/**
 * `full`: `purpose`, `limit`, `order` and the cursor are sent, as far as the server takes them. `none`: nothing is;
 * for servers that know no parameters and answer with everything at once. `by-purpose`: a purpose always, and no
 * `order`; for servers whose list wants one and orders as it likes.
 */
export type ListParameters = 'full' | 'by-purpose' | 'none';

/** How much of what a listing wants is asked of the server; the rest is done on this side. */
interface Rung {
  /** Null: as many as the server likes. */
  readonly limit: number | null;
  readonly order: boolean;
  readonly purpose: boolean;
}

const NOTHING: Rung = { limit: null, order: false, purpose: false };

export interface FirstPage {
  readonly page: ListPage;
  /** What was asked for, but for a cursor. */
  readonly query: Query;
  /** The server was said to answer with everything at once. */
  readonly isWhole: boolean;
  /** Fewer than this are a short page. */
  readonly pageSize: number;
}

/** What the first rung brought that was not refused. */
interface Answer extends Omit<FirstPage, 'isWhole'> {
  readonly at: number;
}

/**
 * Asks for first pages with as much as the server takes: a `limit` or another parameter that it refuses, and refuses
 * again, is asked for no more. What was found out holds for the life of the client.
 */
export class PageAsker {
  /** False: it was found out that this server gives everything at once and refuses a cursor. */
  takesCursor = true;
  readonly #rungs: readonly Rung[];
  readonly #isWhole: boolean;
  #rung = 0;

  /** `pageSize`: files a page; null: the default. */
  constructor(parameters: ListParameters, pageSize: number | null) {
    this.#isWhole = parameters === 'none';
    this.#rungs = RUNGS[parameters](pageSize ?? DEFAULT_PAGE_SIZE);
  }

  /** Throws what `fetchPage` throws: its first refusal, when even the barest question is refused. */
  async first(request: ListRequest, fetchPage: FetchPage): Promise<FirstPage> {
    const found = await this.#walk(request, fetchPage, null);
    if (found.at === this.#rung) return this.#firstPage(found);
    // QUIRK: a server or its gateway may refuse everything for a moment. Only what is refused again, after something
    // was answered, is the server's way; or the whole life would be spent with the barest question.
    const again = await this.#walk(request, fetchPage, found);
    this.#rung = again.at;
    return this.#firstPage(again);
  }

  /** From the rung that is known to be taken down to one that is answered, or to `answered`, which was already. */
  async #walk(request: ListRequest, fetchPage: FetchPage, answered: Answer | null): Promise<Answer> {
    let refusal: unknown = null;
    for (let at = this.#rung; ; at += 1) {
      if (answered !== null && at >= answered.at) return answered;
      const rung = this.#rungs[at];
      if (rung === undefined) throw refusal;
      const query = queryOf(rung, request);
      try {
        const page = await fetchPage(query);
        return { at, page, query, pageSize: rung.limit ?? DEFAULT_PAGE_SIZE };
      } catch (error) {
        if (!isRefusedQuery(error)) throw error;
        refusal ??= error;
      }
    }
  }

  #firstPage({ page, query, pageSize }: Answer): FirstPage {
    return { page, query, pageSize, isWhole: this.#isWhole };
  }

  /** The cheapest listing that the server takes. `purpose`: one that must be named; null: none must. */
  async probe(purpose: string | null, fetchPage: FetchPage): Promise<void> {
    if (this.#rungs[this.#rung] !== NOTHING) {
      try {
        await fetchPage({ limit: '1', ...(purpose === null ? {} : { purpose }) });
        return;
      } catch (error) {
        if (!isRefusedQuery(error)) throw error;
      }
    }
    await this.first({ purpose, order: 'desc' }, fetchPage);
  }
}

/** The server does not take what the query asks for. */
export function isRefusedQuery(error: unknown): error is Fault {
  return error instanceof Fault && (error.status === 400 || error.status === 422);
}

/** The page size as it is wanted, as most servers allow it, and whatever the server likes. */
function sized(pageSize: number, rung: Omit<Rung, 'limit'>): readonly Rung[] {
  const common = Math.min(pageSize, COMMON_LIMIT);
  const sizes = common < pageSize ? [pageSize, common, null] : [pageSize, null];
  return sizes.map((limit) => ({ ...rung, limit }));
}

const RUNGS: Readonly<Record<ListParameters, (pageSize: number) => readonly Rung[]>> = {
  full: (pageSize) => {
    const limit = Math.min(pageSize, COMMON_LIMIT);
    return [
      ...sized(pageSize, { order: true, purpose: true }),
      { limit, order: true, purpose: false },
      { limit, order: false, purpose: false },
      NOTHING,
    ];
  },
  'by-purpose': (pageSize) => sized(pageSize, { order: false, purpose: true }),
  none: () => [NOTHING],
};

function queryOf(rung: Rung, { purpose, order }: ListRequest): Query {
  return {
    ...(rung.purpose && purpose !== null ? { purpose } : {}),
    ...(rung.limit === null ? {} : { limit: String(rung.limit) }),
    ...(rung.order ? { order } : {}),
  };
}
