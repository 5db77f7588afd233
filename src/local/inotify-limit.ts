import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { MirrorPath } from '../contract/types.ts';
import { errnoOf } from '../contract/errno.ts';
import type { IgnoreRules } from './ignore-rules.ts';

const SLICE_MS = 8;

/** Why native watching is beyond what the system allows, with the remedy; null when the error says something else. */
export async function explainLimit(
  error: unknown,
  root: string,
  folders: readonly string[],
  rules: IgnoreRules,
): Promise<string | null> {
  const code = errnoOf(error);
  if (code === 'ENOSPC') {
    const needed = await countDirectories(root, folders, rules);
    return (
      `inotify watches are exhausted: fs.inotify.max_user_watches is ${readLimit('max_user_watches')} for all programs ` +
      `of this user, and this mirror needs ${needed}; raise it with \`sysctl fs.inotify.max_user_watches=N\` and restart`
    );
  }
  if (code === 'EMFILE' || code === 'ENFILE') {
    return (
      `no inotify instance or file descriptor is left: fs.inotify.max_user_instances is ` +
      `${readLimit('max_user_instances')} for all programs of this user; raise it, or \`ulimit -n\`, and restart`
    );
  }
  return null;
}

function readLimit(name: string): string {
  try {
    return readFileSync(`/proc/sys/fs/inotify/${name}`, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** `fs.inotify.max_user_watches`; null where there is no inotify. */
export function watchLimit(): number | null {
  const limit = Number(readLimit('max_user_watches'));
  return Number.isInteger(limit) ? limit : null;
}

/** How many directories are to be watched, the root included. */
export async function countDirectories(
  root: string,
  folders: readonly string[],
  rules: IgnoreRules,
): Promise<number> {
  let count = 1;
  let sliceEndsAt = performance.now() + SLICE_MS;
  const pending: MirrorPath[] = [...folders];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const entries = listDirectory(`${root}/${path}`);
    if (entries === null) continue;
    count += 1;
    for (const entry of entries) {
      const child = `${path}/${entry.name}`;
      if (entry.isDirectory() && rules.test(child, true) === null) pending.push(child);
    }
    if (performance.now() < sliceEndsAt) continue;
    await setImmediate();
    sliceEndsAt = performance.now() + SLICE_MS;
  }
  return count;
}

function listDirectory(directory: string): readonly Dirent[] | null {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return null;
  }
}
