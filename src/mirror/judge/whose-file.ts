import { holdsUp } from './list-doubts.ts';
import type { ListDoubt } from '../../contract/ports.ts';
import { sameRemoteName } from '../../contract/remote-name.ts';
import type { FileId, Intent, RemoteFile, ReplyField } from '../../contract/types.ts';

/**
 * Whose a listed file is. Pure. The API has no key by which an upload could be found again, so a listed file is only
 * taken for the one that an intent stands for when nothing the server says speaks against it, and no other file fits.
 */

/**
 * `Date` headers, by which an intent's start is known, and `created_at` may come from clocks of different machines.
 * Far more than they are usually apart; too much only makes more files look alike, which a person then judges.
 */
const KNOWN_CLOCK_SLACK_MS = 120_000;
/** Before any reply, the server's clock is only known to be about ours. */
const UNKNOWN_CLOCK_SLACK_MS = 900_000;

/** The earliest `created_at` that an upload of this intent can have, unix milliseconds by the server's clock. */
export function earliestCreationMs(intent: Pick<Intent, 'startedAtMs' | 'serverStartedAtMs'>): number {
  return intent.serverStartedAtMs === null
    ? intent.startedAtMs - UNKNOWN_CLOCK_SLACK_MS
    : intent.serverStartedAtMs - KNOWN_CLOCK_SLACK_MS;
}

/** False for a file that surely existed before; a server that does not say when leaves it open. */
export function mayBeSince({ createdAt }: Pick<RemoteFile, 'createdAt'>, sinceMs: number): boolean {
  return createdAt === null || createdAt * 1000 >= sinceMs;
}

/**
 * `fits`: its name and its time are those of the upload, and nothing else differs. `perhaps`: what would tell is
 * not said.
 */
export type Fit = 'fits' | 'perhaps' | 'other';

/** How a listed file fits the upload that `intent` stands for. `trusted`: the fields that this server does not rewrite. */
export function fitOf(intent: Intent, file: RemoteFile, trusted: ReadonlySet<ReplyField>): Fit {
  const differs = (field: ReplyField, isSame: boolean): boolean => trusted.has(field) && !isSame;
  const { purpose, filename, bytes } = file;
  if (!mayBeSince(file, earliestCreationMs(intent))) return 'other';
  // What says nothing at all is nobody's, or one odd entry would hold up everything.
  if (filename === null && bytes === null && file.createdAt === null) return 'other';
  if (purpose !== null && purpose !== '' && differs('purpose', purpose === intent.purpose)) return 'other';
  if (bytes !== null && differs('bytes', bytes === intent.bytes)) return 'other';
  if (
    filename !== null &&
    differs('filename', sameRemoteName(filename) === sameRemoteName(intent.remoteName))
  )
    return 'other';
  // Where names tell nothing, the size must: purpose and time alone are many a file's.
  const isTold = trusted.has('filename') ? filename !== null : bytes !== null && trusted.has('bytes');
  return isTold && file.createdAt !== null ? 'fits' : 'perhaps';
}

export type Finding =
  | { readonly kind: 'none' }
  /** Exactly one file fits, no other might, and it fits no other upload of ours. */
  | { readonly kind: 'ours'; readonly file: RemoteFile }
  /** Which of them is ours, if any, cannot be told; or something (`doubt`) may hide it. */
  | { readonly kind: 'unclear'; readonly files: readonly RemoteFile[]; readonly doubt: string | null };

/**
 * What a listing says about the upload of `intent`. `listed`: without the files that are known to be somebody's.
 * `rivals`: the intents of other paths that are open too; `doubts`: what the listing left open; `isDisputed`: whether a
 * file may be of an upload that was given up.
 * INVARIANT: what is not surely ours is neither adopted nor put on the garbage list, so it is never deleted.
 */
export function findingOf(
  intent: Intent,
  rivals: readonly Intent[],
  listed: readonly RemoteFile[],
  doubts: readonly ListDoubt[],
  trusted: ReadonlySet<ReplyField>,
  isDisputed: (id: FileId) => boolean,
): Finding {
  const candidates = listed
    .map((file) => ({ file, fit: fitOf(intent, file, trusted) }))
    .filter(({ fit }) => fit !== 'other');
  const files = candidates.map(({ file }) => file);
  const sinceMs = earliestCreationMs(intent);
  const recent = doubts.filter((doubt) => doubt.kind === 'unreadable' && mayBeSince(doubt.file, sinceMs));
  const hidden = holdsUp(recent, intent);
  if (hidden !== null) return { kind: 'unclear', files, doubt: hidden };
  const [first, ...more] = candidates;
  const isRivals = (file: RemoteFile): boolean =>
    isDisputed(file.id) || rivals.some((rival) => fitOf(rival, file, trusted) !== 'other');
  if (first?.fit === 'fits' && more.length === 0 && !isRivals(first.file))
    return { kind: 'ours', file: first.file };
  if (first !== undefined) return { kind: 'unclear', files, doubt: null };
  const cut = holdsUp(
    doubts.filter(({ kind }) => kind === 'cut'),
    intent,
  );
  return cut === null ? { kind: 'none' } : { kind: 'unclear', files, doubt: cut };
}
