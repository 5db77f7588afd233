import type { Entry, FolderRules, MirrorPath, RemoteFile, StatToken } from '../../contract/types.ts';

/** What the passing of time asks for. Pure; times are unix seconds by the server's clock. */

/**
 * Whether an entry whose file shows this stat needs no look at all: the cheap test that most files pass at every
 * scan. What it lets pass, `plan` would answer with `synced`.
 */
export function isAtRest(
  path: MirrorPath,
  entry: Entry,
  stat: StatToken,
  rules: FolderRules | null,
  nowSeconds: number,
): boolean {
  if (entry.stat !== stat || rules === null || entry.purpose !== rules.purpose) return false;
  return !expiryWantsLook(path, entry, rules, nowSeconds);
}

/** Expired, or due to be renewed. */
export function expiryWantsLook(
  path: MirrorPath,
  entry: Entry,
  rules: FolderRules,
  nowSeconds: number,
): boolean {
  if (entry.expiresAt === null) return false;
  return (
    isExpired(entry, nowSeconds) ||
    (rules.onExpiry === 'renew' && renewalIsDue(path, entry, rules, nowSeconds))
  );
}

export function isExpired({ expiresAt }: Pick<Entry, 'expiresAt'>, nowSeconds: number): boolean {
  return expiresAt !== null && expiresAt <= nowSeconds;
}

/** What the API says of an entry that expired by what is recorded, and whose local file is gone. */
export type AfterExpiry =
  /** Its time is not over: what is recorded is corrected. */
  | { readonly kind: 'lives'; readonly expiresAt: number | null }
  /** It is over, by the API's own word. */
  | { readonly kind: 'forget' }
  /** The API does not know the id: it is forgotten if that can be believed (`scope.ts`). */
  | { readonly kind: 'forget-if-believed' };

/** Whether such an entry may be forgotten. `remote`: what the look-up of its id shows; null: nothing. */
export function afterExpiry(remote: Pick<RemoteFile, 'expiresAt'> | null, nowSeconds: number): AfterExpiry {
  if (remote === null) return { kind: 'forget-if-believed' };
  return isExpired(remote, nowSeconds) ? { kind: 'forget' } : { kind: 'lives', expiresAt: remote.expiresAt };
}

/** Whether a file under the policy `renew` is to be uploaded again now. */
export function renewalIsDue(
  path: MirrorPath,
  entry: Entry,
  rules: FolderRules,
  nowSeconds: number,
): boolean {
  const at = renewalDueAt(path, entry, rules);
  return at !== null && at <= nowSeconds;
}

/**
 * From when on a file under the policy `renew` is to be uploaded again; null: it does not expire. A thousand files that
 * expire together are spread over the first half of the lead time by a hash of their path, so that they do not renew in
 * one minute. The lead time is never more than half of the file's life.
 */
export function renewalDueAt(path: MirrorPath, entry: Entry, rules: FolderRules): number | null {
  if (entry.expiresAt === null) return null;
  // A lead as long as the life itself would renew for ever.
  const longestSeconds = Math.max(0, entry.expiresAt - entry.createdAt) / 2;
  const leadSeconds = Math.min(rules.renewBeforeSeconds, longestSeconds) * (1 - spreadOf(path) / 2);
  return entry.expiresAt - leadSeconds;
}

/** A number in [0, 1) that depends on the path alone (FNV-1a). */
function spreadOf(path: MirrorPath): number {
  let hash = 0x81_1c_9d_c5;
  for (let index = 0; index < path.length; index += 1) {
    hash = Math.imul(hash ^ path.charCodeAt(index), 0x01_00_01_93);
  }
  return (hash >>> 0) / 0x1_00_00_00_00;
}
