import { basename, dirname } from 'node:path';
import type { BatchRecord, LineCounts, SubmissionId, WrittenResults } from '../../contract/batch.ts';
import { counted } from '../../contract/quantities.ts';
import type { Clock } from '../../contract/ports.ts';
import type { BatchFiles, Collection, ResultsDesk } from '../ports.ts';
import { missingLine } from './answer-lines.ts';
import { ranNothing, summaryOf } from './batch-summary.ts';
import type { SummaryFile } from './batch-summary.ts';
import { copyInOrder } from './copy-in-order.ts';
import { Gathering } from './gathering.ts';
import type { Gathered, Records } from './gathering.ts';
import type { Place } from './line-ledger.ts';
import { realResultsDisk } from './results-disk.ts';
import type { ResultsDisk } from './results-disk.ts';
import { ResultsFolder, stemOf } from './results-folder.ts';
import type { Part, Stem, Written } from './results-folder.ts';
import { ResultNames } from './result-names.ts';
import { RetryUpload } from './retry-upload.ts';
import { Staging } from './staging.ts';

export interface ResultsDeskOptions {
  /** Absolute. */
  readonly root: string;
  /** Absolute; private. */
  readonly stateDir: string;
  /** Below the root, e.g. `results`. */
  readonly resultsFolder: string;
  /** Several folders are of purpose `batch`: the first part of a path stays, so that their results do not meet. */
  readonly keepsFolder: boolean;
  readonly files: BatchFiles;
  readonly clock: Clock;
  /** Over how long it is looked up whether a lost upload was stored. */
  readonly lookSeconds: number;
  /** When the API shall expire a file of lines that are tried again; null leaves it to the API. */
  readonly expiresAfterSeconds: number | null;
  /** Throws `Fault` halt `root` when the root is not the right one. */
  readonly assertRoot: () => Promise<void>;
  readonly disk?: ResultsDisk;
}

export function createResultsDesk(options: ResultsDeskOptions): ResultsDesk {
  const { root, stateDir, files, disk = realResultsDisk } = options;
  const staging = new Staging(stateDir, files, disk);
  const gathering = new Gathering(root, staging);
  const retry = new RetryUpload({ ...options, staging });
  const writer = new ResultsWriter(options, new ResultsFolder(root, disk), gathering, staging);
  return {
    async collect(id, records, signal) {
      const record = recordOf(id, records);
      const gathered = await gathering.gather(
        record.of ?? id,
        records,
        { last: record.generation, whatThereIs: false },
        signal,
      );
      return collectionOf(gathered);
    },
    async write(id, records, signal) {
      await options.assertRoot();
      return await writer.write(id, recordOf(id, records), records, signal);
    },
    uploadRetry: (id, records, generation, lines, signal) =>
      retry.upload(id, recordOf(id, records), generation, lines, signal),
    async forget(id) {
      gathering.forget();
      await staging.forget(id);
    },
  };
}

function recordOf(id: SubmissionId, records: Records): BatchRecord {
  const record = records.get(id);
  if (record === undefined) throw new TypeError(`no submission ${id}`);
  return record;
}

function collectionOf(gathered: Gathered): Collection {
  const retryable = gathered.nameless !== null ? [] : gathered.ledger.retryable();
  return { lines: countsOf(gathered), retryable, oddities: odditiesOf(gathered) };
}

function countsOf({ ledger, nameless }: Gathered): LineCounts {
  const lines = ledger.counts();
  return { ...lines, missing: lines.missing + (nameless ?? 0) };
}

function odditiesOf({ ledger, nameless, gone }: Gathered): readonly string[] {
  const oddities = [...ledger.oddities(), ...gone.map((id) => `the API has no file ${id} any more`)];
  if (nameless !== null) {
    oddities.push(
      `the input is gone, here and at the API: the order is the API's, and ${counted(nameless, 'line')} cannot be named`,
    );
  }
  return oddities;
}

class ResultsWriter {
  readonly #options: ResultsDeskOptions;
  readonly #folder: ResultsFolder;
  readonly #gathering: Gathering;
  readonly #names: ResultNames;

  constructor(options: ResultsDeskOptions, folder: ResultsFolder, gathering: Gathering, staging: Staging) {
    this.#options = options;
    this.#folder = folder;
    this.#gathering = gathering;
    this.#names = new ResultNames(folder, staging);
  }

  async write(
    id: SubmissionId,
    record: BatchRecord,
    records: Records,
    signal: AbortSignal,
  ): Promise<WrittenResults> {
    const { resultsFolder, keepsFolder } = this.#options;
    const gathered = await this.#gathering.gather(id, records, { last: Infinity, whatThereIs: true }, signal);
    const stem = await this.#names.stemOf(id, stemOf(resultsFolder, record.path, keepsFolder));
    const mode = await this.#folder.prepare(stem, dirname(record.path));
    try {
      return await this.#writeAll(id, record, records, gathered, stem, mode);
    } finally {
      await this.#folder.dropAside(stem, id);
    }
  }

  async #writeAll(
    id: SubmissionId,
    record: BatchRecord,
    records: Records,
    gathered: Gathered,
    stem: Stem,
    mode: number,
  ): Promise<WrittenResults> {
    const { ledger, files, generations, nameless } = gathered;
    const lines = countsOf(gathered);
    const copy = (part: Part, places: Iterable<Place | string>): Promise<Written> =>
      this.#gathering.withFiles(files, (handles) =>
        this.#folder.writeAside(stem, id, part, mode, (write) => copyInOrder(places, handles, write)),
      );
    const hasErrors =
      lines.failed + lines.missing > (nameless ?? 0) && !ranNothing(generations.map(([, each]) => each));
    const output = lines.answered === 0 ? null : await copy('output', ledger.answers());
    const errors = hasErrors ? await copy('errors', errorLines(ledger.failures())) : null;
    const summary = (names: Readonly<Record<Part, string>>): string => {
      const named = (part: Part, written: Written | null): SummaryFile | null =>
        written && { name: basename(names[part]), ...written };
      const found = { lines, oddities: odditiesOf(gathered) };
      const listed = { output: named('output', output), errors: named('errors', errors) };
      return `${JSON.stringify(summaryOf({ record, generations, ...found, ...listed }), null, 2)}\n`;
    };
    const writeSummary = (text: string): Promise<Written> =>
      this.#folder.writeAside(stem, id, 'batch', mode, (write) => write(Buffer.from(text)));
    const from = isOutdated(id, record, records) ? 1 : 0;
    const { names, note } = await this.#names.publish(id, stem, from, { output, errors }, async (named) =>
      writeSummary(summary(named)),
    );
    return {
      output: output && names.output,
      errors: errors && names.errors,
      summary: names.batch,
      lines,
      ...(note === null ? {} : { note }),
    };
  }
}

/** A later version of the same path was submitted: the plain names are for that one. */
function isOutdated(id: SubmissionId, record: BatchRecord, records: Records): boolean {
  return records
    .entries()
    .some(
      ([otherId, other]) =>
        otherId !== id &&
        other.of === null &&
        other.path === record.path &&
        other.sha256 !== record.sha256 &&
        other.wantedAt > record.wantedAt,
    );
}

function* errorLines(failures: Iterable<Place | string>): Generator<Place | string> {
  for (const failure of failures) yield typeof failure === 'string' ? missingLine(failure) : failure;
}
