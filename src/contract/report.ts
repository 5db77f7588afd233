/** What the engine says about itself. These shapes go out as JSON (`status --json`, `list --json`): they are a contract. */
import type { BatchTotals } from './batch-report.ts';
import type { Need, ProblemGroup } from './attention.ts';
import type { FileId, Halt, MirrorPath, PathState } from './types.ts';

export interface PurposeUsage {
  readonly purpose: string;
  readonly ownedFiles: number;
  readonly ownedBytes: number;
  /** Files that this mirror does not own: never touched. */
  readonly unownedFiles: number;
  readonly unownedBytes: number;
  /** How many of both the API does not give the size of: their bytes are in no sum. */
  readonly unsizedFiles: number;
}

export interface Difference {
  readonly path: MirrorPath;
  readonly id: FileId;
  /** What differs, for a person. */
  readonly what: string;
}

/** One path and the one state it has. Times are unix seconds. */
export interface PathReport {
  readonly path: MirrorPath;
  readonly purpose: string | null;
  readonly id: FileId | null;
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly createdAt: number | null;
  readonly expiresAt: number | null;
  readonly state: PathState;
  /** Why it is in this state, for a person; null when it is simply `synced`. */
  readonly reason: string | null;
  /** Who must act before it is mirrored: a `person`; nobody, since it goes on by itself (`time`); or there is `nothing` to do. */
  readonly needs: Need;
}

export type Phase = 'starting' | 'scanning' | 'working' | 'idle' | 'stopping' | 'stopped';

export interface MirrorStatus {
  readonly version: 1;
  readonly mirrorId: string;
  /** The folder that is mirrored, absolute. */
  readonly root: string;
  /** Where it is mirrored to: the origin of the base URL. */
  readonly api: string;
  readonly phase: Phase;
  readonly paused: boolean;
  readonly halts: readonly Halt[];
  /** How many paths are in each state. */
  readonly counts: Readonly<Record<PathState, number>>;
  /** Deletes that wait for their grace period or a guard. */
  readonly waitingDeletes: number;
  /** Owned ids that nothing points to and that are still to be deleted remotely. */
  readonly garbage: number;
  /** Owned ids that nothing points to and that stay, because the server cannot delete (`api.deletes` false). */
  readonly undeletable: number;
  /** Ids kept aside because the server's word about them was contradictory; `orphans` lists them. */
  readonly heldGarbage: number;
  /** Uploads that are on their way, or whose outcome is not known. */
  readonly openIntents: number;
  /** Those of them that are not on their way: they may have arrived, and that is found out. */
  readonly unsureUploads: number;
  readonly uploads: {
    /** Attempts that count in the current window of 60 s, and how many may. Null limit: no window. */
    readonly inWindow: number;
    readonly limit: number | null;
    readonly waiting: number;
    readonly running: number;
    /** Why the whole upload lane waits, e.g. `rate limited, resumes in 7 s`; null when it does not. */
    readonly pause: { readonly why: string; readonly remainingMs: number } | null;
  };
  readonly nextExpiry: { readonly path: MirrorPath; readonly expiresAt: number } | null;
  /** Unix seconds; null before the first scan was complete. */
  readonly lastScanAt: number | null;
  /** Unix seconds, of whichever run; null: never. */
  readonly lastVerifyAt: number | null;
  /** How the folder is watched, e.g. `native`, `polling (network file system nfs)`, `off`. */
  readonly watching: string;
  /**
   * Paths that are not simply mirrored, with their reasons; what a person must see to comes first. At most 1,000, and
   * then some of every state: `problemGroups` says how many there are of each, `problemsTotal` in all.
   */
  readonly problems: readonly PathReport[];
  readonly problemsTotal: number;
  readonly problemGroups: readonly ProblemGroup[];
}

/** What the whole program says of itself. */
export interface AppStatus extends MirrorStatus {
  readonly batches: BatchTotals;
}

export interface FlushResult {
  /** Paths that have a reason instead of being mirrored. */
  readonly problems: readonly PathReport[];
  readonly halts: readonly Halt[];
}

/** The manifest held against the remote, as `verify --json` prints it. */
export interface VerifyReport {
  readonly version: 1;
  /** Entries that were compared; those that could not be judged are not among them. */
  readonly checked: number;
  /** Entries that the API does not show, of which it cannot be said yet whether they are gone: just uploaded, or their look-up is refused. */
  readonly unjudged: readonly MirrorPath[];
  /** Gone at the API, confirmed by two look-ups some seconds apart. */
  readonly missing: readonly { readonly path: MirrorPath; readonly id: FileId }[];
  readonly differing: readonly Difference[];
  readonly expired: readonly MirrorPath[];
  readonly usage: readonly PurposeUsage[];
  /** The missing ones are being uploaded again. */
  readonly repaired: boolean;
}

/** What may be asked of a running mirror; the control socket and the verbs stand on this. */
export interface MirrorControl {
  status(): MirrorStatus;
  report(path: MirrorPath): PathReport | null;
  reports(): Iterable<PathReport>;
  /**
   * Resolves when all that was on disk at the call is mirrored or has a reason. Rejects with the signal's reason, or
   * with a `Fault` (`unreachable`) when the API did not answer several times in a row.
   */
  flush(signal: AbortSignal): Promise<FlushResult>;
  /** Resolves when the path is synced or has a final reason not to be. Rejects with the signal's reason. */
  waitFor(path: MirrorPath, signal: AbortSignal): Promise<PathReport>;
  /** Releases the deletes that a `mass-delete` halt holds: of one folder, or all (null). Returns how many. */
  approve(folder: string | null): Promise<number>;
  pause(): void;
  resume(): void;
  /**
   * Holds the manifest against the remote; `repair` uploads again what is gone there, `wait` waits until files that were
   * just uploaded can be judged. Throws `Fault`.
   */
  verify(repair: boolean, signal: AbortSignal, wait?: boolean): Promise<VerifyReport>;
  /**
   * Lets go of what this mirror made and kept aside. Returns how many ids are being deleted in the background now,
   * those that were on their way already included.
   */
  deleteOrphans(): Promise<number>;
  /**
   * Tries again, as they are, the rejected and the failed files at or below `wanted`; null: all that the server refused
   * and all that failed. Returns which.
   */
  retry(wanted: readonly MirrorPath[] | null): Promise<readonly MirrorPath[]>;
  /** A full rescan that begins after this call; resolves when it is complete. */
  rescan(): Promise<void>;
}
