import { counted } from '../../contract/quantities.ts';
import { visible } from '../../contract/shown-text.ts';
import type { LineCounts } from '../../contract/batch.ts';
import type { LineEnd } from '../ports.ts';
import { MISSING, readAnswerLine } from './answer-lines.ts';
import type { AnswerLine, Failure } from './answer-lines.ts';
import type { RawLine } from './line-splitter.ts';
import type { RequestIndex } from './request-index.ts';

/** Where a line lies in the staged files. */
export interface Place {
  readonly file: number;
  readonly atByte: number;
  readonly sizeBytes: number;
}

/** No file says anything of a request. */
const NOBODY = 255;

type Oddity = 'unknown' | 'repeated' | 'unreadable';

const ODDITIES: Readonly<Record<Oddity, readonly [one: string, many: string]>> = {
  unknown: ['answer to no line of the input', 'answers to no line of the input'],
  repeated: ['answer that came twice', 'answers that came twice'],
  unreadable: ['line that cannot be read', 'lines that cannot be read'],
};

/**
 * Which line of the input has which answer. The first success of a line wins, whatever came before or comes after it;
 * of failures, the first of the latest generation. Every line is in exactly one of answered, failed and missing.
 */
export class LineLedger {
  readonly index: RequestIndex;
  /** By position: the generation that said how it stands, and where. */
  readonly #generations: Uint8Array;
  readonly #files: Uint16Array;
  readonly #atBytes: Float64Array;
  readonly #sizes: Uint32Array;
  /** Of those that stand without an answer. */
  readonly #failures = new Map<number, Failure>();
  readonly #odd = new Map<Oddity, { count: number; readonly first: string }>();

  constructor(index: RequestIndex) {
    const count = index.customIds.length;
    this.index = index;
    this.#generations = new Uint8Array(count).fill(NOBODY);
    this.#files = new Uint16Array(count);
    this.#atBytes = new Float64Array(count);
    this.#sizes = new Uint32Array(count);
  }

  /** Takes a line of a file. Files are to be taken generation by generation. */
  take(raw: RawLine, file: number, generation: number): void {
    const answer = raw.bytes === null ? null : readAnswerLine(raw.bytes.toString('utf8'));
    if (answer === null) {
      this.#note('unreadable', raw.bytes?.toString('utf8', 0, 60) ?? `of ${raw.sizeBytes} bytes`);
      return;
    }
    const position = this.#positionOf(answer, generation);
    if (position === null) return;
    this.#generations[position] = generation;
    this.#files[position] = file;
    this.#atBytes[position] = raw.atByte;
    this.#sizes[position] = raw.sizeBytes;
    if (answer.failure === null) this.#failures.delete(position);
    else this.#failures.set(position, answer.failure);
  }

  counts(): LineCounts {
    const missing = this.#generations.reduce((count, each) => count + (each === NOBODY ? 1 : 0), 0);
    const failed = this.#failures.size;
    return { answered: this.#generations.length - failed - missing, failed, missing };
  }

  oddities(): readonly string[] {
    return [...this.#odd].map(([kind, { count, first }]) => {
      const example = visible(first.length > 60 ? `${first.slice(0, 59)}…` : first);
      return `${counted(count, ...ODDITIES[kind])} (${count === 1 ? '' : 'the first: '}${example})`;
    });
  }

  /** The answers, in the order of the input. */
  *answers(): Generator<Place> {
    for (const position of this.#generations.keys()) {
      if (this.#isAnswered(position)) yield this.#placeOf(position);
    }
  }

  /** The lines without an answer, in the order of the input: where their error lies, or the id of one that is missing. */
  *failures(): Generator<Place | string> {
    for (const position of this.#generations.keys()) {
      if (this.#failures.has(position)) yield this.#placeOf(position);
      else if (this.#isUnspoken(position)) yield this.index.customIds[position] ?? '';
    }
  }

  retryable(): readonly LineEnd[] {
    const ends: LineEnd[] = [];
    for (const position of this.#generations.keys()) {
      const end = this.#isUnspoken(position) ? MISSING : this.#failures.get(position);
      if (end?.isRetryable !== true) continue;
      const customId = this.index.customIds[position] ?? '';
      ends.push({ customId, line: this.index.lines[position] ?? 0, code: end.code, message: end.message });
    }
    return ends;
  }

  #placeOf(position: number): Place {
    return {
      file: this.#files[position] ?? 0,
      atByte: this.#atBytes[position] ?? 0,
      sizeBytes: this.#sizes[position] ?? 0,
    };
  }

  /** The request that an answer is to; null: it is to none, or to one that needs none any more. */
  #positionOf({ customId, failure }: AnswerLine, generation: number): number | null {
    let position = this.index.positions.get(customId);
    if (position === undefined) {
      this.#note('unknown', customId);
      return null;
    }
    while (!this.#isOpen(position, generation)) {
      const twin = this.index.twins.get(position);
      if (twin !== undefined) {
        position = twin;
        continue;
      }
      this.#note('repeated', customId);
      // A success beside an error of the same generation: the success is the answer.
      return failure === null && !this.#isAnswered(position) ? position : null;
    }
    return position;
  }

  /** It has no answer, and this generation has not said yet how it ended. */
  #isOpen(position: number, generation: number): boolean {
    if (this.#isUnspoken(position)) return true;
    return this.#failures.has(position) && (this.#generations[position] ?? 0) < generation;
  }

  #isUnspoken(position: number): boolean {
    return this.#generations[position] === NOBODY;
  }

  #isAnswered(position: number): boolean {
    return !this.#isUnspoken(position) && !this.#failures.has(position);
  }

  #note(kind: Oddity, example: string): void {
    const known = this.#odd.get(kind);
    if (known === undefined) this.#odd.set(kind, { count: 1, first: example });
    else known.count += 1;
  }
}
