import type { RemoteFile, ReplyField } from '../../contract/types.ts';

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
