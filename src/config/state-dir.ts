import { createHash } from 'node:crypto';
import { isAbsolute, join } from 'node:path';
import type { Environment } from './config.ts';
import { isInside, realPathOf } from './inside.ts';
import type { Problem } from './problems.ts';

/**
 * Where the manifest lives unless configured: systemd's `$STATE_DIRECTORY` (the first, when there are more), else
 * `$XDG_STATE_HOME/files-mirror/<hash of root>`. The hash is of the path as written, since a root that is not
 * mounted must still find its state.
 */
export function defaultStateDir(root: string, env: Environment, homeDir: string): string {
  return fromSystemd(env) ?? join(ownStateHome(env, homeDir), shortHash(root));
}

/** Where `batch run FILE` keeps what it needs to go on, whatever folder it is called in. `file`: absolute. */
export function runDirectory(file: string, env: Environment, homeDir: string): string {
  return join(fromSystemd(env) ?? ownStateHome(env, homeDir), 'runs', shortHash(file));
}

function fromSystemd(env: Environment): string | null {
  const first = env['STATE_DIRECTORY']?.split(':')[0];
  return first !== undefined && isAbsolute(first) ? first : null;
}

function ownStateHome(env: Environment, homeDir: string): string {
  const fromXdg = env['XDG_STATE_HOME'];
  // The specification says that a relative path is to be ignored.
  const stateHome = fromXdg !== undefined && isAbsolute(fromXdg) ? fromXdg : join(homeDir, '.local', 'state');
  return join(stateHome, 'files-mirror');
}

function shortHash(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 16);
}

/** Our own writes must never look like changes of the mirrored folder, nor the other way round. */
export function stateDirProblems(root: string, stateDir: string): readonly Problem[] {
  const realRoot = realPathOf(root);
  const realStateDir = realPathOf(stateDir);
  if (isInside(stateDir, root) || isInside(realStateDir, realRoot)) {
    const message = `${stateDir} lies inside the root ${root}; the state belongs elsewhere`;
    return [{ path: ['stateDir'], message }];
  }
  if (!isInside(realRoot, realStateDir)) return [];
  const message = `${root} lies inside the state folder ${stateDir}; the files belong elsewhere`;
  return [{ path: ['root'], message }];
}
