import type { ListRequest } from '../mirror/ports.ts';
import type { RemoteFile } from '../mirror/types.ts';

type Page = readonly RemoteFile[];
type Order = ListRequest['order'];

/**
 * The pages in the order that was asked for, whatever order the server has: who asks for the newest first stops at
 * the first page that is too old. Pages pass through as soon as their times show that order. Where the times do not
 * tell (all are equal) pages wait for one that does, and where they show another order everything waits for the end.
 */
export async function* inOrder(
  order: Order,
  pages: AsyncIterable<Page>,
): AsyncGenerator<Page, void, undefined> {
  const waiting: Page[] = [];
  let shown: 'unknown' | 'asked' | 'other' = 'unknown';
  let last: number | null = null;
  for await (const page of pages) {
    const times = page.flatMap(({ createdAt }) => createdAt ?? []);
    if (shown !== 'other') shown = orderOf(last === null ? times : [last, ...times], order) ?? shown;
    last = times.at(-1) ?? last;
    waiting.push(page);
    if (shown === 'asked') yield* waiting.splice(0);
  }
  if (shown === 'other') yield waiting.flat().sort(comparer(order));
  else yield* waiting;
}

/** Null: these times do not tell. */
function orderOf(times: readonly number[], order: Order): 'asked' | 'other' | null {
  const sign = order === 'asc' ? 1 : -1;
  const steps = times.slice(1).map((time, at) => sign * (time - (times[at] ?? time)));
  if (steps.some((step) => step < 0)) return 'other';
  return steps.some((step) => step > 0) ? 'asked' : null;
}

function comparer(order: Order): (a: RemoteFile, b: RemoteFile) => number {
  const sign = order === 'asc' ? 1 : -1;
  return (a, b) => sign * ((a.createdAt ?? 0) - (b.createdAt ?? 0));
}
