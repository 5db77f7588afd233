import type { FolderLook, MirrorPath } from './types.ts';

/** A mass delete that a guard found. `folder` null: of the whole mirror. */
export interface Trip {
  readonly folder: string | null;
}

/** A local file that is gone while its remote file still exists. */
export interface WaitingDelete {
  readonly path: MirrorPath;
  readonly folder: string;
  /** The grace period is over, nothing suggests a rename, and no scan is about to find the file elsewhere. */
  readonly due: boolean;
  /** A person approved this very delete. */
  readonly approved: boolean;
  /** Of what mass delete a guard found this to be a part before, if nobody approved it since. */
  readonly trip: Trip | null;
  /** Device of the nearest existing directory above differs from the one the file was recorded on. */
  readonly otherDevice: boolean;
}

export interface DeleteGuardInput {
  readonly waiting: readonly WaitingDelete[];
  /** All entries that there were when the files disappeared, those of the waiting ones included. */
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
  /** What of it is to be remembered as `WaitingDelete.trip`. */
  readonly trips: ReadonlyMap<MirrorPath, Trip>;
}

/**
 * Decides which waiting deletes may go. Small predicates, most general first; a delete that any of them holds
 * waits for `approve` or for its file to come back. INVARIANT: what is not due is never released.
 * INVARIANT: files that disappeared together are held until each is back or approved; neither new files nor those that
 * are back already let the others go. Only what a look at the disk showed (a folder that cannot be read, another disk)
 * ends with its cause.
 */
export function guardDeletes(input: DeleteGuardInput): DeleteVerdict {
  const unapproved = input.waiting.filter((each) => !each.approved);
  const halts: MassDelete[] = [];
  const held = new Set<MirrorPath>();
  const trips = new Map<MirrorPath, Trip>();
  const hold = (
    folder: string | null,
    deletes: readonly WaitingDelete[],
    of: number,
    { words, isTrip }: Cause,
  ): void => {
    halts.push({ folder, count: deletes.length, of, cause: words });
    for (const { path, trip } of deletes) {
      held.add(path);
      if (isTrip && !trips.has(path)) trips.set(path, trip ?? { folder });
    }
  };

  if (isMassDelete(unapproved.length, input)) {
    const words = `${unapproved.length} of ${input.entriesTotal} mirrored files disappeared`;
    hold(null, unapproved, input.entriesTotal, { words, isTrip: true });
  }
  for (const [folder, deletes] of byFolder(unapproved)) {
    const cause = folderCause(folder, deletes, input);
    if (cause !== null) hold(folder, deletes, input.entriesInFolder(folder), cause);
  }
  const others = unapproved.filter(({ path, trip }) => trip !== null && !held.has(path));
  for (const [folder, deletes] of Map.groupBy(others, ({ trip }) => trip?.folder ?? null)) {
    const of = folder === null ? input.entriesTotal : input.entriesInFolder(folder);
    hold(folder, deletes, of, {
      words: 'of files that disappeared together, some are not back',
      isTrip: true,
    });
  }
  const release = input.waiting.filter((each) => each.due && !held.has(each.path)).map((each) => each.path);
  return { release, halts, held, trips };
}

function isMassDelete(count: number, { entriesTotal, maxFraction, minCount }: DeleteGuardInput): boolean {
  return count > minCount && count > maxFraction * entriesTotal;
}

interface Cause {
  readonly words: string;
  /** True for what only `approve` or the files themselves can end. */
  readonly isTrip: boolean;
}

function folderCause(
  folder: string,
  deletes: readonly WaitingDelete[],
  input: DeleteGuardInput,
): Cause | null {
  const look = input.lookOfFolder(folder);
  const count = deletes.length;
  if (look !== null && look.kind === 'gone')
    return { words: `the folder ${folder}/ is gone, with ${count} mirrored files`, isTrip: true };
  if (look !== null && look.kind === 'unknown')
    return { words: `the folder ${folder}/ cannot be read (${look.reason})`, isTrip: false };
  if (deletes.some((each) => each.otherDevice)) {
    const words = `${folder}/ is on another disk than when its files were recorded; a disk may not be mounted`;
    return { words, isTrip: false };
  }
  if (count > input.minCount && count >= input.entriesInFolder(folder)) {
    return { words: `all ${count} mirrored files of ${folder}/ disappeared`, isTrip: true };
  }
  return null;
}

function byFolder(deletes: readonly WaitingDelete[]): Map<string, WaitingDelete[]> {
  return Map.groupBy(deletes, (each) => each.folder);
}
