import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasApiKey } from '../config/api-key.ts';
import type { Config } from '../config/config.ts';
import type { Context } from './context.ts';

/** Which API a verb asks. */
export interface AskedApi {
  readonly config: Config;
  readonly apiKey: string | null;
}

/**
 * The configured API; or, beside a daemon that was started without a key and without a base URL, that daemon's own
 * emulator. Throws `Fault` with rule `config` or `no-key`.
 */
export async function askedApi(context: Context): Promise<AskedApi> {
  const { config, baseUrlGiven } = await context.loadConfig();
  if (!baseUrlGiven && !hasApiKey(config, context.io.env)) {
    const baseUrl = await emulatorUrl(config.stateDir);
    // The file may have outlived its daemon; then nobody answers there.
    if (baseUrl !== null && (await context.findDaemon(config)) !== null) {
      return { config: { ...config, api: { ...config.api, baseUrl } }, apiKey: null };
    }
  }
  return { config, apiKey: await context.readApiKey(config) };
}

/** Tells the other verbs where this daemon's emulator is, as long as it runs. */
export async function announceEmulator(stateDir: string, url: string): Promise<() => Promise<void>> {
  const file = urlFile(stateDir);
  await writeFile(file, `${url}\n`, { mode: 0o600 });
  return () => rm(file, { force: true });
}

async function emulatorUrl(stateDir: string): Promise<string | null> {
  try {
    return (await readFile(urlFile(stateDir), 'utf8')).trim();
  } catch {
    return null;
  }
}

function urlFile(stateDir: string): string {
  return join(stateDir, 'emulator.url');
}
