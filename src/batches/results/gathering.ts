import type { FileHandle } from 'node:fs/promises';
import type { BatchRecord, SubmissionId } from '../../contract/batch.ts';
import { Fault } from '../../contract/faults.ts';
import type { FileId } from '../../contract/types.ts';
import { readAnswerLine } from './answer-lines.ts';
import { LineLedger } from './line-ledger.ts';
import { isBlank, LineSplitter } from './line-splitter.ts';
import type { RawLine } from './line-splitter.ts';
import { indexOf, indexOfLocal } from './local-requests.ts';
import { RequestReader } from './request-index.ts';
import type { RequestIndex } from './request-index.ts';
import { chunksOf, diskFault } from './results-disk.ts';
import type { Staging } from './staging.ts';

export type Records = ReadonlyMap<SubmissionId, BatchRecord>;
export type Generation = readonly [SubmissionId, BatchRecord];

/** All that is staged of one input, and which line has which answer. */
export interface Gathered {
  readonly generations: readonly Generation[];
  /** Absolute paths; `Place.file` counts in them. */
  readonly files: readonly string[];
  readonly ledger: LineLedger;
  /** Lines that nothing can be said of, since the input is gone, here and at the API; null: it is there. */
  readonly nameless: number | null;
  /** Files that the API has no more. */
  readonly gone: readonly string[];
}

interface Extent {
  /** The last generation that counts. */
  readonly last: number;
  readonly whatThereIs: boolean;
}

/** The generations of an input, up to `last`, in order. Those whose results are gone have none. */
export function generationsOf(root: SubmissionId, records: Records, last: number): readonly Generation[] {
  return [...records]
    .filter(([id, record]) => (id === root || record.of === root) && record.generation <= last)
    .sort(([, a], [, b]) => a.generation - b.generation);
}

function isGone(error: unknown): boolean {
  return error instanceof Fault && error.rule === 'gone';
}

/** In place of a file that the API has no more: it opens, and has no line. */
const NOWHERE = '/dev/null';

interface OfferedFile {
  readonly id: SubmissionId;
  readonly generation: number;
  readonly kind: 'output' | 'errors';
  readonly fileId: FileId;
}

/** In the order in which their lines count. Batches whose results are gone offer none. */
function offeredBy(generations: readonly Generation[]): readonly OfferedFile[] {
  return generations.flatMap(([id, { batch, generation, state }]) => {
    if (batch === null || state === 'unavailable') return [];
    const files: OfferedFile[] = [];
    if (batch.outputFileId !== null)
      files.push({ id, generation, kind: 'output', fileId: batch.outputFileId });
    if (batch.errorFileId !== null) files.push({ id, generation, kind: 'errors', fileId: batch.errorFileId });
    return files;
  });
}

/** Brings together what belongs to an input: its lines, and the files of its batches. */
export class Gathering {
  readonly #root: string;
  readonly #staging: Staging;
  /** What was gathered last: results are written right after they were looked at. */
  #last: { readonly key: string; readonly gathered: Gathered } | null = null;

  /** `root`: absolute. */
  constructor(root: string, staging: Staging) {
    this.#root = root;
    this.#staging = staging;
  }

