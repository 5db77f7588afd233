import { readFileSync } from 'node:fs';
import { isHeaderValue } from '../contract/http-header.ts';
import type { Environment } from './config.ts';
import { errnoOf } from '../contract/errno.ts';
import { configFault } from '../contract/faults.ts';
import { isInside, realPathOf } from './inside.ts';
import type { Problem } from './problems.ts';
import type { ConfigFile } from './schema.ts';

type HeaderSources = ConfigFile['api']['headers'];

/** What the configured headers say, read anew. */
export interface HeaderValues {
  readonly headers: Readonly<Record<string, string>>;
  /** Values that came from a file or the environment, which is where secrets are kept: never to be shown. */
  readonly secrets: readonly string[];
}

/**
 * Throws `Fault` with rule `config`, which names the header and never shows a value, when a file cannot be read, a
 * variable is not set, or a value cannot be sent.
 */
export function readHeaders(sources: HeaderSources, env: Environment): HeaderValues {
  const headers: Record<string, string> = {};
  const secrets: string[] = [];
  for (const [name, source] of Object.entries(sources)) {
    if (typeof source === 'string') {
      headers[name] = source;
      continue;
    }
    const value = source.file === undefined ? fromEnv(name, source.env, env) : fromFile(name, source.file);
    headers[name] = value;
    secrets.push(value);
  }
  return { headers, secrets };
}

function fromFile(name: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = errnoOf(error);
    throw configFault(
      `api.headers.${name}: ${file} cannot be read (${code}); make it readable for this user`,
      error,
    );
  }
  return checked(text.trim(), `api.headers.${name}: ${file}`);
}

function fromEnv(name: string, variable: string | undefined, env: Environment): string {
  const value = variable === undefined ? undefined : env[variable]?.trim();
  if (!value)
    throw configFault(`api.headers.${name}: the environment variable ${variable} is not set; set it`);
  return checked(value, `api.headers.${name}: the environment variable ${variable}`);
}

function checked(value: string, from: string): string {
  if (value === '') throw configFault(`${from} is empty; put the value of the header into it`);
  if (!isHeaderValue(value))
    throw configFault(`${from} holds more than a header value: it has line breaks or special characters`);
  return value;
}

/** Relative files made absolute; `locate` does that. */
export function locatedHeaders(sources: HeaderSources, locate: (file: string) => string): HeaderSources {
  return Object.fromEntries(
    Object.entries(sources).map(([name, source]) => [
      name,
      typeof source === 'string' || source.file === undefined
        ? source
        : { ...source, file: locate(source.file) },
    ]),
  );
}

/** What is wrong with a value's source; its name is judged elsewhere. */
export function headerSourceProblems(sources: HeaderSources): readonly Problem[] {
  return Object.entries(sources).flatMap(([name, source]) => {
    const path = ['api', 'headers', name];
    if (typeof source === 'string') {
      if (isHeaderValue(source)) return [];
      return [{ path, message: 'a header value has no line breaks and no special characters' }];
    }
    if ((source.file === undefined) !== (source.env === undefined)) return [];
    return [{ path, message: 'expected one of "file" and "env", which says where the value is' }];
  });
}

/** A secret must not be mirrored with the rest. */
export function headerFileProblems(root: string, sources: HeaderSources): readonly Problem[] {
  return Object.entries(sources).flatMap(([name, source]) => {
    if (typeof source === 'string' || source.file === undefined) return [];
    if (!isInside(realPathOf(source.file), realPathOf(root))) return [];
    const message = `${source.file} lies inside the root ${root}, whose files are uploaded; keep it elsewhere`;
    return [{ path: ['api', 'headers', name], message }];
  });
}
