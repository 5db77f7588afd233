import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../contract/command.ts';
import { Fault } from '../contract/faults.ts';
import type { Config } from './config.ts';

/** Throws `Fault` with rule `config` unless the root is a folder. Says nothing about whether it is the right one. */
export async function checkRoot(root: string): Promise<void> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(root)).isDirectory();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT')
      throw rootFault(
        `the root ${root} does not exist; mount it, or create it with: ${command('init')}`,
        error,
      );
    if (code === 'ENOTDIR')
      throw rootFault(`the root ${root} cannot exist: a part of its path is a file`, error);
    throw rootFault(`the root ${root} cannot be read (${code}); make it readable for this user`, error);
  }
  if (!isFolder) throw rootFault(`the root ${root} is a file; give a folder with --root`);
}

/** Creates the root and its purpose folders as far as they are missing; returns what was created. */
export async function createRoot(config: Config): Promise<readonly string[]> {
  const created: string[] = [];
  for (const folder of [config.root, ...config.folders.map((rules) => join(config.root, rules.folder))]) {
    try {
      if ((await mkdir(folder, { recursive: true, mode: 0o755 })) !== undefined) created.push(folder);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'a file is in its place' : String(code);
      throw rootFault(`cannot create ${folder}: ${why}`, error);
    }
  }
  return created;
}

function rootFault(message: string, cause?: unknown): Fault {
  return new Fault(message, { disposition: 'fatal', outcome: 'refused', rule: 'config', cause });
}
