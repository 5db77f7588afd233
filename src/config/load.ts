/** From flags, environment, file, preset and defaults to one checked configuration. Knows nothing of what it is for. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isObject } from '../contract/json.ts';
import { errnoOf } from '../contract/errno.ts';
import { configFault } from '../contract/faults.ts';
import { keyFileProblems } from './api-key.ts';
import type { Config, Environment } from './config.ts';
import { crossChecks } from './cross-checks.ts';
import { mergeFolders } from './folders.ts';
import { headerFileProblems, locatedHeaders } from './header-values.ts';
import { JsonSyntaxError, readJsonText, type JsonText } from './json-text.ts';
import { withPreset } from './presets.ts';
import { keyPath, problemsOf, type Problem } from './problems.ts';
import { configSchema, type ConfigFile } from './schema.ts';
import { defaultStateDir, stateDirProblems } from './state-dir.ts';

/** The options that every verb has. */
export interface ConfigFlags {
  readonly config?: string | undefined;
  readonly root?: string | undefined;
  readonly stateDir?: string | undefined;
}

/** What the configuration is made from besides its file. */
export interface ConfigSurroundings {
  readonly flags: ConfigFlags;
  readonly env: Environment;
  readonly cwd: string;
  readonly homeDir: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The file that was read; null when there is none. */
  readonly file: string | null;
  /** False when nobody said where the API is, so that it is the default. */
  readonly baseUrlGiven: boolean;
  /** Some folder says whether its files are submitted as batches. */
  readonly submitGiven: boolean;
}

/** Read in the current folder when neither `--config` nor `FILES_MIRROR_CONFIG` names a file. */
export const defaultConfigFile = 'files-mirror.json';

/** A value given outside the file: wins over it, and errors name where it came from. */
interface Override {
  readonly path: readonly [string, ...string[]];
  readonly value: string | undefined;
  readonly from: string;
}

/**
 * Flags over environment over file over preset over defaults. Relative paths in the file are relative to the file, all others
 * to the current folder. Throws `Fault` with rule `config`; its message has one line for every problem.
 */
export async function loadConfig(surroundings: ConfigSurroundings): Promise<LoadedConfig> {
  const source = await readSource(surroundings);
  const overrides = overridesOf(surroundings).filter(
    (override) => override.value !== undefined && override.value !== '',
  );
  const raw = withOverrides(withPreset(source.json?.value ?? {}), overrides);
  const locate = (problem: Problem) => `${placeOf(problem.path, source, overrides)}: ${problem.message}`;

  const parsed = configSchema.safeParse(raw);
  if (!parsed.success) throw configFault(problemsOf(parsed.error, raw).map(locate).join('\n'));

  const baseUrlGiven = typeof (raw as { api?: { baseUrl?: unknown } }).api?.baseUrl === 'string';
  const { config, problems: later } = resolved(parsed.data, source, surroundings);
  const problems = [...crossChecks(parsed.data, baseUrlGiven), ...later];
  if (problems.length > 0) throw configFault(problems.map(locate).join('\n'));
  const submitGiven = Object.values(parsed.data.folders).some(
    (folder) => folder !== false && folder.submit !== undefined,
  );
  return { config, file: source.file, baseUrlGiven, submitGiven };
}

interface Source {
  readonly file: string | null;
  readonly json: JsonText | null;
}

