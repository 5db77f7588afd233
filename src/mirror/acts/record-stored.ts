import { claimMoved, type ClaimParts } from './claim-moved.ts';
import type { Listener } from '../../contract/ports.ts';
import { sizeOf } from '../../contract/stat-token.ts';
import type { FileId, RemoteFile } from '../../contract/types.ts';
import {
  discardedAndRejected,
  rejected,
  uploaded,
  versionHeld,
  type HeldVersion,
  type Refusal,
  type Upload,
} from '../judge/fold.ts';
import type { Failures } from '../memory/failures.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import { nowSeconds, serverNowSeconds, type Times } from '../../contract/times.ts';

/** Records what became of a version that was sent, and tells people: each outcome is one record. */

/** What it works with. */
export interface RecordParts extends ClaimParts, Times {
  readonly failures: Failures;
  readonly ledger: Ledger;
  readonly listener: Listener;
  readonly notes: PathNotes;
}

/** A version without the time at which it is recorded. */
type Untimed<T> = Omit<T, 'now'>;

/**
 * The server has the version. The entry that the version supersedes belongs to another path: if that cannot be claimed any more, the
 * entry is left to that path's worker. `tookMs` null: the remote file was found, and nothing was sent.
 */
export async function recordStored(
  parts: RecordParts,
  version: Untimed<Upload>,
  tookMs: number | null,
  signal: AbortSignal,
): Promise<void> {
  const { view, ledger, listener } = parts;
  const { path, stat, remote, supersedes } = version;
  const replaced: FileId | null = view.files.get(path)?.id ?? null;
  const dated: RemoteFile = { ...remote, createdAt: remote.createdAt ?? serverNowSeconds(parts) };
  const upload = { ...version, remote: dated, now: nowSeconds(parts) };
  const release = supersedes === null ? null : await claimMoved(parts, supersedes, 'gone');
  try {
    const change = uploaded(view, release === null ? { ...upload, supersedes: null } : upload);
    await ledger.record(change, signal);
  } finally {
    release?.();
  }
  parts.failures.clear(path);
  parts.notes.clear(path);
  listener({
    kind: 'uploaded',
    path,
    id: remote.id,
    bytes: sizeOf(stat),
    tookMs: tookMs ?? 0,
    replaced,
    adopted: tookMs === null,
  });
}

/** The server has the version without the expiry that was asked for: its id is garbage, and the version is refused. */
export async function recordDiscarded(
  parts: RecordParts,
  version: Pick<Refusal, 'path' | 'stat' | 'rules'>,
  remote: RemoteFile,
  message: string,
  signal: AbortSignal,
): Promise<void> {
  const refusal = { ...version, rule: 'expiry-ignored', message, now: nowSeconds(parts) };
  await parts.ledger.record(discardedAndRejected(parts.view, remote, refusal), signal);
  tellRejected(parts, refusal);
}

/** Nobody can tell what the server made of the version: it is not sent again by itself. */
export async function recordHeld(
  parts: RecordParts,
  version: Untimed<HeldVersion>,
  signal: AbortSignal,
): Promise<void> {
  await parts.ledger.record(versionHeld(parts.view, { ...version, now: nowSeconds(parts) }), signal);
  tellRejected(parts, version);
}

/** The server refused this version alone. */
export async function recordRefused(
  parts: RecordParts,
  refusal: Untimed<Refusal>,
  signal: AbortSignal,
): Promise<void> {
  await parts.ledger.record(rejected(parts.view, { ...refusal, now: nowSeconds(parts) }), signal);
  tellRejected(parts, refusal);
}

function tellRejected(
  { failures, notes, listener }: RecordParts,
  { path, rule, message }: Pick<Refusal, 'path' | 'rule' | 'message'>,
): void {
  failures.clear(path);
  notes.set(path, 'rejected', message);
  listener({ kind: 'rejected', path, rule, message });
}
