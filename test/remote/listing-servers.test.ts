/** One reader of listings against servers of every kind, as their pages document them and their users report them. */
import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/contract/faults.ts';
import type { ListDoubt, ListRequest } from '../../src/contract/ports.ts';
import { listPages } from '../../src/remote/listing.ts';
import { PageAsker } from '../../src/remote/page-asker.ts';
import type { Query } from '../../src/remote/page-asker.ts';
import { readListReply } from '../../src/remote/replies.ts';
import { fileObject } from './wire.ts';

type Json = Record<string, unknown>;
/** What a server answers to a query; a number is the status of a refusal. */
type Server = (query: Query, files: readonly Json[]) => Json | readonly Json[] | number;

const COUNT = 250;

/** Newest first. */
const everything: readonly Json[] = Array.from({ length: COUNT }, (_, at) =>
  fileObject({ id: `f${at}`, filename: `${at}.jsonl`, created_at: 1_763_766_000 - at }),
);
const allIds = everything.map(({ id }) => String(id));

/** The part of `files` that a query asks for, at most `cap` of them. */
function slice(files: readonly Json[], query: Query, cap: number, cursor = 'after'): readonly Json[] {
  const ordered = query['order'] === 'asc' ? files.toReversed() : files;
  const after = query[cursor];
  const from = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  return ordered.slice(from, from + Math.min(cap, Number(query['limit'] ?? cap)));
}

function hasMore(files: readonly Json[], page: readonly Json[]): boolean {
  return page.length > 0 && page.at(-1)?.['id'] !== files.at(-1)?.['id'];
}

/** A page by an opaque token, which is sent back in `parameter`. */
function byToken(parameter: string, name: (next: number | null) => Json): Server {
  return (query, files) => {
    const from = Number(query[parameter] ?? 0);
    const to = from + 100;
    return { data: files.slice(from, to), ...name(to < files.length ? to : null) };
  };
}

