import * as z from 'zod';
import { configFault, type Fault } from '../contract/faults.ts';
import { fingerprintsSchema, type Fingerprints } from './api-scope.ts';
import { unusable } from './manifest-fault.ts';
import { stateFilesIn } from './state-files.ts';
import type { StateFiles } from './state-files.ts';
import { readJson, replaceWhole } from './whole-file.ts';

/** Names, next to the manifest, the API that its ids are of. */
export const identityName = 'api.json';

const identitySchema = z.strictObject({
  version: z.literal(1),
  /** `emulator`: our own, embedded one; `loopback`: any other server on this machine. */
  kind: z.enum(['emulator', 'loopback', 'remote']),
  /** `remote`: with its port, if that is not the usual one. Otherwise without, since local servers move between ports. */
  host: z.string().min(1),
  /** Salted hashes of what decides whose files are shown; absent in what older versions wrote. */
  fingerprints: fingerprintsSchema.optional(),
});

/** Which API a manifest belongs to. */
export type ApiIdentity = Readonly<Pick<z.infer<typeof identitySchema>, 'kind' | 'host'>>;

/** All that `api.json` says. */
export interface ApiRecord {
  readonly identity: ApiIdentity;
  /** Null: nothing was recorded yet. */
  readonly fingerprints: Fingerprints | null;
}

/**
 * What a manifest of one API is worth to another. `same`: go on; `start-over`: what was mirrored to the emulator is
 * to be mirrored again, to a real API; `refuse`: a person must say what is meant.
 */
export type ApiVerdict = 'same' | 'start-over' | 'refuse';

/** Pure. INVARIANT: ids of a remote API are never taken for those of another one, nor for a local server's. */
export function judgeApi(recorded: ApiIdentity, configured: ApiIdentity): ApiVerdict {
  if (configured.kind !== 'remote') return recorded.kind === 'remote' ? 'refuse' : 'same';
  if (recorded.kind === 'emulator') return 'start-over';
  return recorded.kind === 'remote' && recorded.host === configured.host ? 'same' : 'refuse';
}

/** Null when none is recorded. Throws `Fault` (`config`) when what is there cannot be understood. */
export async function readApiIdentity(
  stateDir: string,
  files: StateFiles = stateFilesIn(stateDir),
): Promise<ApiIdentity | null> {
  return (await readApiRecord(files))?.identity ?? null;
}

/** As `readApiIdentity`, all of it. */
export async function readApiRecord(files: StateFiles): Promise<ApiRecord | null> {
  const found = await readJson(files, identityName, identitySchema, unclear);
  if (found === null) return null;
  const { kind, host, fingerprints = null } = found;
  return { identity: { kind, host }, fingerprints };
}

function unclear(filePath: string): Fault {
  return configFault(
    `${filePath} does not say which API this mirror belongs to; nothing was sent. If the configured API is the right one, remove that file`,
  );
}

/** Durable when it resolves: a power cut leaves the old one or the new one. */
export async function writeApiRecord(
  files: StateFiles,
  { identity, fingerprints }: ApiRecord,
): Promise<void> {
  const record = { version: 1, ...identity, ...(fingerprints === null ? {} : { fingerprints }) };
  const content = Buffer.from(`${JSON.stringify(record, null, 2)}\n`);
  await replaceWhole(files, identityName, content).catch(unusable(files.pathOf(identityName)));
}

/**
 * May the manifest in this folder be used with this API? `new`: nothing says whose it is. Changes nothing. Throws
 * `Fault` (`config`) when it belongs to another one.
 */
export async function admitApi(
  stateDir: string,
  configured: ApiIdentity,
  files: StateFiles = stateFilesIn(stateDir),
): Promise<'new' | 'same' | 'start-over'> {
  const recorded = await readApiIdentity(stateDir, files);
  if (recorded === null) return 'new';
  const verdict = judgeApi(recorded, configured);
  if (verdict === 'refuse') throw otherApi(stateDir, recorded, configured);
  return verdict;
}

/** Why the configured API is refused, and what can be done. */
function otherApi(stateDir: string, recorded: ApiIdentity, configured: ApiIdentity): Fault {
  const remedy =
    recorded.kind === 'remote' && configured.kind !== 'remote'
      ? 'set OPENAI_API_KEY and the base URL to go on with it'
      : 'set the base URL (api.baseUrl, OPENAI_BASE_URL) to go on with it';
  return configFault(
    `${stateDir} belongs to ${nameOf(recorded)}, but ${nameOf(configured)} is configured; nothing was sent. Either ${remedy}, or use another --root and --state-dir, or, if it is the same service under a new address, remove ${stateDir}/${identityName}`,
  );
}

/** For people: `the API at api.openai.com`. */
export function nameOf({ kind, host }: ApiIdentity): string {
  switch (kind) {
    case 'emulator':
      return 'the emulator of files-mirror itself';
    case 'loopback':
      return `a server on this machine (${host})`;
    case 'remote':
      return `the API at ${host}`;
  }
}
