import type { FolderLook, MirrorPath } from './types.ts';

/** A local file that is gone while its remote file still exists. */
export interface WaitingDelete {
  readonly path: MirrorPath;
  readonly folder: string;
  /** The grace period is over, nothing suggests a rename, and no scan is about to find the file elsewhere. */
  readonly due: boolean;
  /** A person approved this very delete. */
  readonly approved: boolean;
  /** Device of the nearest existing directory above differs from the one the file was recorded on. */
  readonly otherDevice: boolean;
}

export interface DeleteGuardInput {
  readonly waiting: readonly WaitingDelete[];
  /** All entries of the manifest, the waiting ones included. */
  readonly entriesTotal: number;
  readonly entriesInFolder: (folder: string) => number;
  readonly lookOfFolder: (folder: string) => FolderLook | null;
  readonly maxFraction: number;
  readonly minCount: number;
}

/** Deletes that a person must approve. `folder` null: the whole mirror. */
export interface MassDelete {
  readonly folder: string | null;
  readonly count: number;
  readonly of: number;
  readonly cause: string;
}

export interface DeleteVerdict {
  /** May be deleted now. */
  readonly release: readonly MirrorPath[];
  readonly halts: readonly MassDelete[];
  /** Waiting, and covered by one of `halts`. */
  readonly held: ReadonlySet<MirrorPath>;
}

/**
 * Decides which waiting deletes may go. Small predicates, most general first; a delete that any of them holds
 * waits for `approve` or for its file to come back. INVARIANT: what is not due is never released.
 */
export function guardDeletes(input: DeleteGuardInput): DeleteVerdict {
  const unapproved = input.waiting.filter((each) => !each.approved);
  const halts: MassDelete[] = [];
  const held = new Set<MirrorPath>();
  const hold = (
    folder: string | null,
    deletes: readonly WaitingDelete[],
    of: number,
    cause: string,
  ): void => {
    halts.push({ folder, count: deletes.length, of, cause });
    for (const each of deletes) held.add(each.path);
  };

  if (isMassDelete(unapproved.length, input)) {
    hold(
      null,
      unapproved,
      input.entriesTotal,
      `${unapproved.length} of ${input.entriesTotal} mirrored files disappeared`,
    );
  }
  for (const [folder, deletes] of byFolder(unapproved)) {
    const cause = folderCause(folder, deletes, input);
    if (cause !== null) hold(folder, deletes, input.entriesInFolder(folder), cause);
  }
  const release = input.waiting.filter((each) => each.due && !held.has(each.path)).map((each) => each.path);
  return { release, halts, held };
}

function isMassDelete(count: number, { entriesTotal, maxFraction, minCount }: DeleteGuardInput): boolean {
  return count > minCount && count > maxFraction * entriesTotal;
}

function folderCause(
  folder: string,
  deletes: readonly WaitingDelete[],
  input: DeleteGuardInput,
): string | null {
  const look = input.lookOfFolder(folder);
  const count = deletes.length;
  if (look !== null && look.kind === 'gone')
    return `the folder ${folder}/ is gone, with ${count} mirrored files`;
  if (look !== null && look.kind === 'unknown')
    return `the folder ${folder}/ cannot be read (${look.reason})`;
  if (deletes.some((each) => each.otherDevice)) {
    return `${folder}/ is on another disk than when its files were recorded; a disk may not be mounted`;
  }
  if (count > input.minCount && count === input.entriesInFolder(folder)) {
    return `all ${count} mirrored files of ${folder}/ disappeared`;
  }
  return null;
}

function byFolder(deletes: readonly WaitingDelete[]): Map<string, WaitingDelete[]> {
  return Map.groupBy(deletes, (each) => each.folder);
}
