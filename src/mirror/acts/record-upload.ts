import { claimMoved, type ClaimParts } from './claim-moved.ts';
import type { Ledger } from '../memory/ledger.ts';
import { uploaded, type Upload } from '../judge/fold.ts';

/**
 * Records an upload that the API has accepted. The entry that it supersedes belongs to another path: if that cannot be
 * claimed any more, the entry is left to that path's worker.
 */
export async function recordUpload(
  parts: ClaimParts & { readonly ledger: Ledger },
  upload: Upload,
  signal: AbortSignal,
): Promise<void> {
  const release = upload.supersedes === null ? null : await claimMoved(parts, upload.supersedes, 'gone');
  try {
    const change = uploaded(parts.view, release === null ? { ...upload, supersedes: null } : upload);
    await parts.ledger.record(change, signal);
  } finally {
    release?.();
  }
}
