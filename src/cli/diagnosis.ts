/** What `doctor` makes of what it found. Pure: facts in, words out. */
import { counted, formatBytes, formatDuration } from '../contract/quantities.ts';
import type { Places } from '../compose.ts';
import type { Config } from '../config/config.ts';
import { command } from '../contract/command.ts';
import { remembersNothing } from '../contract/remembers-nothing.ts';
import type { Halt, ManifestView } from '../contract/types.ts';

export interface Check {
  readonly what: string;
  readonly level: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do about it; null when there is nothing to do. */
  readonly next: string | null;
}

export function ok(what: string, detail: string): Check {
  return { what, level: 'ok', detail, next: null };
}

export function warn(what: string, detail: string, next: string): Check {
  return { what, level: 'warn', detail, next };
}

export function fail(what: string, detail: string, next: string | null): Check {
  return { what, level: 'fail', detail, next };
}

/** One of the running daemon's. */
export function haltCheck({ name, folder, cause, next }: Halt): Check {
  return fail('halted', `${name}${folder === null ? '' : ` (${folder})`}: ${cause}`, next);
}

/** `wanted`: as in package.json, e.g. `>=22.22`. */
export function nodeCheck(version: string, wanted: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.replace(/^\D+/, '').split('.').map(Number);
  const enough = major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  return enough
    ? ok('node', version)
    : fail('node', `${version} is older than ${wanted}`, 'install a newer Node.js, see https://nodejs.org');
}

/** `manifest`: null when there is none. */
export function rootCheck({ root }: Config, places: Places, manifest: ManifestView | null): Check {
  const { look, markedFor, writable } = places.root;
  if (look.kind === 'bad') {
    const next = `mount or restore the right folder, give another --root, or create it with: ${command('init')}`;
    return fail('root', look.reason, next);
  }
  if (manifest === null && markedFor !== null) {
    const next = `point stateDir to it, or take the remote files over with: ${command('adopt')}`;
    return fail(
      'root',
      `${root} belongs to mirror ${markedFor}, whose manifest is not in the state folder`,
      next,
    );
  }
  if (look.kind === 'unmarked' && manifest !== null && !remembersNothing(manifest)) {
    return fail(
      'root',
      `${root} bears no marker although remote files of it are remembered`,
      'mount or restore the right folder',
    );
  }
  if (writable)
    return ok('root', look.kind === 'ok' ? `${root}, marked as this mirror's` : `${root}, not used yet`);
  return look.kind === 'ok'
    ? warn('root', `${root} cannot be written`, 'missing purpose folders must be created by hand')
    : fail(
        'root',
        `${root} cannot be written, and is not marked yet`,
        'let the user that runs files-mirror write there',
      );
}

export function watchCheck({ watch }: Config, { root }: Places): Check {
  const { remoteKind, directories, maxUserWatches } = root;
  const every = `every ${formatDuration(watch.pollSeconds * 1000)}`;
  if (watch.mode === 'off') {
    return watch.rescanSeconds > 0
      ? ok('watching', `off; everything is looked at every ${formatDuration(watch.rescanSeconds * 1000)}`)
      : warn(
          'watching',
          'off, and no rescans: nothing is noticed by itself',
          'set watch.mode or watch.rescanSeconds',
        );
  }
  if (watch.mode === 'polling') return ok('watching', `polling ${every}`);
  if (remoteKind !== null) {
    return watch.mode === 'auto'
      ? ok('watching', `the file system (${remoteKind}) reports no changes: polling ${every}`)
      : warn(
          'watching',
          `the file system (${remoteKind}) reports no changes of others`,
          'set watch.mode to "auto"',
        );
  }
  if (maxUserWatches === null) return ok('watching', counted(directories, 'folder'));
  if (directories < maxUserWatches)
    return ok('watching', `${directories} of ${maxUserWatches} inotify watches of this user are needed`);
  return warn(
    'watching',
    `${directories} inotify watches are needed, ${maxUserWatches} are allowed: it will poll instead`,
    `sysctl fs.inotify.max_user_watches=${2 * directories}`,
  );
}

export function stateCheck({ stateDir }: Config, { state }: Places): Check {
  if (state.kind === 'missing') return ok('state', `${stateDir} will be created at the first start`);
  if (state.kind === 'unusable')
    return fail('state', `${stateDir}: ${state.why}`, 'give another one with --state-dir');
  if (!state.writable)
    return fail('state', `${stateDir} cannot be written`, 'let the user that runs files-mirror write there');
  return (state.mode & 0o077) === 0
    ? ok('state', stateDir)
    : warn('state', `${stateDir} is open to other users`, `chmod 700 ${stateDir}`);
}

export function manifestCheck(manifest: ManifestView | null, { state }: Places, nowMs: number): Check {
  if (manifest === null) return ok('manifest', 'none yet');
  const bytes = manifest.files.values().reduce((sum, entry) => sum + entry.bytes, 0);
  const recordedAtMs = state.kind === 'there' ? state.recordedAtMs : null;
  const age =
    recordedAtMs === null ? '' : `, recorded ${formatDuration(Math.max(0, nowMs - recordedAtMs))} ago`;
  const unsure =
    manifest.intents.size === 0 ? '' : `, ${counted(manifest.intents.size, 'upload')} of unknown outcome`;
  return ok('manifest', `${counted(manifest.files.size, 'file')}, ${formatBytes(bytes)}${unsure}${age}`);
}

/** More than this makes expiry times and the search for lost uploads unsure. */
const mostSkewMs = 60_000;

/** `serverMs`: null when the server did not say. Its granularity is a second. */
export function clockCheck(serverMs: number | null, nowMs: number): Check {
  if (serverMs === null) return ok('clock', 'the server did not tell its time');
  const skewMs = nowMs - serverMs;
  const amount = formatDuration(Math.abs(skewMs));
  if (Math.abs(skewMs) <= mostSkewMs) return ok('clock', `within ${amount} of the server's`);
  const how = `${amount} ${skewMs > 0 ? 'ahead of' : 'behind'} the server's`;
  return warn('clock', how, 'set the clock of this machine, e.g. with NTP');
}

export function limitsCheck({ limits }: Config): Check {
  const { uploadsPerMinute, uploadBytesPerSecond, storageBytes } = limits;
  return ok(
    'limits',
    [
      uploadsPerMinute === null
        ? 'uploads without a limit'
        : `${counted(uploadsPerMinute, 'upload')} a minute`,
      ...(uploadBytesPerSecond === null ? [] : [`${formatBytes(uploadBytesPerSecond)} a second`]),
      ...(storageBytes === null ? [] : [`${formatBytes(storageBytes)} of storage`]),
    ].join(', '),
  );
}
