import { claimMoved } from './claim-moved.ts';
import type { Core } from './core.ts';
import { uploaded, type Upload } from '../judge/fold.ts';

/**
 * Records an upload that the API has accepted. The entry that it supersedes belongs to another path: if that cannot be
 * claimed any more, the entry is left to that path's worker.
 */
export async function recordUpload(core: Core, upload: Upload, signal: AbortSignal): Promise<void> {
  const release = upload.supersedes === null ? null : await claimMoved(core, upload.supersedes, 'gone');
  try {
    const change = uploaded(core.view, release === null ? { ...upload, supersedes: null } : upload);
    await core.ledger.record(change, signal);
  } finally {
    release?.();
  }
}
