/** The disk: everything that is known about files below the root. Knows no ids, no API and no manifest. */
import { mkdir } from 'node:fs/promises';
import type { ContentChecks } from '../contract/content-check.ts';
import { retryFault } from '../contract/faults.ts';
import { remoteNameOf } from '../contract/mirror-path.ts';
import type { LocalTree } from '../contract/ports.ts';
import { statToken } from '../contract/stat-token.ts';
import type { MirrorPath, StatToken } from '../contract/types.ts';
import { type Disk, realDisk } from './disk.ts';
import { describeError, errnoOf } from '../contract/errno.ts';
import { HashThread } from './hash-thread.ts';
import { IGNORE_FILE } from './ignore-rules.ts';
import { locate } from './locate.ts';
import { type LookOptions, Looks } from './look.ts';
import { inspectVersion, openVersion } from './read-version.ts';
import { RootGuard } from './root-guard.ts';
import { scanTree } from './scan.ts';

export interface LocalTreeOptions extends Omit<LookOptions, 'disk' | 'lookAtRoot'> {
  readonly checks: ContentChecks;
  /** A first-level folder that is the program's own, and passed over in silence. */
  readonly ownFolder?: string;
  readonly disk?: Disk;
}

/** The local tree, and what its scans cost, for whoever paces them. */
export interface ScannedTree extends LocalTree {
  /** Milliseconds that the last complete scan of everything took, its readers' time included; 0 before the first. */
  lastScanMs(): number;
}

export function createLocalTree(options: LocalTreeOptions): ScannedTree {
  const { root, clock, folders, ownFolder, rules, checks, disk = realDisk } = options;
  const rootGuard = new RootGuard(root, disk);
  const hashes = new HashThread();
  const looks = new Looks({ ...options, disk, lookAtRoot: () => rootGuard.lookAgain() });
  const version = (path: MirrorPath, stat: StatToken) => ({ absolute: `${root}/${path}`, path, stat });
  let lastScanMs = 0;

  return {
    lookRoot: async (mirrorId) => rootGuard.look(mirrorId),
    markRoot: (mirrorId) => rootGuard.mark(mirrorId),
    lookFolder: async (folder) => looks.folder(folder),
    createFolder: (folder) => createFolder(root, folder),
    look: (path) => looks.at(path),
    async statOf(path): Promise<StatToken | null> {
      const place = locate(disk, root, path);
      return place.kind === 'there' && place.stat.isFile() ? statToken(place.stat) : null;
    },
    async *scan(under, signal) {
      // RACE: an ignore file that is gone because its disk is, is not an empty one.
      if (rootGuard.isMarked()) rules.reload();
      const startedMs = clock.monotonicMs();
      const detail = rules.trouble();
      if (under === null && detail !== null)
        yield [{ kind: 'skipped', path: IGNORE_FILE, reason: 'unreadable', detail }];
      const own = ownFolder === undefined ? {} : { ownFolder };
      yield* scanTree({ root, folders, ...own, rules, disk }, under, signal);
      if (under === null) lastScanMs = clock.monotonicMs() - startedMs;
    },
    lastScanMs: () => lastScanMs,
    inspect(path, stat, folderRules, signal) {
      const createCheck = (name: string, sizeBytes: number) =>
        checks.createCheck(folderRules, name, sizeBytes);
      return inspectVersion(version(path, stat), createCheck, hashes, signal);
    },
    precheck: (path, sizeBytes, folderRules) =>
      checks.createCheck(folderRules, remoteNameOf(path), sizeBytes).problem,
    needsFullRead: (folderRules) => checks.needsFullRead(folderRules),
    open: (path, stat) => openVersion(version(path, stat), hashes),
  };
}

async function createFolder(root: string, folder: string): Promise<void> {
  try {
    await mkdir(`${root}/${folder}`);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    const message = `${folder}: the folder cannot be created: ${describeError(error)}`;
    throw retryFault('io', message, error);
  }
}
