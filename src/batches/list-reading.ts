import type { BatchesApi, RemoteBatch } from '../contract/batch.ts';

export interface Listed {
  readonly batches: ReadonlyMap<string, RemoteBatch>;
  /** Requests that it took. */
  readonly pages: number;
}

/** So few that stand in order may do so by chance. */
const IN_ORDER_FROM = 20;

/**
 * Reads the list until `isEnough`, or until everything that was created at `backTo` or later was seen: that is sure only
 * as long as creation times descend, which no server promises, so it is read to its end otherwise.
 */
export async function readList(
  api: BatchesApi,
  backTo: number,
  isEnough: (seen: ReadonlyMap<string, RemoteBatch>, pages: number) => boolean,
  signal: AbortSignal,
): Promise<Listed> {
  const batches = new Map<string, RemoteBatch>();
  let pages = 0;
  let last = Number.POSITIVE_INFINITY;
  let descends = true;
  for await (const page of api.list(signal)) {
    pages += 1;
    for (const batch of page) {
      batches.set(batch.id, batch);
      descends &&= batch.createdAt !== null && batch.createdAt <= last;
      last = batch.createdAt ?? last;
    }
    const isInOrder = descends && batches.size >= IN_ORDER_FROM;
    if ((isInOrder && last < backTo) || isEnough(batches, pages)) break;
  }
  return { batches, pages };
}
