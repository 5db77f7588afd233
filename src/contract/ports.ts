/**
 * What the engine needs from the world, as interfaces that it owns. `local`, `remote`, `manifest` and `queue`
 * implement them for real, the simulation implements them in memory; the engine cannot tell which.
 */
import type {
  Change,
  FileId,
  FolderLook,
  FolderRules,
  GarbageReason,
  Halt,
  LocalLook,
  ManifestView,
  Memory,
  MirrorPath,
  Recorded,
  RemoteFile,
  RootLook,
  ScanItem,
  StatToken,
} from './types.ts';

export interface Clock {
  /** Unix milliseconds. May jump; only for what is written down or compared with file times. */
  wallMs(): number;
  /** Milliseconds since some fixed instant. Never jumps; for every wait and every limit. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** What a reading of one version found: its hash, and whether the purpose's rules accept it. */
export interface Inspection {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Null: accepted. Otherwise the first reason against it. */
  readonly problem: { readonly rule: string; readonly message: string } | null;
  /** Worth telling, not refused. */
  readonly warnings: readonly string[];
}

/**
 * One version of a file, opened for reading. Everything is read through one descriptor.
 * Throws `Fault` with rule `moved` (disposition `retry`, outcome `refused`) when the file is no longer the
 * version that was announced.
 */
export interface OpenVersion {
  readonly stat: StatToken;
  readonly sizeBytes: number;
  /**
   * Exactly `sizeBytes` bytes. Ends only after the stat and the path's identity were found unchanged after
   * the last byte was read; throws `Fault` `moved` otherwise, so that the body around it is never completed.
   * May be called once. Each chunk is only valid until the next one is asked for.
   */
  chunks(): AsyncIterable<Uint8Array>;
  /** The hash of what `chunks` yielded, lower-case hex. Only after it ended. */
  sha256(): string;
  close(): Promise<void>;
}

/** The disk side. */
export interface LocalTree {
  /**
   * Is the root the right one? `mirrorId`: what the marker must say, from now on. Never throws. One that came back on
   * another device is bad once: to whoever first asks for it, be it by a look at something that is not there.
   */
  lookRoot(mirrorId: string): Promise<RootLook>;
  /**
   * Writes the marker, or leaves it when it is there. Throws `Fault` with halt `root` when the root cannot be written,
   * or bears another mirror's.
   */
  markRoot(mirrorId: string): Promise<void>;
  /** One that is there is as it is, whatever the root; gone is only said below a root that is not bad. */
  lookFolder(folder: string): Promise<FolderLook>;
  /** Creates a missing purpose folder below an existing root. Throws `Fault` (disposition `retry`). */
  createFolder(folder: string): Promise<void>;
  /**
   * One look at one path, settling included. Never throws for what a disk can do. A file is told as it is, also in a
   * wrong root: who sends it asks for the root. A directory in its place is absence; behind a link nothing is absent.
   */
  look(path: MirrorPath): Promise<LocalLook>;
  /**
   * Cheap re-check: the raw stat token of a regular file at this path, or null when there is none or it cannot
   * be told. For re-checks just before sending.
   */
  statOf(path: MirrorPath): Promise<StatToken | null>;
  /**
   * Walks the configured folders (all of them, or only below `under`), yielding in batches without blocking the
   * event loop for long. Order is unspecified. A directory that cannot be listed is an item, not an error; what is not
   * there at all is none, and proves nothing. Whether a file can be read is not asked. Throws only when the signal
   * aborts.
   */
  scan(under: MirrorPath | null, signal: AbortSignal): AsyncIterable<readonly ScanItem[]>;
  /** Reads the whole version once: hash, and the checks that `rules` demand. Throws `Fault`. */
  inspect(path: MirrorPath, stat: StatToken, rules: FolderRules, signal: AbortSignal): Promise<Inspection>;
  /** What the rules say about a file's name and size alone; null: nothing against it. Pure. */
  precheck(
    path: MirrorPath,
    sizeBytes: number,
    rules: FolderRules,
  ): { readonly rule: string; readonly message: string } | null;
  /** True when the rules can only be decided by reading the whole content before anything is sent. */
  needsFullRead(rules: FolderRules): boolean;
  /** Opens this version for sending. Throws `Fault` (`moved` when the file is another one by now). */
  open(path: MirrorPath, stat: StatToken): Promise<OpenVersion>;
}

/** A hint that something may have changed. The file is the truth, the event a hint. */
export type Hint =
  | { readonly kind: 'path'; readonly path: MirrorPath }
  /** A directory appeared, vanished or moved: everything below it. */
  | { readonly kind: 'tree'; readonly path: MirrorPath }
  /** Events were lost, or may have been: look at everything. */
  | { readonly kind: 'everything'; readonly why: string };

export interface UploadRequest {
  readonly purpose: string;
  /** Base name only. */
  readonly remoteName: string;
  readonly sizeBytes: number;
  readonly expiresAfterSeconds: number | null;
  /** The bytes, exactly `sizeBytes` of them. Called once. If it throws, the request is broken off before its end, so nothing is stored, and the error is passed on as it is. */
  readonly body: () => AsyncIterable<Uint8Array>;
}

export interface ListRequest {
  /** Null: all purposes. */
  readonly purpose: string | null;
  /**
   * Newest first, or oldest first: so the files come, however many purposes they are of, and whatever order the server
   * has. What has no time counts as the oldest.
   */
  readonly order: 'desc' | 'asc';
  /** Told of what a listing leaves open, before the page is. Without it, that is passed over. */
  readonly onDoubt?: (doubt: ListDoubt) => void;
  /** Each request that the listing needs is made in here. Without it, at once. */
  readonly inTurn?: <T>(ask: () => Promise<T>) => Promise<T>;
}

/** What a listing leaves open. */
export type ListDoubt =
  /** An entry whose id cannot be read. `problem` names the field; `file` is what else it says. */
  | { readonly kind: 'unreadable'; readonly problem: string; readonly file: Omit<RemoteFile, 'id'> }
  /** The server says that there is more, and it cannot be had. */
  | { readonly kind: 'cut'; readonly why: string };

/** What only asks leaves nothing behind: its faults have the outcome `refused`. */
export interface Questions {
  /** A listing in pages, in the order that was asked for, no file twice. Ends by itself even if the server never says so. */
  list(request: ListRequest, signal: AbortSignal): AsyncIterable<readonly RemoteFile[]>;
  /** Null when the API knows no such file (404). */
  retrieve(id: FileId, signal: AbortSignal): Promise<RemoteFile | null>;
  /** The cheapest request that needs a valid key: is the API there, and does it accept us? */
  probe(signal: AbortSignal): Promise<void>;
  /**
   * Unix milliseconds by the server's clock, from the latest `Date` header (1 s granularity) carried on by the
   * monotonic clock, so that a jump of the local wall clock does not matter; null before any reply.
   */
  serverNowMs(): number | null;
}

/** The API side. Every method throws `Fault`, or the signal's reason when it aborts. */
export interface FilesApi extends Questions {
  /**
   * One attempt, never repeated by itself. Its outcome is `unknown` once the whole body was sent, unless the server
   * plainly said no.
   */
  upload(request: UploadRequest, signal: AbortSignal): Promise<RemoteFile>;
  /**
   * `absent`: the API knew no such file (404), which is as good. The outcome is `unknown` where no answer says that it
   * was not done.
   */
  delete(id: FileId, signal: AbortSignal): Promise<'deleted' | 'absent'>;
}

/** What is remembered about the API: whose files it shows (address, account, project, key), and how it is asked. */
export interface ApiMemory {
  /** What of it is another than when the recorded ids were last known there, in words; empty: nothing. */
  changes(): readonly string[];
  /** The recorded ids are known in the present scope, or there are none. Throws `Fault` when that cannot be written. */
  confirm(): Promise<void>;
  /** The key, or any setting of the API, is another than when it refused what is recorded as refused. */
  isAskedOtherwise(): boolean;
  /** What was refused until now is forgotten. Throws `Fault` when that cannot be written. */
  noteAsked(): Promise<void>;
}

/** What is remembered. The maps show every change as soon as it is durable, and none before. */
export interface Manifest extends ManifestView {
  /**
   * Applies the change to memory and makes it durable; resolves when it is. Changes are made in the order in which they
   * were asked for; when the program ends before one has resolved, it is there as a whole with all before it, or not at
   * all. Of one without content nothing is written. When it cannot be made durable, memory is left as it was and a
   * `Fault` with halt `state` is thrown, or a fatal one when nothing will ever be written again.
   */
  commit(change: Change): Promise<void>;
  /**
   * `told` is called with every change, in their order, in the very turn in which the maps show it and before its commit
   * resolves: whoever keeps something that follows from the maps is never behind them. It must not throw.
   */
  subscribe(told: Recorded): void;
  /** As it was last made durable. */
  readonly memory: Memory;
  /** Makes this the memory, durably, after those asked for before. Throws as `commit` does; the one before stays then. */
  remember(memory: Memory): Promise<void>;
}

export interface UploadSlot {
  readonly path: MirrorPath;
  readonly sizeBytes: number;
  /** The folder's priority: higher goes first, but only before what has not waited much longer, so that nothing starves. */
  readonly priority: number;
}

/** `ask`: questions that are not part of an upload or a delete. */
export const LANES = ['upload', 'delete', 'ask'] as const;
export type Lane = (typeof LANES)[number];

/**
 * When things are sent: the lanes, the upload window, and holds. What waits starts by itself when it may. Who gives up
 * waiting (`signal`) is let go at once, with the signal's reason, and is never started; an attempt that runs has to
 * heed its signal itself.
 */
export interface SendQueue {
  /**
   * Runs `attempt` when the upload lane, its concurrency and the window of 60 s allow one more. One call is at most
   * one attempt: once it has called `sending`, it keeps its unit of the window until 60 s after it ended; otherwise
   * the unit is free as soon as it ended. Large files never have every place, unless there is but one.
   */
  upload<T>(slot: UploadSlot, attempt: (sending: () => void) => Promise<T>, signal: AbortSignal): Promise<T>;
  delete<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Runs one question in the lane for them, in the order in which they came. */
  ask<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /**
   * Nothing starts in this lane until `release(lane, name)`, or for `forMs`; what runs goes on. Holding again replaces
   * the hold, whichever of the two lasts longer. A lane moves when its last hold is over.
   */
  hold(lane: Lane, name: string, why: string, forMs: number | null): void;
  /** Does nothing when there is no such hold. */
  release(lane: Lane, name: string): void;
  /** The holds of a lane, for status. `remainingMs` null: until released. */
  holds(
    lane: Lane,
  ): readonly { readonly name: string; readonly why: string; readonly remainingMs: number | null }[];
  /** On: one request at a time in this lane, to find out whether the API works again; what runs already goes on. */
  setProbing(lane: Lane, on: boolean): void;
  /**
   * Full-jitter exponential backoff for the n-th failure in a row (n ≥ 1), milliseconds: at least 100, at most 500 for
   * the first and twice that for each further one, up to 300,000.
   */
  backoffMs(failures: number): number;
  /** `inWindow`: units that are taken. `waiting`: uploads that wait, without those that gave up. */
  uploadWindow(): {
    readonly inWindow: number;
    readonly limit: number | null;
    readonly waiting: number;
    readonly running: number;
  };
}

/** `renamed`: its path is none of the mirror's any more; a file that was uploaded under another one replaced it. */
export type DeletedWhy = GarbageReason | 'renamed';

/** What happened, for logs, status and metrics. The engine only tells; it never waits for a listener. */
export type MirrorEvent =
  | {
      readonly kind: 'uploaded';
      readonly path: MirrorPath;
      readonly id: FileId;
      readonly bytes: number;
      readonly tookMs: number;
      readonly replaced: FileId | null;
      readonly adopted: boolean;
    }
  | { readonly kind: 'moved'; readonly path: MirrorPath; readonly from: MirrorPath; readonly id: FileId }
  | { readonly kind: 'deleted'; readonly path: MirrorPath; readonly id: FileId; readonly why: DeletedWhy }
  | { readonly kind: 'rejected'; readonly path: MirrorPath; readonly rule: string; readonly message: string }
  | { readonly kind: 'skipped'; readonly path: MirrorPath; readonly reason: string }
  | {
      readonly kind: 'failed';
      readonly path: MirrorPath;
      readonly message: string;
      readonly retryInMs: number;
      readonly failures: number;
      readonly status: number | null;
      readonly requestId: string | null;
    }
  | { readonly kind: 'expired'; readonly path: MirrorPath; readonly id: FileId }
  | ({ readonly kind: 'halted' } & Pick<Halt, 'name' | 'cause' | 'held' | 'next'>)
  | { readonly kind: 'resumed'; readonly name: string }
  | {
      readonly kind: 'scanned';
      readonly files: number;
      readonly dirty: number;
      readonly tookMs: number;
      readonly why: string;
    }
  | { readonly kind: 'warning'; readonly message: string };

export type Listener = (event: MirrorEvent) => void;
