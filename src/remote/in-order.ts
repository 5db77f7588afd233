import type { ListRequest } from '../contract/ports.ts';
import type { FileId, RemoteFile } from '../contract/types.ts';

type Page = readonly RemoteFile[];
type Order = ListRequest['order'];

/**
 * So many times in the order that was asked for, and none against it, show that the server keeps it. A few files of
 * somebody else may stand in any order by chance.
 */
const STEPS_TO_TRUST = 30;

/**
 * The pages in the order that was asked for, whatever order the server has: who asks for the newest first stops at
 * the first page that is too old. Pages pass through once their times have shown that order; until then, and where
 * they show another one, everything waits for the end.
 */
export async function* inOrder(
  order: Order,
  pages: AsyncIterable<Page>,
): AsyncGenerator<Page, void, undefined> {
  const sign = order === 'asc' ? 1 : -1;
  const waiting: Page[] = [];
  let steps = 0;
  let isOther = false;
  let last: number | null = null;
  for await (const page of pages) {
    for (const { createdAt } of page) {
      if (createdAt === null) continue;
      const step = last === null ? 0 : sign * (createdAt - last);
      if (step > 0) steps += 1;
      if (step < 0) isOther = true;
      last = createdAt;
    }
    waiting.push(page);
    if (!isOther && steps >= STEPS_TO_TRUST) yield* waiting.splice(0);
  }
  if (isOther) yield waiting.flat().sort(comparer(order));
  else yield* waiting;
}

/** Several listings as one page in that order: what comes first may stand in the last of them. Each file once. */
export async function* inOneOrder(
  order: Order,
  listings: readonly AsyncIterable<Page>[],
): AsyncGenerator<Page, void, undefined> {
  const files = new Map<FileId, RemoteFile>();
  for (const pages of listings) {
    for await (const page of pages) for (const file of page) files.set(file.id, file);
  }
  if (files.size > 0) yield [...files.values()].sort(comparer(order));
}

function comparer(order: Order): (a: RemoteFile, b: RemoteFile) => number {
  const sign = order === 'asc' ? 1 : -1;
  return (a, b) => sign * ((a.createdAt ?? 0) - (b.createdAt ?? 0));
}
