import type { FolderLook, MirrorPath } from '../../contract/types.ts';

/** A mass delete that a guard found. `folder` null: of the whole mirror. */
export interface Trip {
  readonly folder: string | null;
}

/** A local file that is gone while its remote file still exists. */
export interface WaitingDelete {
  readonly path: MirrorPath;
  readonly folder: string;
  /** A person approved this very delete. */
  readonly approved: boolean;
  /** Of what mass delete a guard found this to be a part before, if nobody approved it since. */
  readonly trip: Trip | null;
  /** Device of the nearest existing directory above differs from the one the file was recorded on. */
  readonly otherDevice: boolean;
}

/** The deletes of one folder that wait and that no person approved, counted. */
export interface FolderDeletes {
  count: number;
  otherDevice: number;
  /** Those that are a part of a mass delete of the whole mirror, and of this folder. */
  mirrorTrips: number;
  folderTrips: number;
}

export interface DeleteGuardInput {
  readonly folders: ReadonlyMap<string, FolderDeletes>;
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

/** What is held, by whole folders: it takes as long as there are folders, however many deletes wait. See `holds`. */
export interface DeleteVerdict {
  readonly halts: readonly MassDelete[];
  readonly holdsAll: boolean;
  readonly heldFolders: ReadonlySet<string>;
  /** The mass deletes of which all that wait in them are a part from now on: to be remembered as `WaitingDelete.trip`. */
  readonly trips: readonly Trip[];
}

export const NOTHING_HELD: DeleteVerdict = { halts: [], holdsAll: false, heldFolders: new Set(), trips: [] };

/** Whether a delete that waits is held for a person. */
export function holds(
  { holdsAll, heldFolders }: DeleteVerdict,
  { folder, approved, trip }: Pick<WaitingDelete, 'folder' | 'approved' | 'trip'>,
): boolean {
  return !approved && (holdsAll || heldFolders.has(folder) || trip !== null);
}

/** Counts a waiting delete in (`by` 1) or out (−1). */
export function count(
  counts: FolderDeletes,
  { approved, trip, otherDevice }: WaitingDelete,
  by: 1 | -1,
): void {
  if (approved) return;
  counts.count += by;
  if (otherDevice) counts.otherDevice += by;
  if (trip === null) return;
  if (trip.folder === null) counts.mirrorTrips += by;
  else counts.folderTrips += by;
}

export function noDeletes(): FolderDeletes {
  return { count: 0, otherDevice: 0, mirrorTrips: 0, folderTrips: 0 };
}

/** The counts of these deletes, by folder. */
export function tally(waiting: Iterable<WaitingDelete>): ReadonlyMap<string, FolderDeletes> {
  const folders = new Map<string, FolderDeletes>();
  for (const each of waiting) {
    const counts = folders.get(each.folder) ?? noDeletes();
    folders.set(each.folder, counts);
    count(counts, each, 1);
  }
  return folders;
}

/**
 * Decides which waiting deletes are held: any that this does not hold may go when it is due. Small predicates, most
 * general first; a delete that any of them holds waits for `approve` or for its file to come back.
 * INVARIANT: files that disappeared together are held until each is back or approved; neither new files nor those that
 * are back already let the others go. Only what a look at the disk showed (a folder that cannot be read, another disk)
 * ends with its cause.
 * INVARIANT: it does not matter how fast they disappear: what was let go in the last hour counts as if it still waited.
 */
export function guardDeletes(input: DeleteGuardInput): DeleteVerdict {
  const folders = [...input.folders].filter(([, counts]) => counts.count > 0);
  const all = folders.reduce((sum, [, counts]) => sum + counts.count, 0);
  const causes = folders.map(([folder, counts]) => {
    return { folder, counts, cause: folderCause(folder, counts, input) };
  });
  const whole = extentOf(null, all, input);
  if (all > 0 && isMassDelete(whole, input)) {
    // One halt for the same deletes: what is the matter with single folders is told with it.
    const more = causes
      .filter(({ counts, cause }) => cause !== null && !(cause.isCount === true && counts.count === all))
      .map(({ cause }) => `; ${cause?.words}`)
      .join('');
    const cause = `${whole.count} of ${whole.of} mirrored files disappeared${alreadyGone(input.letGoTotal)}${more}`;
    const halt = { folder: null, ...whole, waiting: all, cause };
    return { halts: [halt], holdsAll: true, heldFolders: new Set(), trips: [{ folder: null }] };
  }
  const held = causes.filter(({ cause }) => cause !== null);
  const halts = held.map(({ folder, counts, cause }): MassDelete => {
    const extent = extentOf(folder, counts.count, input);
    return { folder, ...extent, waiting: counts.count, cause: cause?.words ?? '' };
  });
  const others = causes.filter(({ cause }) => cause === null);
  return {
    halts: [...halts, ...formerHalts(others, input)],
    holdsAll: false,
    heldFolders: new Set(held.map(({ folder }) => folder)),
    trips: held.filter(({ cause }) => cause?.isTrip === true).map(({ folder }) => ({ folder })),
  };
}

/** Of mass deletes that are none any more by what is there now. */
function formerHalts(
  folders: readonly { readonly folder: string; readonly counts: FolderDeletes }[],
  input: DeleteGuardInput,
): MassDelete[] {
  const ofMirror = folders.reduce((sum, { counts }) => sum + counts.mirrorTrips, 0);
  const counts: (readonly [string | null, number])[] = [
    [null, ofMirror],
    ...folders.map(({ folder, counts: each }) => [folder, each.folderTrips] as const),
  ];
  const cause = 'of files that disappeared together, some are not back';
  return counts
    .filter(([, waiting]) => waiting > 0)
    .map(([folder, waiting]) => ({ folder, ...extentOf(folder, waiting, input), waiting, cause }));
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

function folderCause(folder: string, deletes: FolderDeletes, input: DeleteGuardInput): Cause | null {
  const look = input.lookOfFolder(folder);
  if (look !== null && look.kind === 'gone')
    return { words: `the folder ${folder}/ is gone, with ${deletes.count} mirrored files`, isTrip: true };
  if (look !== null && look.kind === 'unknown')
    return { words: `the folder ${folder}/ cannot be read (${look.reason})`, isTrip: false };
  if (deletes.otherDevice > 0) {
    const words = `${folder}/ is on another disk than when its files were recorded; a disk may not be mounted`;
    return { words, isTrip: false };
  }
  const extent = extentOf(folder, deletes.count, input);
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
