/**
 * The words of the mirror as plain values. Nothing here does anything; every other room speaks in these types.
 */
import type { BatchMemory, BatchRecord, SubmissionId } from './batch.ts';

/** A path relative to the root, `/`-separated, e.g. `batch/2026/a.jsonl`. Its first part is the purpose folder. */
export type MirrorPath = string;

/** The id the API gave a file, e.g. `file-abc123`. */
export type FileId = string;

/**
 * One observation of a file's metadata as a single string: `"<size> <mtimeNs> <ctimeNs> <inode> <device>"`,
 * all decimal. Opaque outside `stat-token.ts`; equal tokens mean an unchanged file.
 */
export type StatToken = string;

/** What the manifest records for a path whose current remote version is known. Times are unix seconds. */
export interface Entry {
  readonly id: FileId;
  readonly purpose: string;
  readonly remoteName: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly stat: StatToken;
  /** By the local clock. */
  readonly uploadedAt: number;
  /** By the server's clock. */
  readonly createdAt: number;
  /** By the server's clock; null when the file does not expire. */
  readonly expiresAt: number | null;
}

/**
 * The durable note, written before a POST, that an upload of this version may exist remotely.
 * Keyed by path in the manifest: one upload of a path is in flight at a time.
 */
export interface Intent {
  readonly purpose: string;
  readonly remoteName: string;
  readonly bytes: number;
  readonly stat: StatToken;
  /** Start of the attempt by the local wall clock, unix milliseconds. */
  readonly startedAtMs: number;
  /** The same instant by the server's clock as far as it was known (from its `Date` headers), else null. */
  readonly serverStartedAtMs: number | null;
  /**
   * The id that the reply named although another file has it, so that the upload was surely stored, and is never
   * sent again by itself. Absent: there was no such reply.
   */
  readonly answered?: FileId | undefined;
  /**
   * False: the last bytes were not handed over yet. `Content-Length` promised more, so nothing was stored unless the
   * server said otherwise, which makes it true. True or absent: the server may have all of it.
   */
  readonly sent?: boolean | undefined;
  /**
   * Since when it is looked for what became of the upload, unix milliseconds by the server's clock: the search goes on
   * over restarts. Absent: it was not looked for yet, or the server does not tell its time.
   */
  readonly lookedSinceMs?: number | undefined;
}

export type GarbageReason = 'deleted' | 'replaced' | 'void' | 'mismatch' | 'orphan';

/** An owned id that nothing points to any more. Deleted in the background unless `hold`. */
export interface Garbage {
  readonly path: MirrorPath;
  readonly purpose: string;
  readonly bytes: number;
  /** Unix seconds by the local clock. */
  readonly since: number;
  readonly reason: GarbageReason;
  /**
   * True: not deleted for now. It is of a version that is held because the server contradicts itself, until that
   * version goes or a person decides. With reason `orphan` it is never deleted, by nobody: such an id was only found
   * by its looks in a listing (by earlier versions of this program), so it may be somebody else's.
   */
  readonly hold: boolean;
}

/** A field of the API's file objects, by its name there. */
export type ReplyField = 'bytes' | 'purpose' | 'filename' | 'expires_at';

/**
 * A version that the purpose's rules, or the server, refused, or that is held because nobody can tell what the server
 * made of it. Not tried again until the file changes.
 */
export interface Rejection {
  readonly stat: StatToken;
  readonly purpose: string;
  /** The part of the configuration it was refused under (`rulesKey`); under another one the file is tried again. */
  readonly rulesKey: string;
  /** Short stable name of the rule, e.g. `empty`, `too-large`, `extension`, `batch-line`, `server-400`. */
  readonly rule: string;
  /** What a person needs to know, in one line. */
  readonly message: string;
  /** Unix seconds by the local clock. */
  readonly at: number;
  /** The content of a version that is held: another stat with the same content is the same version. */
  readonly sha256?: string | undefined;
  /** What the server said that it stored of a version that is held; its id is on the garbage list, on hold. */
  readonly kept?: RemoteFile | undefined;
}