async function readSource({ flags, env, cwd }: ConfigSurroundings): Promise<Source> {
  const named = flags.config ?? (env['FILES_MIRROR_CONFIG'] || undefined);
  const file = resolve(cwd, named ?? defaultConfigFile);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' && named === undefined) return { file: null, json: null };
    const why = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`;
    throw configFault(`${file}: ${why}; give another one with --config`, error);
  }
  try {
    return { file, json: readJsonText(text) };
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw configFault(`${file}:${error.line}:${error.column}: ${error.message}`, error);
  }
}

/** In rising order: the last one for a key wins. */
function overridesOf({ flags, env, cwd }: ConfigSurroundings): readonly Override[] {
  const absolute = (path: string | undefined) => (path ? resolve(cwd, path) : path);
  return [
    { path: ['api', 'baseUrl'], value: env['OPENAI_BASE_URL']?.trim(), from: 'OPENAI_BASE_URL' },
    { path: ['api', 'organization'], value: env['OPENAI_ORG_ID']?.trim(), from: 'OPENAI_ORG_ID' },
    { path: ['api', 'project'], value: env['OPENAI_PROJECT_ID']?.trim(), from: 'OPENAI_PROJECT_ID' },
    { path: ['root'], value: absolute(env['FILES_MIRROR_ROOT']), from: 'FILES_MIRROR_ROOT' },
    { path: ['root'], value: absolute(flags.root), from: '--root' },
    { path: ['stateDir'], value: absolute(flags.stateDir), from: '--state-dir' },
  ];
}

function withOverrides(raw: unknown, overrides: readonly Override[]): unknown {
  if (!isObject(raw)) return raw;
  const merged: Record<string, unknown> = { ...raw };
  for (const { path, value } of overrides) {
    const [first, second] = path;
    if (second === undefined) merged[first] = value;
    else if (merged[first] === undefined) merged[first] = { [second]: value };
    else if (isObject(merged[first])) merged[first] = { ...merged[first], [second]: value };
  }
  return merged;
}

function resolved(
  file: ConfigFile,
  source: Source,
  surroundings: ConfigSurroundings,
): { config: Config; problems: readonly Problem[] } {
  const base = source.file === null ? surroundings.cwd : dirname(source.file);
  const root = resolve(base, file.root);
  const stateDir =
    file.stateDir === null
      ? defaultStateDir(root, surroundings.env, surroundings.homeDir)
      : resolve(base, file.stateDir);
  const apiKeyFile = file.api.apiKeyFile === null ? null : resolve(base, file.api.apiKeyFile);
  const headers = locatedHeaders(file.api.headers, (path) => resolve(base, path));
  // What cannot be deleted is kept: nothing else would be true.
  const { folders, problems } = mergeFolders(file.folders, file.api.deletes ? file.deletes.mode : 'keep');
  return {
    config: {
      root,
      stateDir,
      api: { ...file.api, apiKeyFile, headers },
      limits: file.limits,
      watch: file.watch,
      deletes: file.deletes,
      batches: { ...file.batches, submitFolders: submitFolders(file, folders) },
      verifyHours: file.verifyHours,
      folders,
    },
    problems: [
      ...problems,
      ...stateDirProblems(root, stateDir),
      ...keyFileProblems(root, apiKeyFile),
      ...headerFileProblems(root, headers),
      ...(file.api.deletes ? [] : deleteProblems(file.folders)),
    ],
  };
}

function submitFolders(
  { folders }: ConfigFile,
  mirrored: Config['folders'],
): Config['batches']['submitFolders'] {
  const names = mirrored.map(({ folder }) => folder);
  return new Set(
    names.filter((name) => {
      const folder = folders[name];
      return folder !== undefined && folder !== false && folder.submit === true;
    }),
  );
}

/** A folder that is to mirror deletes at a server that cannot is a contradiction; the default for all folders is none. */
function deleteProblems(folders: ConfigFile['folders']): readonly Problem[] {
  return Object.entries(folders).flatMap(([name, folder]) => {
    if (folder === false || folder.deletes?.mode !== 'mirror') return [];
    const path = ['folders', name, 'deletes', 'mode'];
    return [{ path, message: 'expected "keep", since api.deletes is false: this server cannot delete' }];
  });
}

function placeOf(path: readonly PropertyKey[], source: Source, overrides: readonly Override[]): string {
  const key = keyPath(path);
  const override = overrides.findLast(({ path: overridden }) => overridden.join('.') === key);
  if (override !== undefined) return override.from;
  if (source.json === null || source.file === null) return key;
  const place = `${source.file}:${source.json.lineOf(path)}`;
  return key === '' ? place : `${place}: ${key}`;
}
