import { crc32 } from 'node:zlib';
import type { Change } from '../contract/types.ts';
import { Damage, newerVersion } from './manifest-fault.ts';
import { applyChange } from './manifest-data.ts';
import type { ManifestData } from './manifest-data.ts';
import { journalHeaderSchema, manifestVersion } from './manifest-schema.ts';
import type { StateFile } from './state-files.ts';
import { readLines } from './text-lines.ts';

/*
 * A header, then one change a line:
 *
 *   {"version":2,"mirrorId":"…","base":4711,"crc32":"…"}
 *   {"seq":4712,"durable":4711,"at":1763766000123,"intents":{"batch/a.jsonl":{…}},"crc32":"…"}
 *
 * `crc32` covers the line before it. `durable` is the last change that was known to be on the disk when the line
 * was written. Lines are written in groups and synced once a group; after a power cut any part of the last group
 * may be missing, also one before a part that is there. So a bad line is a torn tail if no later line claims that
 * it was durable, and damage if one does.
 */
const sealPattern = /,"crc32":"([0-9a-f]{8})"\}$/;
const sealLength = ',"crc32":"01234567"}'.length;

interface JournalHeader {
  readonly version: number;
  readonly mirrorId: string;
  /** Number of the last change that is not in this journal. */
  readonly base: number;
}

interface JournalLine extends Change {
  readonly seq: number;
  readonly durable: number;
  readonly at: number;
}

/** A change on its way into the journal. Its JSON is made when it is handed over, its number when it is written. */
export interface PendingChange {
  readonly change: Change;
  /** Of the change, and not `{}`. */
  readonly json: string;
}

export function journalHeader(mirrorId: string, base: number): Buffer {
  const header = { version: manifestVersion, mirrorId, base } satisfies JournalHeader;
  return Buffer.from(sealed(JSON.stringify(header).slice(0, -1)));
}

/** The lines of one group; the first gets the number after `durableSeq`. */
export function journalLines(changes: readonly PendingChange[], durableSeq: number, atMs: number): Buffer {
  const lines = changes.map(({ json }, index) =>
    sealed(`{"seq":${durableSeq + 1 + index},"durable":${durableSeq},"at":${atMs},${json.slice(1, -1)}`),
  );
  return Buffer.from(lines.join(''));
}

export interface ReplayedJournal {
  readonly header: JournalHeader;
  readonly headerBytes: number;
  /** Where the good lines end. What follows is the torn rest of a group that was never durable. */
  readonly endBytes: number;
  readonly sizeBytes: number;
}

/**
 * Reads the journal and applies the changes after `data.seq`. With null it only reads.
 * Throws `Damage` for a journal that does not lead from this data without a gap.
 */
export async function replayJournal(file: StateFile, data: ManifestData | null): Promise<ReplayedJournal> {
  const { sizeBytes } = await file.info();
  if (sizeBytes === 0) throw new Damage('is empty (0 bytes)');
  let replay: JournalReplay | null = null;
  for await (const block of readLines(file, sizeBytes)) {
    // A last line without its newline was never durable, whatever it says.
    const lines = block.terminated ? block.lines : [];
    for (const line of lines) {
      if (replay === null) replay = new JournalReplay(line, data);
      else replay.take(line);
    }
  }
  if (replay === null) throw new Damage('is damaged: its first line is not whole');
  return replay.finish(sizeBytes);
}

class JournalReplay {
  readonly #header: JournalHeader;
  readonly #data: ManifestData | null;
  #nextSeq: number;
  readonly #headerBytes: number;
  #endBytes: number;
  #torn = false;

  constructor(headerLine: string, data: ManifestData | null) {
    this.#header = parseHeader(headerLine);
    this.#data = data;
    this.#nextSeq = this.#header.base + 1;
    this.#headerBytes = Buffer.byteLength(headerLine) + 1;
    this.#endBytes = this.#headerBytes;
    if (data === null) return;
    if (this.#header.mirrorId !== data.mirrorId) {
      throw new Damage(
        `belongs to another mirror (${this.#header.mirrorId}) than manifest.json (${data.mirrorId})`,
      );
    }
    if (this.#header.base > data.seq) {
      throw new Damage(
        `begins after change ${this.#header.base}, but manifest.json ends with change ${data.seq}`,
      );
    }
  }

  take(text: string): void {
    const line = unsealed(text) as JournalLine | null;
    if (line === null) {
      this.#torn = true;
    } else if (this.#torn) {
      if (line.durable >= this.#nextSeq)
        throw new Damage(`is damaged in the middle: change ${this.#nextSeq} is lost`);
    } else {
      this.#apply(line);
      this.#endBytes += Buffer.byteLength(text) + 1;
    }
  }

  finish(sizeBytes: number): ReplayedJournal {
    if (this.#data !== null && this.#nextSeq <= this.#data.seq) {
      throw new Damage(
        `was cut: it ends with change ${this.#nextSeq - 1}, before manifest.json (${this.#data.seq})`,
      );
    }
    return { header: this.#header, headerBytes: this.#headerBytes, endBytes: this.#endBytes, sizeBytes };
  }

  #apply({ seq, at, durable: _durable, ...change }: JournalLine): void {
    if (seq !== this.#nextSeq) {
      throw new Damage(`is damaged: change ${seq} stands where change ${this.#nextSeq} belongs`);
    }
    this.#nextSeq += 1;
    if (this.#data !== null && seq > this.#data.seq) applyChange(this.#data, change, seq, at);
  }
}

function parseHeader(line: string): JournalHeader {
  const version = Number(/^\{"version":(\d+)/.exec(line)?.[1]);
  if (version > manifestVersion) throw newerVersion(version);
  const header = journalHeaderSchema.safeParse(unsealed(line));
  if (!header.success) throw new Damage('is damaged: its first line is not a journal header');
  return header.data;
}

/** `open`: a JSON object without its closing brace. */
function sealed(open: string): string {
  return `${open},"crc32":"${checksumOf(open)}"}\n`;
}

/** Null when the line is not as it was written. */
function unsealed(line: string): unknown {
  const open = line.slice(0, -sealLength);
  if (sealPattern.exec(line)?.[1] !== checksumOf(open)) return null;
  // QUIRK: 0.1.0 wrote a change without content as nothing between two commas.
  const whole = open.endsWith(',') ? open.slice(0, -1) : open;
  try {
    return JSON.parse(`${whole}}`);
  } catch {
    throw new Damage('is damaged: a line is not JSON, although its checksum fits');
  }
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
