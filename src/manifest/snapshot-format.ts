import { crc32 } from 'node:zlib';
import type { ZodError } from 'zod';
import type { BatchMemory } from '../contract/batch.ts';
import { Damage, newerVersion } from './manifest-fault.ts';
import { emptyData, sectionNames } from './manifest-data.ts';
import type { ManifestData, SectionName } from './manifest-data.ts';
import { manifestSchema, manifestVersion, snapshotHeaderSchema } from './manifest-schema.ts';
import type { StateFile } from './state-files.ts';
import { readLines, readTail } from './text-lines.ts';

/*
 * One JSON object, one entry a line:
 *
 *   {"version":2,"mirrorId":"…","seq":4711,"attempts":[],"batchMemory":{…},"files":{
 *   "batch/a.jsonl":{…},
 *   "batch/b.jsonl":{…}
 *   },"intents":{
 *   },"garbage":{
 *   },"rejected":{
 *   },"batches":{
 *   },"crc32":"0123abcd"}
 *
 * The checksum covers every byte before the last line. A file that bears the right one is as this program wrote
 * it, so its entries need no validation (which would double the time to load).
 */
const sealPattern = /^\},"crc32":"([0-9a-f]{8})"\}\n$/;
const sealBytes = '},"crc32":"01234567"}\n'.length;
const entriesPerPiece = 256;
/** Lines parsed by one call; measured best between 20 and 200. */
const linesPerParse = 100;
/** The text is held whole when there is no checksum; V8 builds no string of 512 MB. */
const maxHandwrittenBytes = 256 * 1024 * 1024;

/** The manifest at one instant: changes that come later do not show in it. */
export interface SnapshotCut {
  readonly mirrorId: string;
  readonly seq: number;
  readonly attempts: readonly number[];
  readonly batchMemory: BatchMemory;
  readonly sections: Readonly<Record<SectionName, SectionCut>>;
}

interface SectionCut {
  readonly keys: readonly string[];
  readonly values: readonly unknown[];
}

/**
 * Takes the cut. Entries are immutable, so copying two arrays of references (about 20 ms for a million entries)
 * is all that keeps the snapshot consistent while commits go on.
 */
export function cutOf(data: ManifestData, nowMs: number): SnapshotCut {
  const cut = (section: SectionName): SectionCut => ({
    keys: [...data[section].keys()],
    values: [...data[section].values()],
  });
  return {
    mirrorId: data.mirrorId,
    seq: data.seq,
    attempts: data.attempts.recent(nowMs),
    batchMemory: data.batchMemory,
    sections: {
      files: cut('files'),
      intents: cut('intents'),
      garbage: cut('garbage'),
      rejected: cut('rejected'),
      batches: cut('batches'),
    },
  };
}

/** Writes the snapshot in pieces of about a hundred kilobytes; returns its size. Does not sync. */
export async function writeSnapshot(file: StateFile, cut: SnapshotCut): Promise<number> {
  let atByte = 0;
  let checksum = 0;
  for (const piece of pieces(cut)) {
    const bytes = Buffer.from(piece);
    checksum = crc32(bytes, checksum);
    await file.write(bytes, atByte);
    atByte += bytes.length;
  }
  await file.write(Buffer.from(`},"crc32":"${hex(checksum)}"}\n`), atByte);
  return atByte + sealBytes;
}

export interface ReadSnapshot {
  readonly data: ManifestData;
  readonly version: number;
  /** True when a person vouches for the content: it bears no checksum, and was validated entry by entry. */
  readonly handwritten: boolean;
  readonly sizeBytes: number;
}

/** Throws `Damage` for anything that is not a whole snapshot of this version. */
export async function readSnapshot(file: StateFile): Promise<ReadSnapshot> {
  const { sizeBytes } = await file.info();
  if (sizeBytes === 0) throw new Damage('is empty (0 bytes)');
  await refuseNewerVersion(file);
  const seal = sealPattern.exec(await readTail(file, sizeBytes, sealBytes));
  if (seal?.[1] === undefined) {
    const data = await readHandwritten(file, sizeBytes);
    return { data, version: manifestVersion, handwritten: true, sizeBytes };
  }
  let checksum = 0;
  const loader = new SnapshotLoader();
  const contentBytes = sizeBytes - sealBytes;
  for await (const block of readLines(file, contentBytes, (bytes) => (checksum = crc32(bytes, checksum)))) {
    if (!block.terminated) throw new Damage('is damaged: its last line is joined to the one before');
    loader.take(block.lines);
  }
  if (hex(checksum) !== seal[1]) throw editedOrDamaged();
  return { data: loader.finish(), version: loader.version, handwritten: false, sizeBytes };
}

function* pieces({ mirrorId, seq, attempts, batchMemory, sections }: SnapshotCut): Generator<string> {
  const header = { version: manifestVersion, mirrorId, seq, attempts, batchMemory, files: {} };
  yield `${JSON.stringify(header).slice(0, -2)}\n`;
  for (const name of sectionNames) {
    if (name !== 'files') yield sectionStart(name);
    const { keys, values } = sections[name];
    for (let from = 0; from < keys.length; from += entriesPerPiece) {
      const to = Math.min(from + entriesPerPiece, keys.length);
      let piece = '';
      for (let i = from; i < to; i += 1) {
        piece += `${JSON.stringify(keys[i])}:${JSON.stringify(values[i])}${i + 1 < keys.length ? ',' : ''}\n`;
      }
      yield piece;
    }
  }
}

