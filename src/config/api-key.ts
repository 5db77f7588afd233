import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isLoopback } from '../contract/loopback.ts';
import { errnoOf } from '../contract/errno.ts';
import { configFault, Fault } from '../contract/faults.ts';
import type { Config, Environment } from './config.ts';
import { isInside, realPathOf } from './inside.ts';
import type { Problem } from './problems.ts';

/**
 * The API key: `OPENAI_API_KEY`, else `api.apiKeyFile`, else systemd's credential `openai-api-key`. Null when there
 * is none and the API is on this machine.
 * Throws `Fault`: rule `config` when a file cannot be read or holds no key, rule `no-key` when one is missing.
 */
export async function readApiKey(config: Config, env: Environment): Promise<string | null> {
  const key = await firstKey(config, env);
  if (key === null && !isLoopback(config.api.baseUrl)) {
    throw new Fault(
      `no API key for ${new URL(config.api.baseUrl).origin}: set OPENAI_API_KEY, or api.apiKeyFile in the configuration`,
      { disposition: 'fatal', outcome: 'refused', halt: 'auth', rule: 'no-key' },
    );
  }
  return key;
}

/** True when a key is configured anywhere; says nothing about whether it can be read. */
export function hasApiKey(config: Config, env: Environment): boolean {
  return (
    Boolean(env['OPENAI_API_KEY']?.trim()) ||
    config.api.apiKeyFile !== null ||
    Boolean(env['CREDENTIALS_DIRECTORY'])
  );
}

async function firstKey(config: Config, env: Environment): Promise<string | null> {
  const fromEnv = env['OPENAI_API_KEY']?.trim();
  if (fromEnv) return checkedKey(fromEnv, 'OPENAI_API_KEY');
  if (config.api.apiKeyFile !== null)
    return keyFrom(config.api.apiKeyFile, `api.apiKeyFile ${config.api.apiKeyFile}`);
  const credentials = env['CREDENTIALS_DIRECTORY'];
  if (!credentials) return null;
  const file = join(credentials, 'openai-api-key');
  try {
    return await keyFrom(file, `the credential ${file}`);
  } catch (error) {
    // The unit may load other credentials than ours.
    if (error instanceof Fault && errnoOf(error.cause) === 'ENOENT') return null;
    throw error;
  }
}

async function keyFrom(file: string, name: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw configFault(`${name} cannot be read (${errnoOf(error)}); make it readable for this user`, error);
  }
  return checkedKey(text.trim(), name);
}

function checkedKey(key: string, name: string): string {
  if (key === '') throw configFault(`${name} is empty; put the API key into it`);
  // Anything else could not be sent in a header, and is no key but a whole file of something.
  if (!/^[\u0021-\u007e]+$/.test(key))
    throw configFault(`${name} holds more than a key: it has spaces, line breaks or special characters`);
  return key;
}

/** The key must not be mirrored with the rest. */
export function keyFileProblems(root: string, apiKeyFile: string | null): readonly Problem[] {
  if (apiKeyFile === null || !isInside(realPathOf(apiKeyFile), realPathOf(root))) return [];
  const message = `${apiKeyFile} lies inside the root ${root}, whose files are uploaded; keep the key elsewhere`;
  return [{ path: ['api', 'apiKeyFile'], message }];
}
