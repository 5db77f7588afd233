import type { FolderRules, RemoteFile, ReplyField } from '../../contract/types.ts';

/** What an upload asked for. */
export interface Asked {
  readonly purpose: string;
  readonly bytes: number;
}

/** One field of a server's reply that is not as it was sent. */
export interface Contradiction {
  readonly field: ReplyField;
  /** What the server said, after "the server said …". */
  readonly said: string;
}

/**
 * What a server's word about a file that it stored for us says against what was sent; null: nothing. Pure. Only the
 * `trusted` fields count, and what is left out, null or empty contradicts nothing. The name never does: servers tidy it.
 */
export function contradictionOf(
  asked: Asked,
  said: RemoteFile,
  trusted: ReadonlySet<ReplyField>,
): Contradiction | null {
  if (trusted.has('bytes') && said.bytes !== null && said.bytes !== asked.bytes)
    return { field: 'bytes', said: `that ${said.bytes} bytes were stored, not ${asked.bytes}` };
  if (
    trusted.has('purpose') &&
    said.purpose !== null &&
    said.purpose !== '' &&
    said.purpose !== asked.purpose
  )
    return { field: 'purpose', said: `that its purpose is "${said.purpose}", not "${asked.purpose}"` };
  return null;
}

/** What the reply left out, from a later look-up of the same file; what it said stays. */
export function completed(said: RemoteFile, lookedUp: RemoteFile): RemoteFile {
  return {
    id: said.id,
    bytes: said.bytes ?? lookedUp.bytes,
    createdAt: said.createdAt ?? lookedUp.createdAt,
    expiresAt: said.expiresAt ?? lookedUp.expiresAt,
    filename: said.filename ?? lookedUp.filename,
    purpose: said.purpose ?? lookedUp.purpose,
  };
}

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
