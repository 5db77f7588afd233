import { remoteNameOf } from '../../contract/mirror-path.ts';
import { rulesKey } from './rejections.ts';
import { sizeOf } from '../../contract/stat-token.ts';
import type {
  Change,
  Entry,
  FileId,
  FolderRules,
  Garbage,
  GarbageReason,
  Intent,
  ManifestView,
  MirrorPath,
  Rejection,
  RemoteFile,
  StatToken,
} from '../../contract/types.ts';

/**
 * What happened, as changes of the manifest. Pure. Each function is one record of the journal, so that a crash
 * leaves either all of it or nothing.
 */

export function intentOpened(path: MirrorPath, intent: Intent): Change {
  return { intents: { [path]: intent } };
}

/** From here on the server may have all of the body. */
export function intentSent(path: MirrorPath, intent: Intent): Change {
  return { intents: { [path]: { ...intent, sent: true } } };
}

/** The search for what became of the attempt has begun. `sinceMs`: unix milliseconds by the server's clock. */
export function intentSearchedFor(path: MirrorPath, intent: Intent, sinceMs: number): Change {
  return { intents: { [path]: { ...intent, lookedSinceMs: sinceMs } } };
}

/** The attempt surely stored nothing. */
export function intentCleared(path: MirrorPath): Change {
  return { intents: { [path]: null } };
}

/** The reply named an id that another file has: the upload is searched for, and the version never sent again by itself. */
export function intentAnswered(path: MirrorPath, intent: Intent, id: FileId): Change {
  return { intents: { [path]: { ...intent, answered: id } } };
}

/** An entry whose path is gone and whose file was found elsewhere. */
export interface Superseded {
  readonly path: MirrorPath;
  readonly entry: Entry;
}

export interface Upload {
  readonly path: MirrorPath;
  readonly stat: StatToken;
  readonly sha256: string;
  readonly remote: RemoteFile;
  readonly rules: FolderRules;
  /** The entry that this upload takes over, because its file was renamed to here; null: none. */
  readonly supersedes: Superseded | null;
  /** Unix seconds by the local clock. */
  readonly now: number;
}

/** One version that is to be sent. */
export type UploadJob = Pick<Upload, 'path' | 'stat' | 'rules' | 'supersedes'>;

/**
 * INVARIANT: the new id is recorded and the old one becomes garbage in one record, so no crash can leave the path
 * without an id, or an id without an owner.
 */
export function uploaded(view: ManifestView, upload: Upload): Change {
  const { path, remote, supersedes, now } = upload;
  const entry: Entry = {
    id: remote.id,
    purpose: upload.rules.purpose,
    remoteName: remoteNameOf(path),
    bytes: sizeOf(upload.stat),
    sha256: upload.sha256,
    stat: upload.stat,
    uploadedAt: now,
    createdAt: Math.max(0, remote.createdAt ?? now),
    expiresAt: remote.expiresAt,
  };
  const files: Record<MirrorPath, Entry | null> = { [path]: entry };
  const garbage: Record<FileId, Garbage | null> = keptFreed(view, path);
  // This id may have been kept aside while the server's word about its file was in doubt.
  if (view.garbage.has(remote.id)) garbage[remote.id] = null;
  const old = view.files.get(path);
  if (old !== undefined) garbage[old.id] = garbageOf(path, old, 'replaced', now);
  // Only if the old path still has that entry: a new file at the old path may have one of its own by now.
  if (supersedes !== null && view.files.get(supersedes.path)?.id === supersedes.entry.id) {
    files[supersedes.path] = null;
    garbage[supersedes.entry.id] = garbageOf(supersedes.path, supersedes.entry, 'replaced', now);
  }
  return { files, garbage, ...clearOf(view, path) };
}

/** The file is the mirrored version (again): whatever was refused in between is not there any more. */
export function refreshed(view: ManifestView, path: MirrorPath, entry: Entry, stat: StatToken): Change {
  return {
    files: { [path]: { ...entry, stat } },
    ...garbageIn(keptFreed(view, path)),
    ...(view.rejected.has(path) ? { rejected: { [path]: null } } : {}),
  };
}

/**
 * The id keeps. An entry at the new path changes places with it, since its file may live on, at the old path perhaps
 * (folders that were swapped): the next look there tells.
 */
export function moved(view: ManifestView, from: MirrorPath, to: MirrorPath, stat: StatToken): Change {
  const entry = view.files.get(from);
  if (entry === undefined) return {};
  return {
    files: { [from]: view.files.get(to) ?? null, [to]: { ...entry, stat } },
    ...garbageIn(keptFreed(view, to)),
    ...clearOf(view, to),
  };
}

export interface Refusal {
  readonly path: MirrorPath;
  readonly stat: StatToken;
  readonly rules: FolderRules;
  readonly rule: string;
  readonly message: string;
  readonly now: number;
}

export function rejected(view: ManifestView, refusal: Refusal): Change {
  const { path, stat, rules, rule, message, now } = refusal;
  return {
    rejected: { [path]: { stat, purpose: rules.purpose, rulesKey: rulesKey(rules), rule, message, at: now } },
    ...garbageIn(keptFreed(view, path)),
    ...(view.intents.has(path) ? { intents: { [path]: null } } : {}),
  };
}

/** A version that is neither mirrored nor sent again by itself: nobody can tell what the server made of it. */
export interface HeldVersion extends Refusal {
  /** Null when it could not be read any more. */
  readonly sha256: string | null;
  /** What the server said that it stored for us; null: it named nothing that is ours. */
  readonly kept: RemoteFile | null;
}

/**
 * INVARIANT: the version is held and its intent closed in one record, so that nothing sends it again. What was kept
 * is ours, since the reply to our own POST named it, and is freed with the version.
 */