const servers: readonly { readonly what: string; readonly answer: Server }[] = [
  {
    what: 'OpenAI: `has_more`',
    answer: (query, files) => {
      const data = slice(files, query, 10_000);
      return { object: 'list', data, has_more: hasMore(files, data) };
    },
  },
  {
    what: 'pages capped at 100, and no `has_more`',
    answer: (query, files) => ({ data: slice(files, query, 100) }),
  },
  {
    what: 'pages capped at 100, and `has_more` always false',
    answer: (query, files) => ({ data: slice(files, query, 100), has_more: false }),
  },
  {
    what: 'a limit over 100 answered with 400',
    answer: (query, files) => {
      if (Number(query['limit'] ?? 1) > 100) return 400;
      const data = slice(files, query, 20);
      return { data, has_more: hasMore(files, data) };
    },
  },
  {
    what: 'a limit over 100 answered with 422, and no `has_more`',
    answer: (query, files) => (Number(query['limit'] ?? 1) > 100 ? 422 : { data: slice(files, query, 100) }),
  },
  {
    what: 'no `limit` at all, pages of 7',
    answer: (query, files) => {
      if ('limit' in query) return 400;
      const data = slice(files, query, 7);
      return { data, has_more: hasMore(files, data) };
    },
  },
  {
    what: 'no `order` and no `purpose`',
    answer: (query, files) => {
      if ('order' in query || 'purpose' in query) return 400;
      const data = slice(files, query, 100);
      return { data, has_more: hasMore(files, data) };
    },
  },
  {
    what: 'no parameter at all, everything at once (Groq)',
    answer: (query, files) => (Object.keys(query).length > 0 ? 400 : { data: files }),
  },
  {
    what: 'no parameter but a cursor, pages of 30',
    answer: (query, files) => {
      if (Object.keys(query).some((name) => name !== 'after')) return 400;
      return { data: slice(files, query, 30) };
    },
  },
  {
    what: 'no parameter but a cursor, pages of 30 and `has_more`',
    answer: (query, files) => {
      if (Object.keys(query).some((name) => name !== 'after')) return 400;
      const data = slice(files, query, 30);
      return { data, has_more: hasMore(files, data) };
    },
  },
  {
    what: 'parameters ignored, everything at once (Moonshot)',
    answer: (_query, files) => ({ data: files }),
  },
  {
    what: 'a cursor refused, everything at once',
    answer: (query, files) => ('after' in query ? 400 : { data: files }),
  },
  {
    what: 'oldest first whatever is asked',
    answer: ({ order: _order, ...query }, files) => {
      const data = slice(files.toReversed(), query, 100);
      return { data, has_more: hasMore(files.toReversed(), data) };
    },
  },
  {
    what: 'each page twice, by a token that leads on',
    answer: (query, files) => {
      const turn = Number(query['page_token'] ?? 0);
      const from = Math.floor(turn / 2) * 50;
      return {
        data: files.slice(from, from + 50),
        next_page_token: from + 50 < files.length ? `${turn + 1}` : '',
      };
    },
  },
  {
    what: '`next_page_token`, empty at the end',
    answer: byToken('page_token', (next) => ({ next_page_token: next === null ? '' : String(next) })),
  },
  {
    what: '`nextPageToken` and `files` (as Gemini names them)',
    answer: (query, files) => {
      const from = Number(query['pageToken'] ?? 0);
      const rest = from + 100 < files.length ? { nextPageToken: String(from + 100) } : {};
      return { files: files.slice(from, from + 100), ...rest };
    },
  },
  {
    what: '`pagination_token`',
    answer: byToken('pagination_token', (next) => (next === null ? {} : { pagination_token: String(next) })),
  },
  {
    what: '`next_cursor`',
    answer: byToken('cursor', (next) => ({ has_more: next !== null, next_cursor: next })),
  },
  {
    what: '`value` and `nextLink`, an address',
    answer: (query, files) => {
      const from = Number(query['$skip'] ?? 0);
      const link = `https://elsewhere.example/openai/files?api-version=1&$skip=${from + 100}`;
      return { value: files.slice(from, from + 100), nextLink: from + 100 < files.length ? link : null };
    },
  },
  {
    what: 'numbered pages from 0, and a `total` (Mistral)',
    answer: (query, files) => {
      const from = Number(query['page'] ?? 0) * 100;
      return { object: 'list', data: files.slice(from, from + 100), total: files.length };
    },
  },
  {
    what: 'numbered pages from 1, and `has_more`',
    answer: (query, files) => {
      const to = Number(query['page'] ?? 1) * 100;
      return { data: files.slice(to - 100, to), has_more: to < files.length };
    },
  },
  {
    what: '`after_id` instead of `after` (Anthropic)',
    answer: (query, files) => {
      const data = slice(files, query, 100, 'after_id');
      return { data, has_more: hasMore(files, data), last_id: data.at(-1)?.['id'] ?? null };
    },
  },
  { what: 'a bare array', answer: (_query, files) => files },
  { what: 'an envelope', answer: (_query, files) => ({ code: 0, data: { data: files, has_more: false } }) },
];

interface Read {
  readonly ids: readonly string[];
  readonly doubts: readonly ListDoubt[];
  readonly queries: readonly Query[];
}

async function read(
  answer: Server,
  files = everything,
  fields: Partial<ListRequest> = {},
  asker = new PageAsker('full', null),
): Promise<Read> {
  const ids: string[] = [];
  const doubts: ListDoubt[] = [];
  const queries: Query[] = [];
  const request: ListRequest = {
    purpose: 'batch',
    order: 'desc',
    onDoubt: (doubt) => doubts.push(doubt),
    ...fields,
  };
  const pages = listPages(request, asker, async (query) => {
    queries.push(query);
    const reply = answer(query, files);
    if (typeof reply === 'number') {
      throw new Fault('refused', { disposition: 'retry', outcome: 'refused', rule: 'x', status: reply });
    }
    const reading = readListReply(JSON.stringify(reply));
    if ('problem' in reading) throw new Error(reading.problem);
    return reading.value;
  });
  for await (const page of pages) ids.push(...page.map(({ id }) => id));
  return { ids, doubts, queries };
}

