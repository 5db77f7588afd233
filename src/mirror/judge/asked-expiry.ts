import type { FolderRules, RemoteFile, ReplyField } from '../../contract/types.ts';

/** Servers round expiry times; more than this apart is not what was asked for. */
const TOLERANCE_SECONDS = 3_600;

/**
 * Why the file that the server stored does not expire as its folder's rules asked for; null: it does, or nothing
 * was asked. A server that does not know `expires_after` may ignore it without a word.
 */
export function ignoredExpiry(
  rules: FolderRules,
  remote: RemoteFile,
  trusted: ReadonlySet<ReplyField>,
): string | null {
  const { expiresAfterSeconds, folder } = rules;
  if (expiresAfterSeconds === null || !trusted.has('expires_at')) return null;
  const { expiresAt, createdAt } = remote;
  if (expiresAt !== null) {
    // Without a creation time nothing can be measured: that some expiry was set has to do.
    const offSeconds = createdAt === null ? 0 : expiresAt - createdAt - expiresAfterSeconds;
    if (Math.abs(offSeconds) <= TOLERANCE_SECONDS) return null;
  }
  return `the server did not set the expiry that was asked for (${expiresAfterSeconds} s); set folders.${folder}.expiresAfterSeconds to null if it cannot, or take "expires_at" out of api.trustReply if it only does not say so`;
}
