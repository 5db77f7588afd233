import { Fault } from '../../../src/contract/faults.ts';
import type { RemoteFile } from '../../../src/contract/types.ts';
import type { Query } from '../../../src/remote/page-asker.ts';
import type { ListPage, UnreadableEntry } from '../../../src/remote/replies.ts';
import type { SimRandom } from './sim-random.ts';

/** How a server lists. */
export interface ListHabits {
  /** Most files a page; null: as many as are asked for. */
  readonly cap: number | null;
  /** A greater `limit` is answered with 400; null: none is. */
  readonly mostAllowed: number | null;
  /** How a page says that there is more. `false`: it says that there is not, whatever there is. */
  readonly more: 'has-more' | 'nothing' | 'false' | 'token';
  /** Null: as it is asked. */
  readonly order: 'asc' | null;
  /** Each page is given twice. Only where a token leads on. */
  readonly repeats: boolean;
  /** Every page ends with entries of others that have no id. */
  readonly odd: readonly UnreadableEntry[];
}

/** As OpenAI's server does it. */
export const plainHabits: ListHabits = {
  cap: null,
  mostAllowed: null,
  more: 'has-more',
  order: null,
  repeats: false,
  odd: [],
};

const nothingSaid = { bytes: null, createdAt: null, expiresAt: null, filename: null, purpose: null };
const oddEntries: readonly UnreadableEntry[] = [
  { problem: 'an entry is null', file: nothingSaid },
  {
    problem: '"id" is null',
    file: { ...nothingSaid, filename: 'of-others.txt', bytes: 12_345, createdAt: 1 },
  },
];

export function drawHabits(random: SimRandom): ListHabits {
  const more = random.pick(['has-more', 'nothing', 'false', 'token'] as const);
  // A server that says "no more" of a page that is capped at an odd number cannot be seen through by anybody.
  const cap = more === 'false' ? random.pick([10, 20]) : random.pick([null, 1, 3, 10]);
  return {
    cap,
    mostAllowed: random.pick([null, null, 100]),
    more,
    order: random.pick([null, null, 'asc']),
    repeats: more === 'token' && random.chance(0.3),
    odd: random.chance(0.5) ? oddEntries : [],
  };
}

/** A file with its place in the order of creation. */
export interface PlacedFile {
  readonly sequence: number;
  readonly file: RemoteFile;
}

/** The order in which a server with these habits lists. */
export function listedOrder(query: Query, habits: ListHabits): 'asc' | 'desc' {
  return (habits.order ?? query['order']) === 'asc' ? 'asc' : 'desc';
}

/**
 * The page that a query asks for. `shown`: everything that it may show, oldest first; `placeOf`: the sequence of an id.
 * Throws `Fault` for a refused limit.
 */
export function listedPage(
  shown: readonly PlacedFile[],
  query: Query,
  habits: ListHabits,
  placeOf: (id: string) => number | null,
): ListPage {
  const limit = Number(query['limit'] ?? 10_000);
  if (habits.mostAllowed !== null && limit > habits.mostAllowed) throw refusedLimit();
  const isAscending = listedOrder(query, habits) === 'asc';
  const ordered = isAscending ? shown : shown.toReversed();
  const [token, turn] = (query['page_token'] ?? '').split('.');
  const after = token ? Number(token) : placeOf(query['after'] ?? '');
  const rest = ordered.filter(
    ({ sequence }) => after === null || (isAscending ? sequence > after : sequence < after),
  );
  // A page that claims to be the last one is only seen through by its round length, which all of its entries make.
  const room = habits.more === 'false' ? habits.odd.length : 0;
  const page = rest.slice(0, Math.min(limit, habits.cap ?? limit) - room);
  const hasMore = rest.length > page.length;
  const last = page.at(-1);
  const again = habits.repeats && turn !== 'again' && page.length > 0;
  const next = again
    ? `${after ?? (isAscending ? 0 : Number.MAX_SAFE_INTEGER)}.again`
    : `${last?.sequence}.on`;
  return {
    files: page.map(({ file }) => file),
    unreadable: habits.odd,
    hasMore: habits.more === 'has-more' ? hasMore : habits.more === 'false' ? false : null,
    total: null,
    next: habits.more === 'token' && (hasMore || again) ? { page_token: next } : null,
    last: last?.file.id ?? null,
  };
}

function refusedLimit(): Fault {
  return new Fault('400 limit is too large', {
    disposition: 'retry',
    outcome: 'refused',
    rule: 'server-400',
    status: 400,
  });
}
