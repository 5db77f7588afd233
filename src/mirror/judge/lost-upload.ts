import { isHold, type HoldRule } from './rejections.ts';
import type { Finding } from './whose-file.ts';
import { command } from '../../contract/command.ts';
import { remoteNameOf } from '../../contract/mirror-path.ts';
import { sizeOf } from '../../contract/stat-token.ts';
import type { Intent, ManifestView, MirrorPath, Rejection, RemoteFile } from '../../contract/types.ts';

/** What is done about an upload of unknown outcome after one listing. Pure. */

/** Ids that one message names. */
const IDS_TO_NAME = 5;

export type SearchVerdict =
  /** Lists lag: only the last listing says that nothing was stored. */
  | { readonly kind: 'list-again' }
  | { readonly kind: 'adopt'; readonly file: RemoteFile }
  /** Nothing was stored, as far as anything tells. */
  | { readonly kind: 'send-anew' }
  /** The upload was surely stored, or one of several files may be it: another copy would be one too many. */
  | { readonly kind: 'hold'; readonly rule: HoldRule };

/**
 * `isAnswered`: a reply said that it was stored. INVARIANT: an upload that was surely stored, or may be a listed file,
 * is never sent anew by itself.
 */
export function judgeSearch(finding: Finding, isAnswered: boolean, isLastListing: boolean): SearchVerdict {
  if (finding.kind === 'ours') return { kind: 'adopt', file: finding.file };
  if (!isLastListing) return { kind: 'list-again' };
  if (finding.kind === 'unclear') return { kind: 'hold', rule: 'look-alikes' };
  return isAnswered ? { kind: 'hold', rule: 'reply-of-another' } : { kind: 'send-anew' };
}

/**
 * The uploads of other paths whose outcome is not known, and which the same listing would show: those that are still
 * looked for, and those of which nobody could tell. `oneList`: all purposes are listed together.
 */
export function rivalsOf(
  { rejected, intents }: Pick<ManifestView, 'rejected' | 'intents'>,
  path: MirrorPath,
  purpose: string,
  oneList: boolean,
): readonly Intent[] {
  const rivals = new Map<MirrorPath, Intent>();
  for (const [other, rejection] of rejected)
    if (isLost(rejection)) rivals.set(other, lostUpload(other, rejection));
  for (const [other, intent] of intents) rivals.set(other, intent);
  rivals.delete(path);
  return [...rivals.values()].filter((intent) => oneList || intent.purpose === purpose);
}

/** Whether a version is held because one of the listed files may be its upload, and nobody could tell which. */
function isLost(rejection: Rejection): boolean {
  return isHold(rejection) && rejection.kept === undefined;
}

/** What is known of such an upload; of its time nothing. */
function lostUpload(path: MirrorPath, { purpose, stat }: Rejection): Intent {
  const times = { startedAtMs: 0, serverStartedAtMs: 0 };
  return { purpose, remoteName: remoteNameOf(path), bytes: sizeOf(stat), stat, ...times };
}

/** For a person: which files may be the upload, and what hides it. */
export function unclearMessage(
  path: MirrorPath,
  { files, doubt }: Extract<Finding, { kind: 'unclear' }>,
): string {
  const ids = files.slice(0, IDS_TO_NAME).map(({ id }) => id);
  const more = files.length > ids.length ? `, and ${files.length - ids.length} more` : '';
  const some = files.length === 1 ? 'a listed file may be it' : 'several listed files may be it';
  const shown =
    ids.length === 0 ? null : `${some} (${ids.join(', ')}${more}), of which none is used or deleted`;
  const why = [doubt, shown].filter((each) => each !== null).join('; ');
  return `the reply to its upload was lost, and ${why}; ${retryHint(path)}`;
}

/** For a person: the reply named `id`, which is another file's, and nothing else was listed. */
export function answeredMessage(path: MirrorPath, id: string | undefined, owner: string | null): string {
  return `the server answered its upload with the id ${id}, which belongs to ${owner ?? 'another file'}, and does not list it; ${retryHint(path)}`;
}

function retryHint(path: MirrorPath): string {
  return `it is not sent again by itself: change the file, or send it anew with: ${command('retry', path)}`;
}

/** `Date` headers may come from machines whose clocks differ: so much of the time before a restart does not count. */
const CLOCK_SLACK_MS = 60_000;

/**
 * How many milliseconds of a search an earlier run has spent already. Both times are unix
 * milliseconds by the server's clock; null: not known, and the search begins anew.
 */
export function searchedMs(sinceMs: number | null, nowMs: number | null): number {
  if (sinceMs === null || nowMs === null) return 0;
  return Math.max(0, nowMs - sinceMs - CLOCK_SLACK_MS);
}

/** The first pause between two listings, and by how much each is longer than the one before. */
const FIRST_PAUSE_MS = 2_000;
const GROWTH = 4;

/**
 * When to list in the search for an upload of unknown outcome, in milliseconds after it became unknown: at once,
 * then ever more seldom, and for the last time when all of `lookMs` is over. Lists lag, so only that last empty listing
 * says that nothing was stored.
 */
export function searchTimesMs(lookMs: number): readonly number[] {
  const times = [0];
  for (let atMs = FIRST_PAUSE_MS; atMs < lookMs; atMs *= GROWTH) times.push(atMs);
  if (lookMs > 0) times.push(lookMs);
  return times;
}