describe.each(servers)('$what', ({ answer }) => {
  test('every file is told, once', async () => {
    const { ids, doubts } = await read(answer);
    expect(ids).toHaveLength(COUNT);
    expect(new Set(ids)).toEqual(new Set(allIds));
    expect(doubts).toEqual([]);
  });

  test.each([0, 1, 10, 100, 101])('%i files as well', async (count) => {
    const { ids, doubts } = await read(answer, everything.slice(0, count));
    expect(ids.toSorted()).toEqual(allIds.slice(0, count).toSorted());
    expect(doubts).toEqual([]);
  });

  test('odd entries of others blind nothing, and each is told once, with the field', async () => {
    // At the end of a page of 100 too, where a cursor would be taken from.
    const files = [
      ...everything.slice(0, 98),
      {},
      fileObject({ id: null }),
      ...everything.slice(98, 240),
      fileObject({ id: 'odd', created_at: null, bytes: null }),
      ...everything.slice(240),
    ];
    const { ids, doubts } = await read(answer, files);
    expect(new Set(ids)).toEqual(new Set([...allIds, 'odd']));
    expect(doubts.map((doubt) => (doubt.kind === 'unreadable' ? doubt.problem : doubt.kind))).toEqual(
      expect.arrayContaining(['"id" is missing', '"id" is null']),
    );
    expect(doubts).toHaveLength(2);
  });

  test('a while in which everything is refused hides nothing, then or later', async () => {
    const known = new PageAsker('full', null);
    await read(answer, everything, {}, known);
    const { queries: usual } = await read(answer, everything, {}, known);
    for (let from = 1; from <= usual.length + 1; from += 1) {
      for (let many = 1; many <= 8; many += 1) {
        const asker = new PageAsker('full', null);
        let requests = 0;
        const spoilt: Server = (query, files) => {
          requests += 1;
          return requests >= from && requests < from + many ? 400 : answer(query, files);
        };
        const during = await read(spoilt, everything, {}, asker).catch(() => null);
        // It fails, or it is whole, or it says that it is not.
        if (during !== null && during.doubts.length === 0)
          expect(during.ids.toSorted()).toEqual(allIds.toSorted());
        requests = from + many;
        await read(spoilt, everything, {}, asker);
        const { ids, queries } = await read(spoilt, everything, {}, asker);
        expect(ids.toSorted()).toEqual(allIds.toSorted());
        expect(queries).toEqual(usual);
      }
    }
  });
});

test('what a server does not take to choose by is chosen on this side', async () => {
  const mixed = everything
    .slice(0, 60)
    .map((file, at) => (at % 2 === 0 ? file : { ...file, purpose: 'vision' }));
  const { ids } = await read(
    (query, files) => ('purpose' in query || 'order' in query ? 400 : { data: slice(files, query, 20) }),
    mixed,
  );
  expect(ids).toEqual(allIds.slice(0, 60).filter((_, at) => at % 2 === 0));
});

test('a limit that is refused before and after an answer is asked for no more', async () => {
  const asker = new PageAsker('full', null);
  const limits: (string | undefined)[] = [];
  const fetchPage = async (query: Query) => {
    limits.push(query['limit']);
    if (Number(query['limit']) > 100)
      throw new Fault('no', { disposition: 'retry', outcome: 'refused', rule: 'x', status: 400 });
    return { files: [], unreadable: [], hasMore: false, total: null, next: null, last: null };
  };
  for (let turn = 0; turn < 3; turn += 1) {
    for await (const _page of listPages({ purpose: null, order: 'desc' }, asker, fetchPage));
  }
  expect(limits).toEqual(['1000', '100', '1000', '100', '100']);
});

