/**
 * What must hold when a mirror rests, found out without any code of the engine: the server has exactly the eligible
 * local files (same purpose, same name, same bytes, as often), every owned id is there, and nothing that we made
 * is unowned.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoredFile } from '../../../src/emulator/stored-file.ts';
import type { PathReport } from '../../../src/contract/report.ts';

const PURPOSES: Readonly<Record<string, string>> = Object.fromEntries(
  ['assistants', 'batch', 'evals', 'fine-tune', 'user_data', 'vision'].map((name) => [name, name]),
);

/** What the oracle cannot know by itself. */
export interface Expectation {
  /** Local files, besides empty ones, that must not be mirrored (ignored, refused, unreadable). */
  readonly except?: readonly string[];
  /** Paths whose older remote file stays although the local file differs, is gone or is ignored. */
  readonly keeps?: readonly string[];
  /** Purpose by folder name, where they are not the six default folders. */
  readonly purposes?: Readonly<Record<string, string>>;
}

export interface OracleInput {
  readonly root: string;
  readonly reports: readonly PathReport[];
  readonly stored: readonly StoredFile[];
  /** Ids of files that others put there. */
  readonly foreign: ReadonlySet<string>;
  readonly digests: DigestCache;
  readonly expectation: Expectation;
}

/** SHA-256 of files, remembered by what stat says, since oracles are asked again and again. */
export class DigestCache {
  readonly #known = new Map<string, string>();

  async of(file: string): Promise<string> {
    const { size, mtimeNs, ctimeNs, ino } = await lstat(file, { bigint: true });
    const key = `${file} ${size} ${mtimeNs} ${ctimeNs} ${ino}`;
    let digest = this.#known.get(key);
    if (digest === undefined) {
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
      digest = hash.digest('hex');
      this.#known.set(key, digest);
    }
    return digest;
  }
}

/** One line for everything that is wrong; empty when all is well. */
export async function differences(input: OracleInput): Promise<string[]> {
  const { except = [], keeps = [] } = input.expectation;
  const wanted = await eligibleFiles(input);
  const stored = new Map(input.stored.map((file) => [file.id, file]));
  const owned = new Map<string, string>();
  const found: string[] = [];

  for (const { path, id } of input.reports) {
    if (id === null) continue;
    if (owned.has(id)) found.push(`${id} is owned by ${path} and ${owned.get(id)}`);
    owned.set(id, path);
    const file = stored.get(id);
    if (except.includes(path)) found.push(`${path} has the id ${id}, but must not be mirrored`);
    else if (file === undefined) found.push(`${path}: its file ${id} is not at the server`);
    else if (!keeps.includes(path) && describe(file) !== wanted.get(path)) {
      found.push(`${path}: ${id} is ${describe(file)}, not ${wanted.get(path) ?? 'gone'}`);
    }
  }
  for (const file of input.stored) {
    if (!owned.has(file.id) && !input.foreign.has(file.id))
      found.push(`nobody owns ${file.id} (${describe(file)})`);
  }
  for (const id of input.foreign) if (!stored.has(id)) found.push(`the foreign file ${id} is gone`);

  const kept = new Set(keeps);
  const ours = input.stored.filter(({ id }) => !input.foreign.has(id) && !kept.has(owned.get(id) ?? ''));
  found.push(...multisetDifferences([...wanted.values()], ours.map(describe)));
  return found;
}

/** What each eligible local file is to be at the server. */
async function eligibleFiles({ root, digests, expectation }: OracleInput): Promise<Map<string, string>> {
  const { except = [], keeps = [], purposes = PURPOSES } = expectation;
  const left = new Set([...except, ...keeps]);
  const wanted = new Map<string, string>();
  for (const [folder, purpose] of Object.entries(purposes)) {
    for (const path of await filesBelow(root, folder)) {
      if (left.has(path)) continue;
      // No server takes an empty file.
      if ((await lstat(join(root, path))).size === 0) continue;
      const filename = path.slice(path.lastIndexOf('/') + 1);
      wanted.set(path, describe({ purpose, filename, sha256: await digests.of(join(root, path)) }));
    }
  }
  return wanted;
}

/** Regular files; links are not followed. */
async function filesBelow(root: string, folder: string): Promise<string[]> {
  const files: string[] = [];
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
      throw error;
    },
  );
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) files.push(...(await filesBelow(root, path)));
    else if (entry.isFile()) files.push(path);
  }
  return files;
}

function describe({
  purpose,
  filename,
  sha256,
}: Pick<StoredFile, 'purpose' | 'filename' | 'sha256'>): string {
  return `${purpose} ${JSON.stringify(filename)} ${sha256?.slice(0, 16)}`;
}

function multisetDifferences(wanted: readonly string[], stored: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const item of wanted) counts.set(item, (counts.get(item) ?? 0) + 1);
  for (const item of stored) counts.set(item, (counts.get(item) ?? 0) - 1);
  return [...counts].flatMap(([item, count]) => {
    if (count === 0) return [];
    return count > 0
      ? [`missing at the server: ${count} × ${item}`]
      : [`too many at the server: ${-count} × ${item}`];
  });
}
