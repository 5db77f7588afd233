/** Batches of a running daemon, asked over its control socket. */
import type { BatchControl, BatchView, VerbReply, WaitOutcome } from '../contract/batch-report.ts';
import type { MirrorPath } from '../contract/types.ts';

/** What may be asked of a daemon's batches, and of those of a mirror that was opened for this, in the same words. */
export type BatchChanges = Pick<BatchControl, 'submit' | 'cancel' | 'retry' | 'resolve' | 'approveSubmits'>;

export interface BatchClient extends BatchChanges {
  list(): AsyncIterable<BatchView>;
  show(path: MirrorPath): Promise<BatchView | null>;
  /** `timeoutMs` null: as long as it takes. */
  wait(paths: readonly MirrorPath[] | null, timeoutMs: number | null): Promise<WaitOutcome>;
}

interface Asking {
  readonly asked: (route: string, body?: Readonly<Record<string, unknown>>) => Promise<unknown>;
  readonly listed: (route: string) => AsyncIterable<unknown>;
}

/** A request of the control socket holds no more than 64 KiB. */
const PATHS_BYTES = 32 * 1024;

export function batchClient({ asked, listed }: Asking): BatchClient {
  const post = (name: string, body: Readonly<Record<string, unknown>> = {}) =>
    asked(`POST /v1/batches/${name}`, body);
  const changed = async (
    name: string,
    paths: readonly MirrorPath[],
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<readonly VerbReply[]> => {
    const replies: VerbReply[] = [];
    for (const some of inPieces(paths))
      replies.push(...((await post(name, { paths: some, ...more })) as readonly VerbReply[]));
    return replies;
  };
  return {
    list: () => listed('GET /v1/batches') as AsyncIterable<BatchView>,
    show: async (path) => (await asked(`GET /v1/batch?path=${encodeURIComponent(path)}`)) as BatchView | null,
    submit: async (paths, { again = false } = {}) => await changed('submit', paths, { again }),
    cancel: async (paths) => await changed('cancel', paths),
    retry: async (paths) => await changed('retry', paths),
    resolve: async (path, word) =>
      (await post('resolve', {
        path,
        ...(word === 'none' ? { none: true } : word === null ? {} : { batch: word.batch }),
      })) as VerbReply,
    approveSubmits: async () => ((await post('approve')) as { approved: number }).approved,
    wait: async (paths, timeoutMs) =>
      ((await post('wait', { paths, timeoutMs })) as { outcome: WaitOutcome }).outcome,
  };
}

function* inPieces(paths: readonly MirrorPath[]): Iterable<readonly MirrorPath[]> {
  let piece: MirrorPath[] = [];
  let bytes = 0;
  for (const path of paths) {
    if (bytes > PATHS_BYTES) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(path);
    bytes += JSON.stringify(path).length * 3;
  }
  yield piece;
}