/**
 * One atomic change of the manifest, as a merge patch: a value sets the key, null removes it.
 * Applying a change twice gives the same state, which is what makes journal replay safe.
 */
export interface Change {
  readonly files?: Readonly<Record<MirrorPath, Entry | null>>;
  readonly intents?: Readonly<Record<MirrorPath, Intent | null>>;
  readonly garbage?: Readonly<Record<FileId, Garbage | null>>;
  readonly rejected?: Readonly<Record<MirrorPath, Rejection | null>>;
  readonly batches?: Readonly<Record<SubmissionId, BatchRecord | null>>;
  /** Replaces the whole of it. */
  readonly batchMemory?: BatchMemory;
}

/** What came and went in one minute of one folder, so that minutes can be put together (`LetGo`). */
export interface Turnover {
  /** When the minute began, unix seconds by the local clock. */
  readonly at: number;
  /** Files that were let go, less files that came. */
  readonly net: number;
  /** The largest such difference from any moment of the minute to its end; at least 0. */
  readonly most: number;
}

/** What is remembered besides the manifest: not whose ids are whose, but what the mirror was doing. Replaced as a whole. */
export interface Memory {
  /** By purpose folder, oldest first: what the delete guard let go in the last hour without a person's approval. */
  readonly letGo: Readonly<Record<string, readonly Turnover[]>>;
  /** When manifest and remote were last compared; null: never. Unix seconds by the local clock. */
  readonly lastVerifyAt: number | null;
  /** From when on the next comparison is counted: the last one, or the first start. Null before that. */
  readonly verifyCountsFrom: number | null;
}

export const NO_MEMORY: Memory = { letGo: {}, lastVerifyAt: null, verifyCountsFrom: null };

/** Read-only view of everything that is remembered. */
export interface ManifestView {
  readonly mirrorId: string;
  readonly files: ReadonlyMap<MirrorPath, Entry>;
  readonly intents: ReadonlyMap<MirrorPath, Intent>;
  readonly garbage: ReadonlyMap<FileId, Garbage>;
  readonly rejected: ReadonlyMap<MirrorPath, Rejection>;
}

/** Of every key that one change touched, the value that it had before; keys that had none are not there. */
export type Replaced = Omit<ManifestView, 'mirrorId'>;

/** Told of a change that the maps show, and of what it replaced. */
export type Recorded = (change: Change, replaced: Replaced) => void;

/**
 * A file as the API describes it. Unknown purposes are accepted as they come. Null: the server did not say, or not
 * readably; that is neither a zero nor a contradiction.
 */
export interface RemoteFile {
  readonly id: FileId;
  readonly bytes: number | null;
  /** Unix seconds by the server's clock. */
  readonly createdAt: number | null;
  /** Unix seconds by the server's clock. Null: it never expires, or the server did not say. */
  readonly expiresAt: number | null;
  readonly filename: string | null;
  readonly purpose: string | null;
}

/** Why a path on disk is not a candidate for mirroring. Never counts as absent. */
export type SkipReason = 'unreadable' | 'symlink' | 'special' | 'not-utf8' | 'name';

/**
 * What one look at one path found. "Could not look" (`unknown`) and "is not there" (`absent`) are different
 * kinds, so that no code can mistake one for the other.
 */
export type LocalLook =
  /** The path does not exist, and the root above it was verified to be the right one. `onDevice`: device of the nearest existing directory above. */
  | { readonly kind: 'absent'; readonly onDevice: string }
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'skipped'; readonly reason: SkipReason; readonly detail: string }
  | { readonly kind: 'ignored'; readonly rule: string }
  /** Not settled yet. Look again after `waitMs`. */
  | { readonly kind: 'changing'; readonly waitMs: number; readonly why: string; readonly stat: StatToken }
  | { readonly kind: 'file'; readonly stat: StatToken; readonly sizeBytes: number };

