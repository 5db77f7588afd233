import { groupProblems, needOf } from '../contract/attention.ts';
import type { BatchTotals } from '../contract/batch-report.ts';
import type { PathReport } from '../contract/report.ts';
import type { ManifestView, MirrorPath, PathState } from '../contract/types.ts';
import { sizeOf } from '../contract/stat-token.ts';
import { nextFor, runningText, type FoundProcess } from './found-process.ts';
import type { LastKnownState } from '../service/status-text.ts';

/** As many are named in the state, as by a daemon. */
const mostProblems = 1_000;

/** Every path that the manifest knows, in the order of paths; nobody has looked at the disk. */
export function* lastKnownReports(manifest: ManifestView, nowSeconds: number): Iterable<PathReport> {
  const paths = new Set(
    [manifest.files, manifest.rejected, manifest.intents].flatMap((section) => [...section.keys()]),
  );
  for (const path of [...paths].sort()) {
    const report = lastKnownReport(manifest, path, nowSeconds);
    if (report !== null) yield report;
  }
}

/** Null when the manifest knows nothing of the path. */
export function lastKnownReport(
  manifest: ManifestView,
  path: MirrorPath,
  nowSeconds: number,
): PathReport | null {
  const entry = manifest.files.get(path);
  const rejection = manifest.rejected.get(path);
  const intent = manifest.intents.get(path);
  if (entry === undefined && rejection === undefined && intent === undefined) return null;
  const expired = entry !== undefined && entry.expiresAt !== null && entry.expiresAt <= nowSeconds;
  // An older version may still be mirrored; the newest one is not, and that is what the state says.
  const [state, reason]: readonly [PathState, string | null] =
    rejection !== undefined
      ? ['rejected', rejection.message]
      : intent !== undefined
        ? ['pending', 'its upload was under way when this was recorded']
        : expired
          ? ['expired', 'the API has removed it']
          : ['synced', null];
  return {
    path,
    purpose: entry?.purpose ?? rejection?.purpose ?? intent?.purpose ?? null,
    id: entry?.id ?? null,
    bytes: entry?.bytes ?? (rejection === undefined ? (intent?.bytes ?? null) : sizeOf(rejection.stat)),
    sha256: entry?.sha256 ?? null,
    createdAt: entry?.createdAt ?? null,
    expiresAt: entry?.expiresAt ?? null,
    state,
    reason,
    needs: needOf(state),
  };
}

/** Those that are not simply mirrored. */
function* lastKnownProblems(manifest: ManifestView, nowSeconds: number): Iterable<PathReport> {
  const paths = [...new Set([...manifest.rejected.keys(), ...manifest.intents.keys()])].sort();
  for (const [path, { expiresAt }] of manifest.files)
    if (
      expiresAt !== null &&
      expiresAt <= nowSeconds &&
      !manifest.rejected.has(path) &&
      !manifest.intents.has(path)
    )
      paths.push(path);
  for (const path of paths) {
    const report = lastKnownReport(manifest, path, nowSeconds);
    if (report !== null) yield report;
  }
}

/** `nowSeconds`: unix time; the next expiry is the soonest one after it. `canDelete`: the server can. `found`: what is at work. */
export function lastKnownState(
  manifest: ManifestView,
  nowSeconds: number,
  canDelete: boolean,
  found: Exclude<FoundProcess, { kind: 'daemon' }>,
  batches: BatchTotals,
): LastKnownState {
  let nextExpiry: LastKnownState['nextExpiry'] = null;
  for (const [path, { expiresAt }] of manifest.files) {
    if (expiresAt === null || expiresAt <= nowSeconds) continue;
    if (nextExpiry === null || expiresAt < nextExpiry.expiresAt) nextExpiry = { path, expiresAt };
  }
  const { groups, shown } = groupProblems(
    lastKnownProblems(manifest, nowSeconds),
    (report) => report,
    mostProblems,
  );
  const garbage = [...manifest.garbage.values()];
  const unheld = garbage.filter(({ hold }) => !hold).length;
  return {
    version: 1,
    running: false,
    process: found.kind === 'none' ? null : processOf(found),
    mirrorId: manifest.mirrorId === '' ? null : manifest.mirrorId,
    files: manifest.files.size,
    rejected: manifest.rejected.size,
    openIntents: manifest.intents.size,
    garbage: canDelete ? unheld : 0,
    undeletable: canDelete ? 0 : unheld,
    heldGarbage: garbage.filter(({ hold }) => hold).length,
    nextExpiry,
    problems: shown,
    problemsTotal: groups.reduce((sum, { count }) => sum + count, 0),
    problemGroups: groups,
    batches,
  };
}

function processOf(found: Extract<FoundProcess, { kind: 'silent' | 'busy' }>): LastKnownState['process'] {
  return {
    pid: found.holder?.pid ?? null,
    verb: found.holder?.verb ?? null,
    answers: false,
    text: runningText(found),
    next: found.kind === 'silent' ? nextFor(found) : null,
  };
}
