/** Packages of exact versions, each in a folder of its own below a cache; nothing of them is a dependency of ours. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'files-mirror-peers');

/**
 * As a shell outside of `npm run` has it, since npm hands much of its own state down to scripts; `node` is the one that
 * runs this.
 */
export function plainEnvironment(): Record<string, string> {
  const own = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined && !/^(npm_(?!config_userconfig$)|OPENAI_|NODE_OPTIONS$)/i.test(name),
  ) as [string, string][];
  const PATH = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
  return { ...Object.fromEntries(own), PATH };
}

/** Installs `name@version` once, without install scripts. Returns the folder of the package. */
export async function installPackage(name: string, version: string): Promise<string> {
  const folder = await once(name, version, async (cwd) => {
    await writeFile(
      join(cwd, 'package.json'),
      JSON.stringify({ private: true, dependencies: { [name]: version } }),
    );
    await npm(cwd, 'install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts');
  });
  return join(folder, 'node_modules', name);
}

/** Unpacks `name@version` once, without its dependencies. Returns the folder of the package. */
export async function unpackPackage(name: string, version: string): Promise<string> {
  const folder = await once(name, version, async (cwd) => {
    const tarball = (await npm(cwd, 'pack', `${name}@${version}`)).trim();
    await exec('tar', ['xzf', tarball], { cwd });
  });
  return join(folder, 'package');
}

async function once(
  name: string,
  version: string,
  install: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(cache, `${name.replaceAll('/', '+')}@${version}`);
  if (existsSync(join(folder, 'complete'))) return folder;
  await mkdir(folder, { recursive: true });
  await install(folder);
  await writeFile(join(folder, 'complete'), '');
  return folder;
}

async function npm(cwd: string, ...args: readonly string[]): Promise<string> {
  const env = plainEnvironment();
  return (await exec('npm', [...args, '--silent'], { cwd, env, maxBuffer: 64 * 1024 * 1024 })).stdout;
}
