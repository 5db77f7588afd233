import { skipText } from './skip-text.ts';
import { needOfSkip, type Need } from '../../contract/attention.ts';
import { contradictionOf } from './belief.ts';
import { isExpired, renewalIsDue } from './expiry.ts';
import { isHold, rulesKey } from './rejections.ts';
import type { Inspection } from '../../contract/ports.ts';
import { folderOf, remoteNameOf } from '../../contract/mirror-path.ts';
import { sameVersionByStat, sizeOf } from '../../contract/stat-token.ts';
import type {
  Entry,
  FolderRules,
  Intent,
  LocalLook,
  MirrorPath,
  PathState,
  Rejection,
  RemoteFile,
  ReplyField,
  StatToken,
} from '../../contract/types.ts';

/** Everything that is known about one path at one moment. */
export interface Situation {
  readonly path: MirrorPath;
  readonly look: LocalLook;
  /** Null: no configured folder covers the path. */
  readonly rules: FolderRules | null;
  readonly entry: Entry | null;
  readonly intent: Intent | null;
  readonly rejection: Rejection | null;
  /** What the server said that it stored of a version that is held, as long as that is not deleted. */
  readonly kept: RemoteFile | null;
  /** The fields of the server's replies that are believed. */
  readonly trusted: ReadonlySet<ReplyField>;
  /** What reading the settled version found; null as long as it was not read. Always of `look`'s stat. */
  readonly inspection: Inspection | null;
  /** Whether the rules need the content read before anything is sent. */
  readonly needsFullRead: boolean;
  /** What the rules say about name and size alone; null: nothing against it. */
  readonly precheck: { readonly rule: string; readonly message: string } | null;
  /** The entry of another path with this file's identity, which is not there any more (`findMovedFrom`). */
  readonly movedFrom: { readonly path: MirrorPath; readonly entry: Entry } | null;
  /** Its remote file was found to be gone. */
  readonly lost: boolean;
  /** Unix seconds by the server's clock, as far as it is known. */
  readonly nowSeconds: number;
}

export type UploadReason = 'new' | 'changed' | 'renamed' | 'renewed' | 'purpose-changed' | 'lost';

/** What to do next with one path. */
export type Action =
  /** Nothing; `state` null: the path is not worth a word (neither there nor remembered). */
  | {
      readonly kind: 'nothing';
      readonly state: PathState | null;
      readonly reason: string | null;
      /** Where the state alone does not tell. */ readonly needs?: Need;
    }
  | { readonly kind: 'wait'; readonly waitMs: number; readonly reason: string }
  /** An earlier upload of this path may have been stored: find out before anything else. */
  | { readonly kind: 'resolve' }
  /** Read the content, then plan again. */
  | { readonly kind: 'inspect' }
  | { readonly kind: 'refresh'; readonly stat: StatToken }
  | { readonly kind: 'move'; readonly from: MirrorPath; readonly stat: StatToken }
  | {
      readonly kind: 'upload';
      readonly stat: StatToken;
      readonly why: UploadReason;
    }
  | { readonly kind: 'reject'; readonly stat: StatToken; readonly rule: string; readonly message: string }
  /** The local file is gone: its remote file is to be deleted, when grace and guards agree. */
  | { readonly kind: 'missing' }
  /** The entry's remote file expired and its local file is gone: forget the entry. */
  | { readonly kind: 'forget' }
  /** The held version is there under another stat. */
  | { readonly kind: 'refresh-hold'; readonly stat: StatToken }
  /** What the server said about the held version is believed by now: it is recorded, and nothing is sent. */
  | {
      readonly kind: 'believe';
      readonly stat: StatToken;
      readonly remote: RemoteFile;
      readonly sha256: string;
    }
  /** What was refused is gone, or no longer refused: the reason against it goes too. */
  | { readonly kind: 'forget-rejection' };

/**
 * The decision table (`src/README.md`), whole: total, pure, deterministic. Each branch is one row.
 */
