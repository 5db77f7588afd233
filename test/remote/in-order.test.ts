import { expect, test } from 'vitest';
import type { RemoteFile } from '../../src/contract/types.ts';
import { inOrder } from '../../src/remote/in-order.ts';

function page(...times: readonly (number | null)[]): RemoteFile[] {
  return times.map((createdAt) => ({
    id: `file-${createdAt}`,
    bytes: 1,
    createdAt,
    expiresAt: null,
    filename: 'a',
    purpose: 'batch',
  }));
}

/** The times page by page; `pulled` tells how many pages the server was asked for until then. */
async function ordered(pages: readonly RemoteFile[][], order: 'asc' | 'desc' = 'desc') {
  let pulled = 0;
  async function* source() {
    for (const each of pages) {
      pulled += 1;
      yield each;
    }
  }
  const got: { times: (number | null)[]; pulled: number }[] = [];
  for await (const files of inOrder(order, source()))
    got.push({ times: files.map(({ createdAt }) => createdAt), pulled });
  return got;
}

/** So many falling times that nobody takes them for chance. */
const MANY = Array.from({ length: 40 }, (_, index) => 100 - index);

test('pages pass through at once when their times have shown the right order', async () => {
  expect(await ordered([page(...MANY), page(60), page(59, 58)])).toEqual([
    { times: MANY, pulled: 1 },
    { times: [60], pulled: 2 },
    { times: [59, 58], pulled: 3 },
  ]);
});

test('a few files that are in that order by chance show nothing: the end is awaited', async () => {
  expect(await ordered([page(9), page(8), page(7)])).toEqual([
    { times: [9], pulled: 3 },
    { times: [8], pulled: 3 },
    { times: [7], pulled: 3 },
  ]);
  expect(await ordered([page(9), page(8), page(99)])).toEqual([{ times: [99, 9, 8], pulled: 3 }]);
});

test('oldest first, though newest first was asked for: nobody sees an old page first', async () => {
  expect(await ordered([page(1, 2), page(3, 4)])).toEqual([{ times: [4, 3, 2, 1], pulled: 2 }]);
  expect(await ordered([page(4, 3), page(2, 1)], 'asc')).toEqual([{ times: [1, 2, 3, 4], pulled: 2 }]);
});

test('times that are all equal tell nothing', async () => {
  expect(await ordered([page(1, 1), page(1, 2)])).toEqual([{ times: [2, 1, 1, 1], pulled: 2 }]);
  expect(await ordered([page(1), page(1)])).toEqual([
    { times: [1], pulled: 2 },
    { times: [1], pulled: 2 },
  ]);
});

test('no order at all: sorted, and what has no time comes last', async () => {
  expect(await ordered([page(3, 5, 4), page(9, null, 1)])).toEqual([
    { times: [9, 5, 4, 3, 1, null], pulled: 2 },
  ]);
});

test('what was in order and then is not: the rest is sorted', async () => {
  expect((await ordered([page(...MANY), page(3, 5), page(4)])).map(({ times }) => times)).toEqual([
    MANY,
    [5, 4, 3],
  ]);
});
