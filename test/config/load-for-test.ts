import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { Fault } from '../../src/contract/faults.ts';

type Env = Readonly<Record<string, string>>;

/** Configurations in files of their own, below a folder that is gone when the test file has ended. */
export function configFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'files-mirror-config-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  let files = 0;

  function write(content: unknown): string {
    const dir = join(folder, `c${++files}`);
    mkdirSync(dir);
    const file = join(dir, 'my.json');
    writeFileSync(file, JSON.stringify(content, null, 2));
    return file;
  }

  async function load(content: unknown, env: Env = {}): Promise<Config> {
    const flags = { config: write(content) };
    return (await loadConfig({ flags, env, cwd: folder, homeDir: '/home/somebody' })).config;
  }

  /** The message of the refusal, without the name of the file. */
  async function errorOf(content: unknown, env: Env = {}): Promise<string> {
    const error: unknown = await load(content, env).catch((error: unknown) => error);
    if (!(error instanceof Fault)) throw new Error('expected a fault');
    return error.message.replaceAll(/^.*my\.json:\d+: /gm, '');
  }

  return { folder, write, load, errorOf };
}
