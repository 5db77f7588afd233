import type { FolderLook, MirrorPath } from '../../contract/types.ts';

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
  /** How many were let go in the last hour, with no approval and no new file in their place; see `LetGo`. */
  readonly letGoTotal: number;
  readonly letGoInFolder: (folder: string) => number;
  readonly lookOfFolder: (folder: string) => FolderLook | null;
  readonly maxFraction: number;
  readonly minCount: number;
}

/** Deletes that a person must approve. `folder` null: the whole mirror. */
export interface MassDelete {
  readonly folder: string | null;
  /** How many files disappeared, of how many; those let go before are among both. */
  readonly count: number;
  readonly of: number;
  /** How many of them still wait. */
  readonly waiting: number;
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
 * INVARIANT: it does not matter how fast they disappear: what was let go in the last hour counts as if it still waited.
 */
export function guardDeletes(input: DeleteGuardInput): DeleteVerdict {
  const unapproved = input.waiting.filter((each) => !each.approved);
  const halts: MassDelete[] = [];
  const held = new Set<MirrorPath>();
  const trips = new Map<MirrorPath, Trip>();
  const hold = (folder: string | null, deletes: readonly WaitingDelete[], { words, isTrip }: Cause): void => {
    halts.push({ folder, ...extentOf(folder, deletes.length, input), waiting: deletes.length, cause: words });
    for (const { path, trip } of deletes) {
      held.add(path);
      if (isTrip && !trips.has(path)) trips.set(path, trip ?? { folder });
    }
  };

  const whole = extentOf(null, unapproved.length, input);
  const ofFolders = [...byFolder(unapproved)].map(([folder, deletes]) => {
    return { folder, deletes, cause: folderCause(folder, deletes, input) };
  });
  if (unapproved.length > 0 && isMassDelete(whole, input)) {
    // One halt for the same deletes: what is the matter with single folders is told with it.
    const more = ofFolders
      .filter(
        ({ deletes, cause }) => cause !== null && !(cause.isCount && deletes.length === unapproved.length),
      )
      .map(({ cause }) => `; ${cause?.words}`)
      .join('');
    const words = `${whole.count} of ${whole.of} mirrored files disappeared${alreadyGone(input.letGoTotal)}${more}`;
    hold(null, unapproved, { words, isTrip: true });
  } else {
    for (const { folder, deletes, cause } of ofFolders) if (cause !== null) hold(folder, deletes, cause);
  }
  const others = unapproved.filter(({ path, trip }) => trip !== null && !held.has(path));
  for (const [folder, deletes] of Map.groupBy(others, ({ trip }) => trip?.folder ?? null)) {
    hold(folder, deletes, {
      words: 'of files that disappeared together, some are not back',
      isTrip: true,
    });
  }
  const release = input.waiting.filter((each) => each.due && !held.has(each.path)).map((each) => each.path);
  return { release, halts, held, trips };
}

interface Extent {
  readonly count: number;
  readonly of: number;
}

/** Of the whole mirror (null) or one folder: what disappeared, slowly or at once, and what there was before. */
function extentOf(folder: string | null, waiting: number, input: DeleteGuardInput): Extent {
  const letGo = folder === null ? input.letGoTotal : input.letGoInFolder(folder);
  const entries = folder === null ? input.entriesTotal : input.entriesInFolder(folder);
  return { count: waiting + letGo, of: entries + letGo };
}

function isMassDelete({ count, of }: Extent, { maxFraction, minCount }: DeleteGuardInput): boolean {
  return count > minCount && count > maxFraction * of;
}

function alreadyGone(letGo: number): string {
  return letGo === 0 ? '' : `; ${letGo} of them are deleted remotely already, in the last hour`;
}

interface Cause {
  readonly words: string;
  /** True for what only `approve` or the files themselves can end. */
  readonly isTrip: boolean;
  /** It says no more than how many disappeared. */
  readonly isCount?: boolean;
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
  const extent = extentOf(folder, count, input);
  if (extent.count > input.minCount && extent.count >= extent.of) {
    const gone = alreadyGone(input.letGoInFolder(folder));
    return {
      words: `all ${extent.count} mirrored files of ${folder}/ disappeared${gone}`,
      isTrip: true,
      isCount: true,
    };
  }
  return null;
}

function byFolder(deletes: readonly WaitingDelete[]): Map<string, WaitingDelete[]> {
  return Map.groupBy(deletes, (each) => each.folder);
}
