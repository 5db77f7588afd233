/** What must hold when everything rests, judged from the disk, the server and the manifest alone. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredFile } from '../../src/emulator/stored-file.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';

export interface Evidence {
  readonly root: string;
  readonly stateDir: string;
  readonly server: {
    files(): readonly Pick<StoredFile, 'id' | 'purpose' | 'filename' | 'bytes' | 'sha256'>[];
  };
  /** Files of others, by id: all must still be there. */
  readonly foreign: ReadonlySet<string>;
}

/** Each list is empty when all is well; its items are for people. */
export interface Verdict {
  readonly localFiles: number;
  /** More remote files of ours than local ones, for one purpose, name and content. */
  readonly duplicates: readonly string[];
  /** Remote files of ours that no local file stands for, or that the manifest does not know. */
  readonly orphans: readonly string[];
  /** Local files without a remote one. */
  readonly lost: readonly string[];
  /** Entries that say something else than disk or server, and what is left over from unfinished work. */
  readonly misremembered: readonly string[];
  /** Files of others that are gone. */
  readonly foreignGone: readonly string[];
}

export function violationsOf(verdict: Verdict): readonly string[] {
  const { localFiles: _, ...lists } = verdict;
  return Object.entries(lists).flatMap(([kind, items]) => items.map((item) => `${kind}: ${item}`));
}

/** Folders bear the name of their purpose. Throws when the manifest cannot be read. */
export async function judge({ root, stateDir, server, foreign }: Evidence): Promise<Verdict> {
  const remote = server.files();
  const manifest = await readManifest(stateDir);
  if (manifest === null) throw new Error(`there is no manifest in ${stateDir}`);
  const hashes = hashTree(root);
  const local = Map.groupBy(hashes.keys(), (path) => keyOf(path, hashes.get(path) ?? ''));
  const byId = new Map(remote.map((file) => [file.id, file]));
  const ours = Map.groupBy(
    remote.filter(({ id }) => !foreign.has(id)),
    ({ purpose, filename, sha256 }) => `${purpose}/${filename} ${sha256}`,
  );

  const duplicates: string[] = [];
  const orphans: string[] = [];
  const lost: string[] = [];
  for (const [key, files] of ours) {
    const wanted = local.get(key)?.length ?? 0;
    const ids = files.map(({ id }) => id).join(' ');
    if (wanted === 0) orphans.push(`${key}: ${ids}`);
    else if (files.length > wanted) duplicates.push(`${key}: ${files.length} for ${wanted}: ${ids}`);
  }
  for (const [key, paths] of local) {
    const found = ours.get(key)?.length ?? 0;
    if (found < paths.length) lost.push(`${key}: ${found} for ${paths.join(' ')}`);
  }

  const misremembered: string[] = [];
  const owned = new Set<string>();
  for (const [path, { id, sha256, bytes }] of manifest.files) {
    const file = byId.get(id);
    if (owned.has(id)) misremembered.push(`${id} belongs to ${path} and to another path`);
    owned.add(id);
    if (hashes.get(path) !== sha256) misremembered.push(`${path} has other content on disk`);
    if (file === undefined) misremembered.push(`${id} of ${path} does not exist`);
    else if (file.sha256 !== sha256 || file.bytes !== bytes) misremembered.push(`${id} is not ${path}`);
  }
  for (const path of hashes.keys()) if (!manifest.files.has(path)) misremembered.push(`${path} has no entry`);
  for (const path of manifest.intents.keys()) misremembered.push(`${path} has an open intent`);
  for (const [id, { path, reason }] of manifest.garbage)
    misremembered.push(`${id} (${reason} ${path}) is garbage`);
  for (const { id } of remote) if (!foreign.has(id) && !owned.has(id)) orphans.push(`${id} has no owner`);
  const foreignGone = [...foreign].filter((id) => !byId.has(id));
  return { localFiles: hashes.size, duplicates, orphans, lost, misremembered, foreignGone };
}

/** SHA-256 by path of every file in a folder of the root; dotfiles are not eligible. */
export function hashTree(root: string): ReadonlyMap<string, string> {
  const hashes = new Map<string, string>();
  const walk = (directory: string): void => {
    for (const item of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = directory === '' ? item.name : `${directory}/${item.name}`;
      if (item.name.startsWith('.')) continue;
      if (item.isDirectory()) walk(path);
      else hashes.set(path, sha256Of(readFileSync(join(root, path))));
    }
  };
  walk('');
  return hashes;
}

export function sha256Of(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function keyOf(path: string, sha256: string): string {
  const purpose = path.slice(0, path.indexOf('/'));
  const name = path.slice(path.lastIndexOf('/') + 1);
  return `${purpose}/${name} ${sha256}`;
}
