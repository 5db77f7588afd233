import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../contract/errno.ts';
import { command } from '../contract/command.ts';
import { configFault } from '../contract/faults.ts';
import type { Config } from './config.ts';

/** Throws `Fault` with rule `config` unless the root is a folder. Says nothing about whether it is the right one. */
export async function checkRoot(root: string): Promise<void> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(root)).isDirectory();
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT')
      throw configFault(
        `the root ${root} does not exist; mount it, or create it with: ${command('init')}`,
        error,
      );
    if (code === 'ENOTDIR')
      throw configFault(`the root ${root} cannot exist: a part of its path is a file`, error);
    throw configFault(`the root ${root} cannot be read (${code}); make it readable for this user`, error);
  }
  if (!isFolder) throw configFault(`the root ${root} is a file; give a folder with --root`);
}

/** Creates the root and its purpose folders as far as they are missing; returns what was created. */
export async function createRoot(config: Config): Promise<readonly string[]> {
  const created: string[] = [];
  for (const folder of [config.root, ...config.folders.map((rules) => join(config.root, rules.folder))]) {
    try {
      if ((await mkdir(folder, { recursive: true, mode: 0o755 })) !== undefined) created.push(folder);
    } catch (error) {
      const code = errnoOf(error);
      const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'a file is in its place' : code;
      throw configFault(`cannot create ${folder}: ${why}`, error);
    }
  }
  return created;
}
