/** What batches need of the world besides the API, as interfaces that this room owns. */
import type {
  BatchMemory,
  BatchRecord,
  LineCounts,
  Mirrored,
  RequestsFile,
  SubmissionId,
  WrittenResults,
} from '../contract/batch.ts';
import type { FilesApi } from '../contract/ports.ts';
import type { FileId, MirrorPath } from '../contract/types.ts';

/** The records, as they are durable. */
export interface BatchBook {
  readonly batches: ReadonlyMap<SubmissionId, BatchRecord>;
  readonly memory: BatchMemory;
  /**
   * Replaces, or with null removes, records, and replaces the memory; all of it or nothing. Resolves when that is
   * durable, and both show it then, not before. Throws `Fault` (halt `state`, or fatal); nothing changed then.
   */
  commit(change: Readonly<Record<SubmissionId, BatchRecord | null>>, memory?: BatchMemory): Promise<void>;
}

/** What the mirror has of its paths, as its manifest says now. */
export interface MirroredFiles {
  readonly files: ReadonlyMap<MirrorPath, Mirrored>;
}

/** Deletes remote files of ours. Absent is as good. Throws `Fault`. */
export interface FileRemover {
  /** One that our batches made: results, and files of lines that were tried again. */
  deleteMade(id: FileId, signal: AbortSignal): Promise<void>;
  /** The input of a batch that is over; its local file stays, and is not uploaded again for that. */
  deleteInput(path: MirrorPath, id: FileId, signal: AbortSignal): Promise<void>;
}

/** A line that may be tried again, or that is over, by its `custom_id`. */
export interface LineEnd {
  readonly customId: string;
  /** 1-based line of the input. */
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

/** What the files of one submission, with those of its earlier generations, say about the input. */
export interface Collection {
  readonly lines: LineCounts;
  /** Lines that another try may help: expired, timed out, status 0, 408, 409, 429, 5xx, missing. */
  readonly retryable: readonly LineEnd[];
  /** Answers to no line of the input, and answers that came twice: told, kept out. */
  readonly oddities: readonly string[];
}

/**
 * The content of results: fetching, ordering and writing. Everything is staged in the state folder first and survives
 * a restart; `results/` only ever gets whole files.
 */
export interface ResultsDesk {
  /**
   * Fetches what the batch offers (`outputFileId`, `errorFileId`), and what those of its earlier generations do, unless
   * it is staged already, checks it, and says what became of each line of the input. `id`: of any generation; later
   * ones are not looked at. Throws `Fault`: rule `gone` (`skip`) when the API has no such file (any more), `cut-off`
   * (`retry`) when it is not whole, halt `state` when the disk is full or cannot be written.
   */
  collect(
    id: SubmissionId,
    records: ReadonlyMap<SubmissionId, BatchRecord>,
    signal: AbortSignal,
  ): Promise<Collection>;
  /**
   * Writes the results of generation 0 (`id`) with all later ones merged: the first success of a line wins, in the order
   * of the input. Called when no generation of it runs any more; a generation may have nothing (refused, or its results
   * are gone). Never overwrites what a person changed or put there: the next free name is taken. Writing again gives
   * the same files.
   */
  write(
    id: SubmissionId,
    records: ReadonlyMap<SubmissionId, BatchRecord>,
    signal: AbortSignal,
  ): Promise<WrittenResults>;
  /**
   * Makes and uploads the file of the lines to be tried again, as exactly the same bytes, exactly once over restarts.
   * `id`: of generation 0. `generation`: 1 or 2, the one that the file is for: asked again, it is the same file,
   * whatever `lines` are. Throws `Fault`: `unknown-upload` (`retry`, with a time) while it is looked up whether a
   * lost upload was stored.
   */
  uploadRetry(
    id: SubmissionId,
    records: ReadonlyMap<SubmissionId, BatchRecord>,
    generation: number,
    lines: readonly LineEnd[],
    signal: AbortSignal,
  ): Promise<{ readonly inputFileId: FileId; readonly sha256: string; readonly file: RequestsFile }>;
  /** Removes what was staged for a submission that is over. */
  forget(id: SubmissionId): Promise<void>;
}

/** What results need of the Files API. `upload` waits for its place in the lane and the upload window. */
export interface BatchFiles extends Pick<FilesApi, 'upload' | 'list' | 'retrieve' | 'serverNowMs'> {
  /** Opens a file's content. `chunks` may be read once, and must be read or the signal be aborted. */
  content(id: FileId, signal: AbortSignal): Promise<{ readonly chunks: AsyncIterable<Uint8Array> }>;
  /** The mirror, or another submission, has this id: it is not an upload of ours whose reply was lost. */
  isKnown(id: FileId): boolean;
}

/** Reads the requests of a path that is mirrored; null: the file is another one by now, or gone. Throws `Fault`. */
export type ReadRequests = (
  path: MirrorPath,
  sha256: string,
  signal: AbortSignal,
) => Promise<RequestsFile | null>;
