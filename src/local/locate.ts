import type { BigIntStats } from 'node:fs';
import type { MirrorPath, SkipReason } from '../contract/types.ts';
import type { Disk } from './disk.ts';
import { describeError, errnoOf } from '../contract/errno.ts';
import { listDoubtfulNames, mayBePrintable } from './undecodable-name.ts';

/** Device numbers as they were for this look: of the root, and of the nearest existing directory above the path. */
export interface Devices {
  readonly rootDevice: string;
  readonly onDevice: string;
}

/** What the file system says about a path, before any rule of the mirror is applied. */
export type Place =
  | ({ readonly kind: 'there'; readonly stat: BigIntStats } & Devices)
  | ({ readonly kind: 'missing' } & Devices)
  | { readonly kind: 'skipped'; readonly reason: SkipReason; readonly detail: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/**
 * Finds the path part by part without following links below the root. Each directory on the way is looked at by
 * itself, since one that cannot be passed through and one that is not there must not be mistaken for each other.
 */
export function locate(disk: Disk, root: string, path: MirrorPath): Place {
  const parts = path.split('/');
  if (path.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    return { kind: 'skipped', reason: 'name', detail: 'not a path of a file below the root' };
  }
  try {
    // The root itself may be a link: which one it is, its marker tells.
    const rootDevice = String(disk.statSync(root, { bigint: true }).dev);
    return descend(disk, root, parts, rootDevice);
  } catch (error) {
    if (errnoOf(error) === 'ENAMETOOLONG') {
      return { kind: 'skipped', reason: 'name', detail: 'the path is longer than the system allows' };
    }
    return { kind: 'unknown', reason: `cannot be looked at: ${describeError(error)}` };
  }
}

function descend(disk: Disk, root: string, parts: readonly string[], rootDevice: string): Place {
  let directory = root;
  let onDevice = rootDevice;
  for (const [index, part] of parts.entries()) {
    const absolute = `${directory}/${part}`;
    const stat = disk.lstatSync(absolute, { bigint: true, throwIfNoEntry: false });
    const isLast = index === parts.length - 1;
    if (stat === undefined) {
      if (mayBePrintable(part) && listDoubtfulNames(disk, directory).undecodable.includes(part)) {
        return { kind: 'skipped', reason: 'not-utf8', detail: 'the name is not UTF-8' };
      }
      return { kind: 'missing', rootDevice, onDevice };
    }
    if (isLast) return { kind: 'there', stat, rootDevice, onDevice };
    if (stat.isSymbolicLink()) {
      const link = parts.slice(0, index + 1).join('/');
      return {
        kind: 'skipped',
        reason: 'symlink',
        detail: `${link} above it is a symbolic link, which is not followed`,
      };
    }
    if (!stat.isDirectory()) return { kind: 'missing', rootDevice, onDevice };
    directory = absolute;
    onDevice = String(stat.dev);
  }
  throw new TypeError('a path has at least one part');
}
