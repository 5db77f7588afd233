import { contradictionOf } from './belief.ts';
import { isExpired } from './expiry.ts';
import type { Difference, PurposeUsage } from '../../contract/report.ts';
import type {
  Entry,
  FileId,
  ManifestView,
  MirrorPath,
  RemoteFile,
  ReplyField,
} from '../../contract/types.ts';

/** Concerns this very id: by the time the correction is recorded, the path may have another one. */
export interface ExpiryCorrection {
  readonly path: MirrorPath;
  readonly id: FileId;
  readonly expiresAt: number;
}

/** What a listing of everything says about the manifest. */
export interface Survey {
  /** Entries whose file the listing does not show: gone, or not listed yet. */
  readonly unseen: readonly MirrorPath[];
  readonly expired: readonly MirrorPath[];
  readonly differing: readonly Difference[];
  /** Entries whose expiry the API now gives differently. */
  readonly expiryCorrections: readonly ExpiryCorrection[];
  readonly usage: readonly PurposeUsage[];
  readonly checked: number;
}

/** Compares the manifest with a complete listing. Pure. `nowSeconds`: by the server's clock. `trusted`: what is compared.
 * `made`: files of ours that no path has. */
export function surveyRemote(
  view: ManifestView,
  listed: ReadonlyMap<FileId, RemoteFile>,
  nowSeconds: number,
  trusted: ReadonlySet<ReplyField>,
  made: ReadonlySet<FileId>,
): Survey {
  const unseen: MirrorPath[] = [];
  const expired: MirrorPath[] = [];
  const differing: Difference[] = [];
  const expiryCorrections: ExpiryCorrection[] = [];
  for (const [path, entry] of view.files) {
    const remote = listed.get(entry.id);
    if (remote === undefined) {
      (isExpired(entry, nowSeconds) ? expired : unseen).push(path);
      continue;
    }
    const what = differenceOf(entry, remote, trusted);
    if (what !== null) differing.push({ path, id: entry.id, what });
    // A listing that leaves the expiry out does not take back one that is recorded.
    if (remote.expiresAt !== null && remote.expiresAt !== entry.expiresAt)
      expiryCorrections.push({ path, id: entry.id, expiresAt: remote.expiresAt });
  }
  return {
    unseen,
    expired,
    differing,
    expiryCorrections,
    usage: usageOf(view, listed, made),
    checked: view.files.size,
  };
}

function differenceOf(entry: Entry, remote: RemoteFile, trusted: ReadonlySet<ReplyField>): string | null {
  switch (contradictionOf(entry, remote, trusted)?.field) {
    case 'bytes':
      return `${remote.bytes} bytes remotely, ${entry.bytes} recorded`;
    case 'purpose':
      return `purpose ${remote.purpose} remotely, ${entry.purpose} recorded`;
    default:
      return null;
  }
}

function usageOf(
  view: ManifestView,
  listed: ReadonlyMap<FileId, RemoteFile>,
  made: ReadonlySet<FileId>,
): readonly PurposeUsage[] {
  const owned = new Set<FileId>(view.garbage.keys());
  for (const entry of view.files.values()) owned.add(entry.id);
  const byPurpose = new Map<string, { -readonly [Key in keyof PurposeUsage]: PurposeUsage[Key] }>();
  for (const file of listed.values()) {
    const purpose = file.purpose ?? '';
    const usage = byPurpose.get(purpose) ?? {
      purpose,
      ownedFiles: 0,
      ownedBytes: 0,
      unownedFiles: 0,
      unownedBytes: 0,
      unsizedFiles: 0,
    };
    if (owned.has(file.id) || made.has(file.id)) {
      usage.ownedFiles += 1;
      usage.ownedBytes += file.bytes ?? 0;
    } else {
      usage.unownedFiles += 1;
      usage.unownedBytes += file.bytes ?? 0;
    }
    if (file.bytes === null) usage.unsizedFiles += 1;
    byPurpose.set(purpose, usage);
  }
  return [...byPurpose.values()].sort((a, b) => (a.purpose < b.purpose ? -1 : 1));
}
