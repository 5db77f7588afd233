import type { Core } from './core.ts';
import { uploaded, type Upload } from './fold.ts';
import type { Change, FileId, Garbage } from './types.ts';

/**
 * Records an upload that the API has accepted, with `more` garbage in the same record.
 *
 * RACE: the entry that it supersedes belongs to another path, whose worker may be deleting it right now; then it
 * is left to that worker.
 */
export async function recordUpload(
  core: Core,
  upload: Upload,
  more: Readonly<Record<FileId, Garbage>>,
  signal: AbortSignal,
): Promise<void> {
  const from = upload.supersedes?.path ?? null;
  const claimed = from !== null && core.worklist.claim(from);
  try {
    const change = uploaded(core.view, claimed ? upload : { ...upload, supersedes: null });
    await core.ledger.record(withGarbage(change, more), signal);
  } finally {
    if (claimed) {
      // Its state is another one now, whatever it waited for.
      core.worklist.mark(from);
      core.worklist.done(from, null);
    }
  }
}

export function withGarbage(change: Change, more: Readonly<Record<FileId, Garbage>>): Change {
  return { ...change, garbage: { ...change.garbage, ...more } };
}