export function versionHeld(view: ManifestView, version: HeldVersion): Change {
  const { path, stat, rules, sha256, kept, now } = version;
  const { rejected: records, garbage: freed, intents } = rejected(view, version);
  const record = records?.[path];
  if (record === undefined || record === null) throw new TypeError('a refusal without its record');
  const aside: Garbage = {
    path,
    purpose: rules.purpose,
    bytes: sizeOf(stat),
    since: now,
    reason: 'mismatch',
    hold: true,
  };
  return {
    rejected: {
      [path]: {
        ...record,
        ...(sha256 === null ? {} : { sha256 }),
        ...(kept === null ? {} : { kept }),
      },
    },
    ...garbageIn({ ...freed, ...(kept === null ? {} : { [kept.id]: aside }) }),
    ...(intents === undefined ? {} : { intents }),
  };
}

/** The held version has another stat now: it stays held. */
export function holdRefreshed(path: MirrorPath, rejection: Rejection, stat: StatToken): Change {
  return { rejected: { [path]: { ...rejection, stat } } };
}

/** What is remembered of refused and held versions. */
export type RefusedView = Pick<ManifestView, 'rejected' | 'garbage'>;

export function rejectionForgotten(view: RefusedView, path: MirrorPath): Change {
  return { rejected: { [path]: null }, ...garbageIn(keptFreed(view, path)) };
}

export function rejectionsForgotten(view: RefusedView, paths: readonly MirrorPath[]): Change {
  return {
    rejected: Object.fromEntries(paths.map((path) => [path, null])),
    ...garbageIn(Object.assign({}, ...paths.map((path) => keptFreed(view, path)))),
  };
}

/** The entry's id is handed to the garbage list, before any DELETE is sent: from here on nothing uses it. */
export function condemned(view: ManifestView, path: MirrorPath, now: number): Change {
  const entry = view.files.get(path);
  return {
    ...(entry === undefined ? {} : { files: { [path]: null } }),
    ...garbageIn({
      ...keptFreed(view, path),
      ...(entry === undefined ? {} : { [entry.id]: garbageOf(path, entry, 'deleted', now) }),
    }),
    ...(view.rejected.has(path) ? { rejected: { [path]: null } } : {}),
  };
}

export function garbageDeleted(id: FileId): Change {
  return { garbage: { [id]: null } };
}

/** What an attempt sent. */
export interface Sent {
  readonly purpose: string;
  readonly bytes: number;
}

/** What the server says a file is; what it does not say is as it was sent. */
export function describedOr(remote: RemoteFile, sent: Sent): Sent {
  return { purpose: remote.purpose || sent.purpose, bytes: remote.bytes ?? sent.bytes };
}

/** Whether a person may have it deleted: it was named by a reply to a POST of ours, not only found in a listing. */
export function isSurelyOurs({ reason }: Garbage): boolean {
  return reason !== 'orphan';
}

/** What was kept aside for a person to judge may be deleted now; null: nothing was. */
export function orphansReleased(view: ManifestView): Change | null {
  const held = [...view.garbage].filter(([, garbage]) => garbage.hold && isSurelyOurs(garbage));
  if (held.length === 0) return null;
  return { garbage: Object.fromEntries(held.map(([id, garbage]) => [id, { ...garbage, hold: false }])) };
}

/** An id that an attempt of ours brought into being and that no entry shall have. */
export function discarded(
  path: MirrorPath,
  remote: RemoteFile,
  sent: Sent,
  reason: GarbageReason,
  now: number,
): Change {
  const garbage: Garbage = { path, ...describedOr(remote, sent), since: now, reason, hold: false };
  return { garbage: { [remote.id]: garbage }, intents: { [path]: null } };
}

/** The server stored the file otherwise than asked: its id is garbage, and the version is not tried again. */
export function discardedAndRejected(view: ManifestView, remote: RemoteFile, refusal: Refusal): Change {
  const sent: Sent = { purpose: refusal.rules.purpose, bytes: sizeOf(refusal.stat) };
  const discard = discarded(refusal.path, remote, sent, 'mismatch', refusal.now);
  const refused = rejected(view, refusal);
  return {
    ...refused,
    garbage: { ...refused.garbage, ...discard.garbage },
    intents: { ...discard.intents },
  };
}

export function forgotten(view: ManifestView, path: MirrorPath): Change {
  return { files: { [path]: null }, ...(view.rejected.has(path) ? rejectionForgotten(view, path) : {}) };
}

/** The part of a change that concerns garbage, if anything does. */
function garbageIn(garbage: Readonly<Record<FileId, Garbage | null>>): Pick<Change, 'garbage'> {
  return Object.keys(garbage).length === 0 ? {} : { garbage };
}

/** The id that was kept of the path's held version: with its record, it becomes garbage like any other. */
function keptFreed(view: RefusedView, path: MirrorPath): Record<FileId, Garbage | null> {
  const id = view.rejected.get(path)?.kept?.id;
  const garbage = id === undefined ? undefined : view.garbage.get(id);
  return id === undefined || garbage?.hold !== true ? {} : { [id]: { ...garbage, hold: false } };
}

function garbageOf(path: MirrorPath, entry: Entry, reason: GarbageReason, now: number): Garbage {
  return { path, purpose: entry.purpose, bytes: entry.bytes, since: now, reason, hold: false };
}

function clearOf(view: ManifestView, path: MirrorPath): Pick<Change, 'intents' | 'rejected'> {
  return {
    ...(view.intents.has(path) ? { intents: { [path]: null } } : {}),
    ...(view.rejected.has(path) ? { rejected: { [path]: null } } : {}),
  };
}