/** One item of a scan. `stat` is raw: the file may still be changing. */
export type ScanItem =
  | { readonly kind: 'file'; readonly path: MirrorPath; readonly stat: StatToken }
  | {
      readonly kind: 'skipped';
      readonly path: MirrorPath;
      readonly reason: SkipReason;
      readonly detail: string;
    }
  | { readonly kind: 'ignored'; readonly path: MirrorPath; readonly rule: string }
  /** This directory could not be listed: everything at or below it is unknown. */
  | { readonly kind: 'unlistable'; readonly path: MirrorPath; readonly reason: string }
  /** A first-level folder or file of the root that no configured folder covers. */
  | { readonly kind: 'outside'; readonly path: MirrorPath; readonly hint: string };

/** The state of the root, checked before anything is concluded from absence. */
export type RootLook =
  | { readonly kind: 'ok'; readonly device: string }
  /** The root is there but bears no marker. Only acceptable while the manifest is empty. */
  | { readonly kind: 'unmarked'; readonly device: string }
  | { readonly kind: 'bad'; readonly reason: string };

/** The state of one purpose folder. */
export type FolderLook =
  | { readonly kind: 'ok'; readonly device: string }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unknown'; readonly reason: string };

export type CheckLevel = 'full' | 'lines' | 'basic' | 'off';

/**
 * What OpenAI demands of the lines of a batch file and other servers may not. What all demand (`custom_id`, `body`) is
 * not here.
 */
export interface RequestRules {
  /** What a `url` may be; null: anything. */
  readonly endpoints: readonly string[] | null;
  /** Whether all lines must have the same `url`. */
  readonly oneEndpoint: boolean;
  /** Whether all lines must have the same `model`. */
  readonly oneModel: boolean;
  /** What no line may leave out; `model` only where the endpoint's own request demands it. */
  readonly required: readonly ('method' | 'url' | 'model')[];
  /** Most lines of a file; null: any number. */
  readonly maxRequests: number | null;
  /** Most embedding inputs of all lines together; null: any number. */
  readonly maxEmbeddingInputs: number | null;
}

/** What is demanded of a file before it is sent; resolved from the configuration of its purpose folder. */
export interface FolderRules {
  /** First-level folder name. */
  readonly folder: string;
  readonly purpose: string;
  /** Seconds after creation at which the API shall expire the file; null leaves it to the API. */
  readonly expiresAfterSeconds: number | null;
  readonly onExpiry: 'forget' | 'renew';
  readonly renewBeforeSeconds: number;
  readonly check: CheckLevel;
  /** Higher goes first. */
  readonly priority: number;
  readonly deletes: 'mirror' | 'keep';
  readonly maxBytes: number;
  /** For files of purpose `batch`: where the server differs from OpenAI. */
  readonly requests?: Partial<RequestRules>;
}

export type HaltName = 'root' | 'mass-delete' | 'auth' | 'scope' | 'quota' | 'state' | 'storage' | 'paused';

/**
 * A named state in which a class of actions stops until its cause ends or a person approves. The engine's own, or one
 * of batches.
 */
export interface Halt<Name extends string = HaltName | 'mass-submit'> {
  readonly name: Name;
  /** Unix seconds by the local clock. */
  readonly since: number;
  /** What happened, in one line. */
  readonly cause: string;
  /** What is therefore not done, in one line. */
  readonly held: string;
  /** The exact next command or act; or that it ends by itself. */
  readonly next: string;
  /** For `mass-delete`: the folder concerned, null for the whole mirror. */
  readonly folder: string | null;
}

/** The state that every path has, as `status` and `list` show it. */
export const PATH_STATES = [
  'synced',
  'pending',
  'settling',
  'uploading',
  'deleting',
  'held',
  'rejected',
  'failed',
  'skipped',
  'ignored',
  'expired',
  'kept',
] as const;

export type PathState = (typeof PATH_STATES)[number];
