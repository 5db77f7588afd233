import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Environment } from '../config/config.ts';
import type { ConfigFlags, LoadedConfig } from '../config/load.ts';
import { shellWord, type Invocation } from '../contract/command.ts';

/** What decides how this process was called. */
interface Called {
  readonly flags: ConfigFlags;
  readonly env: Environment;
  readonly cwd: string;
  /** Null: it cannot be read. */
  readonly loaded: LoadedConfig | null;
  /** Null: it has no name. */
  readonly user?: string | null;
}

/**
 * How a command that is printed is to be written. In a shell: as this one was, since it has the same folder and
 * environment. In a service: for a shell that has neither, so its user, the configuration and the state folder are
 * named in full.
 */
export function invocationOf({ flags, env, cwd, loaded, user = userName() }: Called): Invocation {
  if (!isService(env)) return { program: programOf(env), options: optionsText({ ...flags }) };
  const file = loaded?.file ?? (flags.config === undefined ? undefined : resolve(cwd, flags.config));
  const root = loaded?.config.root ?? (flags.root === undefined ? undefined : resolve(cwd, flags.root));
  const isRootElsewhere = file === undefined || flags.root !== undefined || Boolean(env['FILES_MIRROR_ROOT']);
  const options = {
    config: file,
    root: isRootElsewhere ? root : undefined,
    stateDir: loaded?.config.stateDir ?? env['STATE_DIRECTORY'],
  };
  const program = user === null ? 'files-mirror' : `sudo -u ${shellWord(user)} files-mirror`;
  return { program, options: optionsText(options) };
}

/** A service manager that is to be told how this process is, or that gave it a state folder, has started it. */
export function isService(env: Called['env']): boolean {
  return Boolean(env['NOTIFY_SOCKET']) || Boolean(env['STATE_DIRECTORY']);
}

/** A checkout whose program is not installed is called by npm's scripts. */
function programOf(env: Called['env']): string {
  const script = env['npm_package_name'] === 'files-mirror' ? env['npm_lifecycle_event'] : undefined;
  return script === 'start' || script === 'mirror' ? 'npm run -s mirror --' : 'files-mirror';
}

function optionsText({ config, root, stateDir }: ConfigFlags): string {
  return Object.entries({ config, root, 'state-dir': stateDir })
    .map(([name, value]) => (value === undefined ? '' : ` --${name} ${shellWord(value)}`))
    .join('');
}

function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}