function sectionStart(name: SectionName): string {
  return `},"${name}":{\n`;
}

/** Takes the lines of a snapshot one block after the other. */
class SnapshotLoader {
  #data: ManifestData | null = null;
  version = manifestVersion;
  #section = 0;
  /** Pairs not parsed yet, as the beginning of a JSON array. */
  #waiting = '';
  #waitingLines = 0;

  take(lines: readonly string[]): void {
    for (const line of lines) {
      if (this.#data === null) [this.#data, this.version] = dataFromHeader(line);
      else if (line.startsWith('"')) this.#takeEntry(line);
      else this.#takeSectionStart(line);
    }
  }

  finish(): ManifestData {
    this.#parseWaiting();
    if (this.#data === null || this.#section !== sectionsOf(this.version) - 1) throw editedOrDamaged();
    return this.#data;
  }

  #takeEntry(line: string): void {
    this.#waiting += `${this.#waiting === '' ? '[' : ','}${pairText(line)}`;
    this.#waitingLines += 1;
    if (this.#waitingLines >= linesPerParse) this.#parseWaiting();
  }

  #takeSectionStart(line: string): void {
    this.#parseWaiting();
    this.#section += 1;
    const name = sectionNames[this.#section];
    if (name === undefined || `${line}\n` !== sectionStart(name)) throw editedOrDamaged();
  }

  #parseWaiting(): void {
    if (this.#waitingLines === 0 || this.#data === null) return;
    const pairs = parseJson(`${this.#waiting}]`) as [string, never][];
    const section = this.#data[sectionNames[this.#section] ?? 'files'];
    for (const [key, value] of pairs) section.set(key, value);
    this.#waiting = '';
    this.#waitingLines = 0;
  }
}

/** `"key":{…},` as `["key",{…}]`: an array of pairs parses twice as fast as an object of unlike keys. */
function pairText(line: string): string {
  const end = line.endsWith(',') ? line.length - 1 : line.length;
  const keyEnd = line.indexOf('":{');
  if (keyEnd > 0 && line[keyEnd - 1] !== '\\') {
    return `[${line.slice(0, keyEnd + 1)},${line.slice(keyEnd + 2, end)}]`;
  }
  // The quote may be an escaped one inside the key: leave it to the JSON parser.
  return JSON.stringify(Object.entries(parseJson(`{${line.slice(0, end)}}`) as object)[0]);
}

/** The data as its header says, and its version. */
function dataFromHeader(line: string): [ManifestData, number] {
  const header = snapshotHeaderSchema.safeParse(parseJson(`${line}}}`));
  if (!header.success) throw editedOrDamaged();
  const { mirrorId, seq, attempts, batchMemory, version } = header.data;
  return [{ ...emptyData(mirrorId, seq, attempts), batchMemory }, version];
}

function sectionsOf(version: number): number {
  return version === 1 ? sectionNames.length - 1 : sectionNames.length;
}

/** Whatever else a newer program writes, it begins with its version. */
async function refuseNewerVersion(file: StateFile): Promise<void> {
  const start = Buffer.alloc(256);
  const text = start.subarray(0, await file.read(start, 0)).toString();
  const version = Number(/^\s*\{\s*"version"\s*:\s*(\d+)/.exec(text)?.[1] ?? manifestVersion);
  if (version > manifestVersion) throw newerVersion(version);
}

async function readHandwritten(file: StateFile, sizeBytes: number): Promise<ManifestData> {
  if (sizeBytes > maxHandwrittenBytes) throw new Damage('is damaged: its end, with the checksum, is missing');
  const lines: string[] = [];
  for await (const block of readLines(file, sizeBytes)) for (const line of block.lines) lines.push(line);
  const json = parseJson(lines.join('\n'));
  const version: unknown = (json as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > manifestVersion) throw newerVersion(version);
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw new Damage(`is not a valid manifest: ${firstIssue(parsed.error)}`);
  if (parsed.data.crc32 !== undefined) throw editedOrDamaged();
  const { mirrorId, seq, attempts, batchMemory } = parsed.data;
  const data = { ...emptyData(mirrorId, seq, attempts), batchMemory };
  for (const name of sectionNames) {
    const section = data[name] as Map<string, unknown>;
    for (const [key, value] of Object.entries(parsed.data[name])) section.set(key, value);
  }
  return data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's message quotes the file, NULs and all; of that only the position is for people.
    const where =
      error instanceof Error ? (/at position \d+.*$/.exec(error.message)?.[0] ?? 'at its end') : '';
    throw new Damage(`is damaged: not valid JSON ${where}`);
  }
}

function firstIssue({ issues }: ZodError): string {
  const [issue] = issues;
  return issue === undefined ? 'unknown' : `${JSON.stringify(issue.path.join(' → '))}: ${issue.message}`;
}

function editedOrDamaged(): Damage {
  return new Damage(
    'was damaged or edited: its checksum does not fit its content',
    'nothing was changed or sent. Restore manifest.json and manifest.journal together from one backup; if you ' +
      'edited it on purpose, remove its last field `crc32`, and it will be checked entry by entry instead',
  );
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
