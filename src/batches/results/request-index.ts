import type { RequestsFile } from '../../contract/batch.ts';
import { isObject, jsonOrNull } from '../../contract/json.ts';
import { isBlank, LineSplitter } from './line-splitter.ts';
import type { RawLine } from './line-splitter.ts';

/** The lines of an input, in their order, without their content. Positions count from 0. */
export interface RequestIndex {
  readonly file: RequestsFile;
  /** `custom_id` by position; empty where a line has none that can be read. */
  readonly customIds: readonly string[];
  /** 1-based line by position: blank lines are lines, and no requests. */
  readonly lines: readonly number[];
  /** The first position of an id. */
  readonly positions: ReadonlyMap<string, number>;
  /** From a position to the next one with the same id, which only some servers allow. */
  readonly twins: ReadonlyMap<number, number>;
}

/** Reads requests that come in chunks. In memory are the ids, and one line at a time. */
export class RequestReader {
  readonly #splitter = new LineSplitter((line) => this.#take(line));
  readonly #customIds: string[] = [];
  readonly #lines: number[] = [];
  readonly #positions = new Map<string, number>();
  readonly #twins = new Map<number, number>();
  readonly #lastOf = new Map<string, number>();
  readonly #endpoints = new Set<string>();
  readonly #models = new Set<string>();
  readonly #idsOnly: boolean;
  #textBytes = 0;
  #line = 0;

  /** `idsOnly`: what else the lines say is not looked at, which takes a third of the time. */
  constructor(idsOnly = false) {
    this.#idsOnly = idsOnly;
  }

  write(chunk: Uint8Array): void {
    this.#splitter.write(chunk);
  }

  end(): RequestIndex {
    this.#splitter.end();
    const file: RequestsFile = {
      requests: this.#customIds.length,
      endpoint: onlyOne(this.#endpoints),
      model: onlyOne(this.#models),
      inputTokens: Math.ceil(this.#textBytes / 4),
    };
    return {
      file,
      customIds: this.#customIds,
      lines: this.#lines,
      positions: this.#positions,
      twins: this.#twins,
    };
  }

  #take(raw: RawLine): void {
    this.#line += 1;
    if (isBlank(raw)) return;
    const plainId = this.#idsOnly ? plainIdOf(raw.bytes) : null;
    const request = plainId === null ? objectOf(raw.bytes) : { custom_id: plainId };
    const id = request['custom_id'];
    const position = this.#customIds.push(typeof id === 'string' ? id : '') - 1;
    this.#lines.push(this.#line);
    if (typeof id === 'string') this.#place(id, position);
    if (typeof request['url'] === 'string') addBounded(this.#endpoints, request['url']);
    const body = request['body'];
    if (!isObject(body)) return;
    const { model, ...rest } = body;
    if (typeof model === 'string') addBounded(this.#models, model);
    this.#textBytes += textBytesOf(rest);
  }

  #place(id: string, position: number): void {
    if (!this.#positions.has(id)) {
      this.#positions.set(id, position);
      return;
    }
    this.#twins.set(this.#lastOf.get(id) ?? this.#positions.get(id) ?? position, position);
    this.#lastOf.set(id, position);
  }
}

const PLAIN_ID = /^\{\s*"custom_id"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]*)"/;
/** The end of the key: what it begins with is in every text. */
const ID_KEY = Buffer.from('_id"');

/** The id of a line that begins with it and has none besides, without parsing the rest; null: it is not so plain. */
function plainIdOf(bytes: Buffer | null): string | null {
  const [start = '', id] = PLAIN_ID.exec(bytes?.toString('latin1', 0, 512) ?? '') ?? [];
  return id === undefined || bytes?.includes(ID_KEY, start.length) === true ? null : id;
}

/** Two are enough to tell that they differ. */
function addBounded(set: Set<string>, value: string): void {
  if (set.size < 2) set.add(value);
}

function onlyOne(set: ReadonlySet<string>): string | null {
  const [first, ...others] = set;
  return first === undefined || others.length > 0 ? null : first;
}

/** UTF-8 bytes of all texts in a value. What is a file in the text's place (`data:…`) is none. */
function textBytesOf(value: unknown): number {
  if (typeof value === 'string') return value.startsWith('data:') ? 0 : Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null) return 0;
  let bytes = 0;
  for (const inner of Object.values(value)) bytes += textBytesOf(inner);
  return bytes;
}

/** What is no JSON object has no fields: the server decides about it. */
function objectOf(bytes: Buffer | null): Readonly<Record<string, unknown>> {
  const value = bytes === null ? null : jsonOrNull(bytes.toString('utf8').replace(/^\ufeff/, ''));
  return isObject(value) ? value : {};
}