export function plan(situation: Situation): Action {
  const action = planPath(situation);
  return isOutlived(situation, action) ? { kind: 'forget-rejection' } : action;
}

/**
 * Whether there is a rejection whose cause has ended, and nothing else to do that would clear it. What cannot be read
 * at the moment may still be what was refused.
 */
function isOutlived({ look, kept, rejection }: Situation, action: Action): boolean {
  if (rejection === null || action.kind !== 'nothing' || action.state === 'rejected') return false;
  // A held version has a remote file, which its rejection speaks for: only another one in its place ends that.
  if (kept !== null) return action.state === 'synced' || action.state === 'expired';
  return look.kind !== 'unknown' && !(look.kind === 'skipped' && look.reason === 'unreadable');
}

function planPath(situation: Situation): Action {
  const { look, entry } = situation;
  if (situation.intent !== null) return { kind: 'resolve' };
  switch (look.kind) {
    case 'absent':
      return planAbsent(situation);
    case 'unknown':
      return { kind: 'nothing', state: 'held', reason: look.reason };
    case 'skipped':
      return {
        kind: 'nothing',
        state: 'skipped',
        reason: skipText(look),
        needs: needOfSkip(look.reason),
      };
    case 'ignored':
      return { kind: 'nothing', state: 'ignored', reason: look.rule };
    case 'changing':
      return { kind: 'wait', waitMs: look.waitMs, reason: look.why };
    case 'file':
      if (situation.rules === null) {
        return {
          kind: 'nothing',
          state: 'ignored',
          reason: `no purpose folder "${folderOf(situation.path)}" is configured`,
        };
      }
      return (
        planHeld(situation, situation.rules, look.stat) ??
        (entry === null
          ? planNewFile(situation, situation.rules, look.stat)
          : planKnownFile(situation, situation.rules, entry, look.stat))
      );
  }
}

function planAbsent({ entry, kept, rules, nowSeconds }: Situation): Action {
  if (entry === null && kept === null) return { kind: 'nothing', state: null, reason: null };
  if (entry !== null && kept === null && isExpired(entry, nowSeconds)) return { kind: 'forget' };
  if (rules === null) {
    return {
      kind: 'nothing',
      state: 'ignored',
      reason: 'its folder is no longer configured; the remote file stays',
    };
  }
  if (rules.deletes === 'keep') {
    return { kind: 'nothing', state: 'kept', reason: 'removed locally; this folder keeps remote files' };
  }
  return { kind: 'missing' };
}

/**
 * A version of which nobody can tell what the server made of it is never sent again by itself: whatever else changes,
 * it is held until its content does, or its purpose, or what is believed. Null: there is none, or it is another one.
 */
function planHeld(situation: Situation, rules: FolderRules, stat: StatToken): Action | null {
  const { rejection, kept, trusted, inspection } = situation;
  if (rejection === null || !isHold(rejection) || rejection.purpose !== rules.purpose) return null;
  if (!sameVersionByStat(rejection.stat, stat)) {
    if (rejection.sha256 === undefined || sizeOf(rejection.stat) !== sizeOf(stat)) return null;
    if (inspection === null) return { kind: 'inspect' };
    return inspection.sha256 === rejection.sha256 ? { kind: 'refresh-hold', stat } : null;
  }
  const asked = { purpose: rules.purpose, bytes: sizeOf(stat) };
  if (kept !== null && rejection.sha256 !== undefined && contradictionOf(asked, kept, trusted) === null)
    return { kind: 'believe', stat, remote: kept, sha256: rejection.sha256 };
  return { kind: 'nothing', state: 'rejected', reason: rejection.message };
}

