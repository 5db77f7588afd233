/** Real mounts for tests of what happens to disks. Linux, and only where mounting is permitted. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why nothing can be mounted here; null: it can. */
export const noMounts: string | null = whyNoMounts();

/** A file system of its own in memory, over an existing folder. */
export function mountTmpfs(folder: string, sizeBytes: number): void {
  run('mount', '-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder);
}

/** The folder `from` as it is, also at `to`; the program sees another device boundary, not another file system. */
export function mountBind(from: string, to: string): void {
  run('mount', '--bind', from, to);
}

/** Makes a mount refuse (or accept) writes: EROFS, even for root. */
export function remount(folder: string, access: 'ro' | 'rw'): void {
  run('mount', '-o', `remount,${access},bind`, folder);
}

/** `lazy`: detached at once, although it may be in use (`umount -l`). */
export function unmount(folder: string, how: 'plain' | 'lazy' = 'plain'): void {
  run('umount', ...(how === 'lazy' ? ['-l'] : []), folder);
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'pipe' });
}

function whyNoMounts(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'mount-'));
  try {
    mountTmpfs(folder, 65_536);
    unmount(folder);
    return null;
  } catch (error) {
    return `mounting is not permitted here (${String(error).split('\n')[0]})`;
  } finally {
    rmdirSync(folder);
  }
}
