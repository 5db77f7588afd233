import type { StoredFile } from './stored-file.ts';
import { agePosition, compareAge } from './stored-file.ts';

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