function planNewFile(situation: Situation, rules: FolderRules, stat: StatToken): Action {
  const { path, movedFrom, inspection } = situation;
  const refused = refusal(situation, rules, stat);
  if (movedFrom !== null && isSameRemotely(movedFrom.entry, path, rules)) {
    // The identity says it is the same file; only the same content makes it a move.
    if (inspection === null) return { kind: 'inspect' };
    if (inspection.sha256 === movedFrom.entry.sha256) return { kind: 'move', from: movedFrom.path, stat };
  }
  if (refused !== null) return refused;
  if (situation.needsFullRead && inspection === null) return { kind: 'inspect' };
  return {
    kind: 'upload',
    stat,
    why: movedFrom === null ? 'new' : 'renamed',
  };
}

function planKnownFile(situation: Situation, rules: FolderRules, entry: Entry, stat: StatToken): Action {
  const { inspection, movedFrom, nowSeconds } = situation;
  const samePurpose = entry.purpose === rules.purpose;
  if (sameVersionByStat(entry.stat, stat)) {
    if (!samePurpose) return uploadOrRefusal(situation, rules, stat, 'purpose-changed');
    if (situation.lost) return uploadOrRefusal(situation, rules, stat, 'lost');
    // Only the device number differs: the same file after a reboot or a remount.
    if (entry.stat !== stat) return { kind: 'refresh', stat };
    return planByExpiry(situation, rules, entry, stat, nowSeconds);
  }
  const arrived =
    movedFrom !== null && isSameRemotely(movedFrom.entry, situation.path, rules) ? movedFrom : null;
  const surelyOther = sizeOf(stat) !== entry.bytes && arrived === null;
  if (inspection === null && !surelyOther) {
    const refused = knownRejection(situation, rules, stat);
    return refused ?? { kind: 'inspect' };
  }
  if (inspection !== null && inspection.sha256 === entry.sha256 && samePurpose)
    return { kind: 'refresh', stat };
  if (arrived !== null && inspection?.sha256 === arrived.entry.sha256)
    return { kind: 'move', from: arrived.path, stat };
  return uploadOrRefusal(situation, rules, stat, 'changed');
}

/** Whether the remote file of this entry is what the path would be uploaded as, if its content is the same. */
function isSameRemotely(entry: Entry, path: MirrorPath, rules: FolderRules): boolean {
  return entry.purpose === rules.purpose && entry.remoteName === remoteNameOf(path);
}

function planByExpiry(
  situation: Situation,
  rules: FolderRules,
  entry: Entry,
  stat: StatToken,
  nowSeconds: number,
): Action {
  if (rules.onExpiry === 'renew' && renewalIsDue(situation.path, entry, rules, nowSeconds)) {
    return uploadOrRefusal(situation, rules, stat, 'renewed');
  }
  if (isExpired(entry, nowSeconds)) {
    return {
      kind: 'nothing',
      state: 'expired',
      reason: 'expired at the API; uploaded again when its content changes',
    };
  }
  return { kind: 'nothing', state: 'synced', reason: null };
}

function uploadOrRefusal(
  situation: Situation,
  rules: FolderRules,
  stat: StatToken,
  why: UploadReason,
): Action {
  const refused = refusal(situation, rules, stat);
  if (refused !== null) return refused;
  if (situation.needsFullRead && situation.inspection === null) return { kind: 'inspect' };
  return { kind: 'upload', stat, why };
}

/** What speaks against sending this version, as far as is known; null: nothing yet. */
function refusal(situation: Situation, rules: FolderRules, stat: StatToken): Action | null {
  const known = knownRejection(situation, rules, stat);
  if (known !== null) return known;
  const problem = situation.precheck ?? situation.inspection?.problem ?? null;
  return problem === null ? null : { kind: 'reject', stat, rule: problem.rule, message: problem.message };
}

/** A rejection holds for one version under one set of rules. */
function knownRejection({ rejection }: Situation, rules: FolderRules, stat: StatToken): Action | null {
  if (
    rejection === null ||
    !sameVersionByStat(rejection.stat, stat) ||
    rejection.rulesKey !== rulesKey(rules)
  )
    return null;
  return { kind: 'nothing', state: 'rejected', reason: rejection.message };
}
