import { expect, test } from 'vitest';
import type { ListDoubt } from '../../src/contract/ports.ts';
import type { RemoteFile } from '../../src/contract/types.ts';
import { listPages } from '../../src/remote/listing.ts';
import { PageAsker } from '../../src/remote/page-asker.ts';
import type { ListParameters } from '../../src/remote/page-asker.ts';
import type { ListPage } from '../../src/remote/replies.ts';
import { faultOf } from './wire.ts';

function file(id: string, fields: Partial<RemoteFile> = {}): RemoteFile {
  return { id, bytes: 1, createdAt: 1, expiresAt: null, filename: 'a', purpose: 'batch', ...fields };
}

function page(ids: readonly string[], hasMore: boolean | null): ListPage {
  const files = ids.map((id) => file(id));
  return { files, unreadable: [], hasMore, total: null, next: null, last: ids.at(-1) ?? null };
}

const thousand = Array.from({ length: 1_000 }, (_, at) => `f${at}`);

/** Lists from these pages (the last one repeats) and returns the ids page by page, and the queries. */
async function listed(pages: readonly ListPage[], parameters: ListParameters = 'full') {
  const queries: Record<string, string>[] = [];
  const ids: string[][] = [];
  const doubts: ListDoubt[] = [];
  const fetchPage = async (query: Readonly<Record<string, string>>): Promise<ListPage> => {
    queries.push(query);
    return pages[Math.min(queries.length, pages.length) - 1] as ListPage;
  };
  for await (const files of listPages(
    { purpose: 'batch', order: 'desc', onDoubt: (doubt) => doubts.push(doubt) },
    new PageAsker(parameters, null),
    fetchPage,
  )) {
    ids.push(files.map((one) => one.id));
  }
  return { ids, queries, doubts };
}

test('goes on from the last id while there is more, however short the pages', async () => {
  const { ids, queries } = await listed([page(['a', 'b'], true), page(['c'], true), page(['d'], false)]);
  expect(ids).toEqual([['a', 'b'], ['c'], ['d']]);
  expect(queries).toEqual([
    { purpose: 'batch', limit: '1000', order: 'desc' },
    { purpose: 'batch', limit: '1000', order: 'desc', after: 'b' },
    { purpose: 'batch', limit: '1000', order: 'desc', after: 'c' },
  ]);
});

test.each([
  ['an empty page that promises more', [page([], true)], []],
  ['a server that ignores `after`', [page(['a', 'b'], true)], [['a', 'b']]],
  ['a circle', [page(['a'], true), page(['b'], true), page(['a'], true)], [['a'], ['b']]],
  ['no word on more, and nothing more', [page(['a'], null), page([], null)], [['a']]],
  [
    'a full page without a word on more: asked again',
    [page(thousand, null), page(['x'], null)],
    [thousand, ['x']],
  ],
  ['a server that sends everything, again', [page(thousand, null)], [thousand]],
])('ends: %s', async (_what, pages, expected) => {
  expect((await listed(pages)).ids).toEqual(expected);
});

test('files that slide onto the next page are told once', async () => {
  const { ids } = await listed([page(['a', 'b'], true), page(['b', 'c'], false)]);
  expect(ids).toEqual([['a', 'b'], ['c']]);
});

test('asks for nothing that is not wanted', async () => {
  let requests = 0;
  const fetchPage = async (): Promise<ListPage> => {
    requests += 1;
    const oldest = -100 * requests;
    const files = Array.from({ length: 40 }, (_, at) =>
      file(`${requests}.${at}`, { createdAt: oldest - at }),
    );
    return { ...page([], true), files, last: `${requests}.39` };
  };
  for await (const files of listPages(
    { purpose: null, order: 'desc' },
    new PageAsker('full', null),
    fetchPage,
  )) {
    if (files[0]?.id === '2.0') break;
  }
  expect(requests).toBe(2);
});

test('a list that always has something new is a lie', async () => {
  let requests = 0;
  const fetchPage = async (): Promise<ListPage> => page([`f${(requests += 1)}`], true);
  const all = async (): Promise<void> => {
    for await (const _files of listPages(
      { purpose: null, order: 'asc' },
      new PageAsker('full', null),
      fetchPage,
    ));
  };
  const fault = await faultOf(all());
  expect(fault).toMatchObject({ rule: 'lying-list', disposition: 'retry', outcome: 'refused' });
  expect(requests).toBe(10_000);
});

test('without parameters: one request, selected and sorted here', async () => {
  const everything: ListPage = {
    files: [
      file('old', { createdAt: 1 }),
      file('other', { createdAt: 2, purpose: 'vision' }),
      file('new', { createdAt: 3 }),
    ],
    unreadable: [],
    hasMore: null,
    total: null,
    next: null,
    last: 'new',
  };
  expect(await listed([everything], 'none')).toEqual({ ids: [['new', 'old']], queries: [{}], doubts: [] });
});

test('without parameters, more cannot be had: that is said, not hidden', async () => {
  expect(await faultOf(listed([page(['a'], true)], 'none'))).toMatchObject({ rule: 'lying-list' });
});

test('without parameters, a server that counts more files than it gives is doubted', async () => {
  const counted = (total: number): ListPage => ({ ...page(['a', 'b'], null), total });
  const { ids, doubts } = await listed([counted(3)], 'none');
  expect({ ids, doubts }).toEqual({
    ids: [['a', 'b']],
    doubts: [{ kind: 'cut', why: 'it counts 3 files, and gives 2' }],
  });
  expect((await listed([counted(2)], 'none')).doubts).toEqual([]);
});
