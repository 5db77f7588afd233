import { completed, contradictionOf, ignoredExpiry, type Contradiction } from './belief.ts';
import { mayBeSince } from './whose-file.ts';
import type { FolderRules, RemoteFile, ReplyField } from '../../contract/types.ts';

/** All that is known of a reply which says that the server stored the file. */
export interface ReplyEvidence {
  readonly rules: FolderRules;
  /** As many were sent. */
  readonly bytes: number;
  readonly reply: RemoteFile;
  /** What the server says about this one file when it is asked for it; null: it does not show it. */
  readonly lookedUp: RemoteFile | null | 'not-asked';
  /** An entry or the garbage list has this id. */
  readonly isOwned: boolean;
  /** The earliest time at which this attempt can have made a file, unix milliseconds by the server's clock. */
  readonly sinceMs: number;
  /** The fields of the server's replies that are believed. */
  readonly trusted: ReadonlySet<ReplyField>;
}

export type ReplyVerdict =
  /** It leaves out what matters, or contradicts: what the server says about this one file may be the truth. */
  | { readonly kind: 'ask' }
  | { readonly kind: 'accepted'; readonly remote: RemoteFile }
  /** It speaks of a file that is not this one: the true one is looked for. */
  | { readonly kind: 'of-another' }
  /** It is ours, but not what was sent: the version is held, and its id kept aside. */
  | { readonly kind: 'contradicts'; readonly remote: RemoteFile; readonly contradiction: Contradiction }
  /** It is ours, but does not expire as asked: the version is refused, and its id becomes garbage. */
  | { readonly kind: 'expiry-ignored'; readonly remote: RemoteFile; readonly message: string };

/**
 * Whether a reply to an upload is believed. Pure. INVARIANT: no verdict sends this version again: it is recorded,
 * refused, held, or looked for.
 */
export function judgeReply(evidence: ReplyEvidence): ReplyVerdict {
  const { rules, bytes, lookedUp, trusted } = evidence;
  if (evidence.isOwned) return { kind: 'of-another' };
  if (lookedUp === 'not-asked' && leavesDoubt(evidence)) return { kind: 'ask' };
  const remote = truthOf(evidence);
  const contradiction = contradictionOf({ purpose: rules.purpose, bytes }, remote, trusted);
  if (contradiction !== null) {
    // By the server's own word, this file existed before the attempt.
    if (!mayBeSince(remote, evidence.sinceMs)) return { kind: 'of-another' };
    return { kind: 'contradicts', remote, contradiction };
  }
  const message = ignoredExpiry(rules, remote, trusted);
  return message === null ? { kind: 'accepted', remote } : { kind: 'expiry-ignored', remote, message };
}

function leavesDoubt({ rules, bytes, reply, trusted }: ReplyEvidence): boolean {
  return (
    reply.bytes === null ||
    reply.createdAt === null ||
    contradictionOf({ purpose: rules.purpose, bytes }, reply, trusted) !== null ||
    ignoredExpiry(rules, reply, trusted) !== null
  );
}

/** The reply goes first, unless it contradicts what was sent and the look-up does not. */
function truthOf({ rules, bytes, reply, lookedUp, trusted }: ReplyEvidence): RemoteFile {
  if (lookedUp === null || lookedUp === 'not-asked') return reply;
  const contradicts = (said: RemoteFile): boolean =>
    contradictionOf({ purpose: rules.purpose, bytes }, said, trusted) !== null;
  return contradicts(reply) && !contradicts(lookedUp)
    ? completed(lookedUp, reply)
    : completed(reply, lookedUp);
}