test('a page size that is configured is asked for', async () => {
  const sizes: (string | undefined)[] = [];
  const asker = new PageAsker('full', 50);
  await asker.first({ purpose: null, order: 'desc' }, async (query) => {
    sizes.push(query['limit']);
    return { files: [], unreadable: [], hasMore: false, total: null, next: null, last: null };
  });
  expect(sizes).toEqual(['50']);
});

test('what refuses everything is said with its first refusal, and is asked in full the next time', async () => {
  const asker = new PageAsker('full', null);
  const queries: Query[] = [];
  const first = () =>
    asker.first({ purpose: null, order: 'desc' }, async (query) => {
      queries.push(query);
      const rule = `refusal ${queries.length}`;
      throw new Fault(rule, { disposition: 'retry', outcome: 'refused', rule, status: 400 });
    });
  await expect(first()).rejects.toMatchObject({ rule: 'refusal 1' });
  const asked = queries.length;
  await expect(first()).rejects.toMatchObject({ rule: `refusal ${asked + 1}` });
  expect(queries[asked]).toEqual(queries[0]);
});

test.each([
  ['promises more', true],
  ['does not say', null],
])(
  'a server that %s, and then refuses everything for a while, has not come to an end',
  async (_what, more) => {
    let requests = 0;
    const answer: Server = (query, files) => {
      requests += 1;
      return requests > 1 ? 400 : { data: slice(files, query, 100), has_more: more };
    };
    await expect(read(answer)).rejects.toMatchObject({ status: 400 });
  },
);

test('a cursor whose file has gone meanwhile is no end either', async () => {
  let requests = 0;
  const answer: Server = (query, files) => {
    requests += 1;
    if ('after' in query) return 400;
    return { data: slice(requests === 1 ? files : files.slice(0, 99), query, 100) };
  };
  await expect(read(answer)).rejects.toMatchObject({ status: 400 });
});

test('a server that refuses a cursor, and again after an answer, is asked for one no more', async () => {
  const asker = new PageAsker('full', null);
  const queries: Query[] = [];
  for (let turn = 0; turn < 2; turn += 1) {
    const pages = listPages({ purpose: null, order: 'desc' }, asker, async (query) => {
      queries.push(query);
      if ('after' in query)
        throw new Fault('no', { disposition: 'retry', outcome: 'refused', rule: 'x', status: 400 });
      const reading = readListReply(JSON.stringify({ data: everything.slice(0, 5) }));
      if ('problem' in reading) throw new Error(reading.problem);
      return reading.value;
    });
    for await (const _page of pages);
  }
  expect(queries.map(({ after = null }) => after)).toEqual([null, 'f4', null, 'f4', null]);
});

test('a server that promises more than can be had is doubted, not believed', async () => {
  const answer: Server = (_query, files) => ({ data: files.slice(0, 100), has_more: true });
  const { ids, doubts } = await read(answer);
  expect(ids).toHaveLength(100);
  expect(doubts).toEqual([{ kind: 'cut', why: 'it says that more follows after 100 files' }]);
});

test.each<[string, Server]>([
  ['at once', (_query, files) => ({ data: [], total: files.length })],
  ['at once, as all there is', (_query, files) => ({ data: [], total: files.length, has_more: false })],
  [
    'after some pages',
    ({ page = '0' }, files) => ({ data: page === '0' ? files.slice(0, 100) : [], total: files.length }),
  ],
])('an empty page is no end when the server counts more files than it gave: %s', async (_what, answer) => {
  const { ids, doubts } = await read(answer);
  expect(doubts).toEqual([{ kind: 'cut', why: `it counts 250 files, and gives ${ids.length}` }]);
});

test('an address of the next page is only taken for its query: requests go to no other server', async () => {
  const { queries } = await read((query, files) => ({
    value: query['$skip'] === undefined ? files.slice(0, 9) : [],
    nextLink: query['$skip'] === undefined ? 'https://elsewhere.example/other?$skip=9' : null,
  }));
  expect(queries).toEqual([
    { purpose: 'batch', limit: '1000', order: 'desc' },
    { purpose: 'batch', limit: '1000', order: 'desc', $skip: '9' },
  ]);
});
