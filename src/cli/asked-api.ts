import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadedConfig } from '../config/load.ts';
import { hasApiKey } from '../config/api-key.ts';
import type { Config } from '../config/config.ts';
import { command } from '../contract/command.ts';
import { type Fault, retryFault } from '../contract/faults.ts';
import type { Context } from './context.ts';

/** The API that the mirror uses, as far as nothing need be asked of it. */
export interface UsedApi {
  readonly config: Config;
  /** It is the emulator that the daemon brings along. */
  readonly isEmulator: boolean;
}

/** Which API a verb asks. */
export interface AskedApi extends UsedApi {
  readonly apiKey: string | null;
}

/** Neither a key nor a base URL is given, and so far the mirror went to the emulator. */
export async function goesToEmulator(
  { config, baseUrlGiven }: LoadedConfig,
  context: Context,
): Promise<boolean> {
  if (baseUrlGiven || hasApiKey(config, context.io.env)) return false;
  const { recordedApi } = await context.compose();
  return (await recordedApi(config.stateDir))?.kind === 'emulator';
}

/** At the emulator nothing costs money, and nobody wants to wait: unless it is said otherwise, batches go the whole road. */
export function emulated({ config, submitGiven }: LoadedConfig): Config {
  const { batches, folders } = config;
  const ofBatches = folders.filter(({ purpose }) => purpose === 'batch').map(({ folder }) => folder);
  const submitFolders = submitGiven ? batches.submitFolders : new Set(ofBatches);
  return { ...config, batches: { ...batches, submitFolders, pollSeconds: batches.pollSeconds ?? 2 } };
}

/**
 * The configured API; or, where neither a key nor a base URL is given, the emulator, if the mirror went there so far.
 * Throws `Fault` with rule `config`, also when what is remembered belongs to another API.
 */
export async function usedApi(context: Context): Promise<UsedApi> {
  const loaded = await context.loadConfig();
  const { config } = loaded;
  const { admitConfiguredApi } = await context.compose();
  const isEmulator = await goesToEmulator(loaded, context);
  if (isEmulator) return { config: emulated(loaded), isEmulator };
  await admitConfiguredApi(config);
  return { config, isEmulator };
}

/**
 * The same, ready to be asked. Throws `Fault` with rule `config` or `no-key`; `emulator` when that one does not run,
 * since it runs in the daemon.
 */
export async function askedApi(context: Context): Promise<AskedApi> {
  const { config, isEmulator } = await usedApi(context);
  if (!isEmulator) return { config, apiKey: await context.readApiKey(config), isEmulator };
  const baseUrl = await emulatorUrl(config.stateDir);
  // The file may have outlived its daemon; then nobody answers there.
  if (baseUrl === null || (await context.findDaemon(config)) === null) throw emulatorDoesNotRun();
  return { config: { ...config, api: { ...config.api, baseUrl } }, apiKey: null, isEmulator };
}

/** What is the matter when the emulator does not run, and what can be done. */
export const emulatorAbsence = {
  detail:
    'without a key this folder is mirrored to the emulator of files-mirror itself, which does not run now',
  next: `start it with: ${command('run', '--emulator-without-key')}; or set OPENAI_API_KEY to mirror to the real API from now on`,
} as const;

function emulatorDoesNotRun(): Fault {
  const { detail, next } = emulatorAbsence;
  return retryFault('emulator', `${detail}; ${next}`);
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