  /**
   * Throws as `ResultsDesk.collect`. `id`: of generation 0. `whatThereIs`: a file that the API has no more is passed
   * over, and told.
   */
  async gather(
    id: SubmissionId,
    records: Records,
    { last, whatThereIs }: Extent,
    signal: AbortSignal,
  ): Promise<Gathered> {
    const record = records.get(id);
    if (record === undefined) throw new TypeError(`no submission ${id}`);
    const generations = generationsOf(id, records, last);
    const offered = offeredBy(generations);
    const key = JSON.stringify([id, record.sha256, offered]);
    if (this.#last?.key === key) return { ...this.#last.gathered, generations };
    this.#last = null;
    const gone: string[] = [];
    const index = await this.#indexOfInput(id, record, signal);
    const ledger = new LineLedger(
      index ?? (await this.#indexOfAnswers(offered, whatThereIs ? gone : null, signal)),
    );
    // Lines are taken as they come from the network, so that what they say is known when the file is.
    const onLine = (file: number, line: RawLine): void =>
      ledger.take(line, file, offered[file]?.generation ?? 0);
    const files = await this.#eachLine(offered, whatThereIs ? gone : null, signal, onLine);
    const known = ledger.index.customIds.length;
    const nameless = index === null ? Math.max(0, (record.file?.requests ?? 0) - known) : null;
    const gathered = { generations, files, ledger, nameless, gone: [...new Set(gone)] };
    if (gone.length === 0) this.#last = { key, gathered };
    return gathered;
  }

  forget(): void {
    this.#last = null;
  }

  /** Throws the disk's `Fault`. */
  async withFiles<T>(
    paths: readonly string[],
    use: (files: readonly FileHandle[]) => Promise<T>,
  ): Promise<T> {
    const handles: FileHandle[] = [];
    try {
      for (const path of paths) {
        handles.push(
          await this.#staging.disk.open(path, 'r').catch((error: unknown) => {
            throw diskFault(path, error);
          }),
        );
      }
      return await use(handles);
    } finally {
      for (const handle of handles) await handle.close().catch(() => {});
    }
  }

  /**
   * Every line of the files, in their order; returns where they are staged. `gone`: takes the ids of files that the API
   * has no more; null: that is thrown.
   */
  async #eachLine(
    offered: readonly OfferedFile[],
    gone: string[] | null,
    signal: AbortSignal,
    onLine: (file: number, line: RawLine) => void,
  ): Promise<readonly string[]> {
    const paths: string[] = [];
    for (const [file, { id, kind, fileId }] of offered.entries()) {
      const splitter = new LineSplitter((line) => {
        if (!isBlank(line)) onLine(file, line);
      });
      const onChunk = (chunk: Uint8Array): void => splitter.write(chunk);
      try {
        paths[file] = await this.#staging.fetch(id, kind, fileId, signal, onChunk);
        splitter.end();
      } catch (error) {
        if (gone === null || !isGone(error)) throw error;
        gone.push(fileId);
        paths[file] = NOWHERE;
      }
    }
    return paths;
  }

  /** From the path, or, where that is another file by now, from what the API has; null: it is gone everywhere. */
  async #indexOfInput(
    id: SubmissionId,
    { path, sha256, inputFileId }: BatchRecord,
    signal: AbortSignal,
  ): Promise<RequestIndex | null> {
    const unreadable: Fault[] = [];
    const local = await indexOfLocal(
      this.#staging.disk,
      this.#root,
      path,
      sha256,
      new RequestReader(true),
      signal,
    ).catch((error: unknown) => {
      // The API has the same: results that were paid for do not wait for a disk to be mended.
      if (!(error instanceof Fault) || error.disposition !== 'retry') throw error;
      unreadable.push(error);
      return null;
    });
    if (local !== null) return local;
    const staged = await this.#staging.fetch(id, 'input', inputFileId, signal).catch((error: unknown) => {
      if (!isGone(error)) throw error;
      if (unreadable[0] !== undefined) throw unreadable[0];
      return null;
    });
    if (staged === null) return null;
    return await this.withFiles([staged], ([handle]) =>
      handle === undefined
        ? Promise.resolve(null)
        : indexOf(chunksOf(handle), sha256, new RequestReader(true), signal),
    );
  }

  /** Without an input, its lines are those that have answers, in the order in which they came. */
  async #indexOfAnswers(
    offered: readonly OfferedFile[],
    gone: string[] | null,
    signal: AbortSignal,
  ): Promise<RequestIndex> {
    const ids = new Set<string>();
    await this.#eachLine(offered, gone, signal, (_file, { bytes }) => {
      const answer = bytes === null ? null : readAnswerLine(bytes.toString('utf8'));
      if (answer !== null) ids.add(answer.customId);
    });
    const customIds = [...ids];
    return {
      file: { requests: customIds.length, endpoint: null, model: null, inputTokens: 0 },
      customIds,
      lines: customIds.map(() => 0),
      positions: new Map(customIds.map((id, position) => [id, position])),
      twins: new Map(),
    };
  }
}
