/** Which manifest belongs to a configuration: its root, its state folder and its API. */
import { isLoopback } from '../contract/loopback.ts';
import type { Config, Environment } from '../config/config.ts';
import { readMirrorId } from '../local/root-guard.ts';
import { readHeaders } from '../config/header-values.ts';
import { admitApi, type ApiIdentity } from '../manifest/api-identity.ts';
import type { ApiScope } from '../manifest/api-scope.ts';
import { openManifestOf } from '../manifest/manifest-of-api.ts';
import { openManifest, type ManifestStore } from '../manifest/manifest-store.ts';
import { hasManifest, readManifest } from '../manifest/read-manifest.ts';
import type { StateLock } from '../manifest/state-lock.ts';
import { command } from '../contract/command.ts';
import { fatalFault } from '../contract/faults.ts';
import type { Listener } from '../contract/ports.ts';
import type { ManifestView } from '../contract/types.ts';
import { systemClock } from '../service/system-clock.ts';

/** Of which mirror. */
export interface MirrorIdentity {
  readonly config: Config;
  /** The base URL is that of our own, embedded emulator. */
  readonly isEmulator?: boolean;
  /** What it is opened for, e.g. `sync`: others that find it locked can say so. */
  readonly verb?: string;
}

/** Which API the configuration means. */
export function apiOf({ config, isEmulator = false }: MirrorIdentity): ApiIdentity {
  const { host, hostname } = new URL(config.api.baseUrl);
  if (isEmulator) return { kind: 'emulator', host: hostname };
  return isLoopback(config.api.baseUrl) ? { kind: 'loopback', host: hostname } : { kind: 'remote', host };
}

/** Whose files the API shows, and how it is asked. Throws `Fault` with rule `config` when a header cannot be had. */
export function scopeOf(
  { config, isEmulator = false }: MirrorIdentity,
  apiKey: string | null,
  env: Environment = process.env,
): ApiScope {
  const { baseUrl, organization, project, ...settings } = config.api;
  const { headers } = readHeaders(settings.headers, env);
  // A gateway is told in either whose files are meant. No header's name has a space.
  const fields = Object.entries(settings.uploadFields).map(([name, value]) => [`form field ${name}`, value]);
  return {
    address: isEmulator ? 'emulator' : baseUrl,
    organization,
    project,
    headers: { ...headers, ...Object.fromEntries(fields) },
    key: apiKey,
    settings: isEmulator ? null : settings,
  };
}

/** Whatever API it belongs to. Only for what no API is asked about. */
export function openManifestAsIs(
  { config, listener }: { readonly config: Config; readonly listener: Listener },
  lock: StateLock,
): Promise<ManifestStore> {
  return openManifest({
    stateDir: config.stateDir,
    clock: systemClock,
    assertHeld: () => lock.assertHeld(),
    onWarning: (message) => listener({ kind: 'warning', message }),
  });
}

/** `mirrorId`: for a new manifest; null: a new one. */
export function openManifestFor(
  options: MirrorIdentity & { readonly listener: Listener },
  mirrorId: string | null,
  lock: StateLock,
): Promise<ManifestStore> {
  return openManifestOf(apiOf(options), {
    stateDir: options.config.stateDir,
    clock: systemClock,
    assertHeld: () => lock.assertHeld(),
    ...(mirrorId === null ? {} : { mirrorId }),
    onWarning: (message) => options.listener({ kind: 'warning', message }),
  });
}

/** What the manifest will be when it is opened for the configured API. `mirrorId`: its id if there is none yet. */
export async function viewFor(options: MirrorIdentity, mirrorId: string | null): Promise<ManifestView> {
  const { stateDir } = options.config;
  const verdict = await admitApi(stateDir, apiOf(options));
  const view = (await readManifest(stateDir)) ?? emptyView(mirrorId);
  return verdict === 'start-over' ? emptyView(view.mirrorId) : view;
}

export function emptyView(mirrorId: string | null): ManifestView {
  return {
    mirrorId: mirrorId ?? '',
    files: new Map(),
    intents: new Map(),
    garbage: new Map(),
    rejected: new Map(),
  };
}

/**
 * A root that bears a marker while there is no manifest: either the manifest was lost, or this is another mirror's
 * folder. A new manifest would upload everything a second time.
 */
export async function refuseLostManifest(config: Config): Promise<void> {
  const marked = await readMirrorId(config.root);
  if (marked === null || (await hasManifest(config.stateDir))) return;
  throw fatalFault(
    'manifest',
    `${config.root} belongs to mirror ${marked}, but ${config.stateDir} holds no manifest; restore that folder or point stateDir to it, or take the remote files over with: ${command('adopt')}`,
  );
}
