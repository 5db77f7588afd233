import { type BigIntStats, constants } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { Fault } from '../contract/faults.ts';
import { folderOf, remoteNameOf } from '../contract/mirror-path.ts';
import type { Clock, LocalTree } from '../contract/ports.ts';
import { statToken } from '../contract/stat-token.ts';
import type { FolderLook, LocalLook, MirrorPath, StatToken } from '../contract/types.ts';
import type { ContentChecks } from './content-check.ts';
import { type Disk, realDisk } from './disk.ts';
import { describeError, errnoOf, isMissing } from './errno.ts';
import { IGNORE_FILE, type IgnoreRules } from './ignore-rules.ts';
import { HashThread } from './hash-thread.ts';
import { type Devices, locate } from './locate.ts';
import type { OpenWriters } from './open-writers.ts';
import { inspectVersion, openVersion } from './read-version.ts';
import { createRootGuard } from './root-guard.ts';
import { scanTree, skipReasonOf } from './scan.ts';
import { createSettler } from './settle.ts';

/** A file that is held open tells nobody when it is closed: it is looked at again after this long, or `settleMs`. */
const MIN_HELD_WAIT_MS = 1000;

export interface LocalTreeOptions {
  /** Absolute. */
  readonly root: string;
  /** How long a file must rest before it is taken. */
  readonly settleMs: number;
  readonly clock: Clock;
  /** First-level folders that are mirrored. */
  readonly folders: readonly string[];
  readonly rules: IgnoreRules;
  readonly openWriters: OpenWriters;
  readonly checks: ContentChecks;
  readonly disk?: Disk;
}

/** The local tree, and what its scans cost, for whoever paces them. */
export interface ScannedTree extends LocalTree {
  /** Milliseconds that the last complete scan of everything took, its readers' time included; 0 before the first. */
  lastScanMs(): number;
}

export function createLocalTree(options: LocalTreeOptions): ScannedTree {
  const { root, clock, folders, rules, checks, disk = realDisk } = options;
  const rootGuard = createRootGuard(root, disk);
  const hashes = new HashThread();
  const look = createLook({ ...options, disk }, () => rootGuard.lookAgain());
  const absolute = (path: MirrorPath): string => `${root}/${path}`;
  let lastScanMs = 0;

  return {
    lookRoot: async (mirrorId) => rootGuard.look(mirrorId),
    markRoot: (mirrorId) => rootGuard.mark(mirrorId),
    lookFolder: async (folder) => lookFolder(disk, root, folder, () => rootGuard.lookAgain().kind !== 'bad'),
    async createFolder(folder) {
      try {
        await mkdir(absolute(folder));
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') return;
        const message = `${folder}: the folder cannot be created: ${describeError(error)}`;
        throw new Fault(message, { disposition: 'retry', outcome: 'refused', rule: 'io', cause: error });
      }
    },
    look,
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
      yield* scanTree({ root, folders, rules, disk }, under, signal);
      if (under === null) lastScanMs = clock.monotonicMs() - startedMs;
    },
    lastScanMs: () => lastScanMs,
    inspect: (path, stat, folderRules, signal) =>
      inspectVersion(
        absolute(path),
        path,
        stat,
        (name, sizeBytes) => checks.createCheck(folderRules, name, sizeBytes),
        hashes,
        signal,
      ),
    precheck: (path, sizeBytes, folderRules) =>
      checks.createCheck(folderRules, remoteNameOf(path), sizeBytes).problem,
    needsFullRead: (folderRules) => checks.needsFullRead(folderRules),
    open: (path, stat) => openVersion(absolute(path), path, stat, hashes),
  };
}

type RootVerdict = ReturnType<ReturnType<typeof createRootGuard>['lookAgain']>;

/** The look of `LocalTree`: what the disk says, then the rules of the mirror from the strictest to the mildest. */
function createLook(
  { root, settleMs, clock, folders, rules, openWriters, disk }: LocalTreeOptions & { readonly disk: Disk },
  lookAtRoot: () => RootVerdict,
): (path: MirrorPath) => Promise<LocalLook> {
  const settler = createSettler(settleMs, clock);

  /** INVARIANT: absence is only concluded after the root was verified, later than the file was not found. */
  function missing(place: Devices): LocalLook {
    const verdict = lookAtRoot();
    if (verdict.kind === 'unmarked') return { kind: 'unknown', reason: `${root} bears no marker` };
    if (verdict.kind === 'bad') return { kind: 'unknown', reason: verdict.reason };
    // RACE: what was looked at and what was verified must be the same file system.
    if (verdict.device !== place.rootDevice)
      return { kind: 'unknown', reason: `${root} was mounted meanwhile` };
    return { kind: 'absent', onDevice: place.onDevice };
  }

  function whyIgnored(path: MirrorPath): string | null {
    const folder = folderOf(path);
    if (folder === path) return 'lies directly in the root (not in a purpose folder)';
    return folders.includes(folder) ? rules.test(path, false) : `${folder} is no configured folder`;
  }

  function whyNoCandidate(path: MirrorPath, stat: BigIntStats): LocalLook | null {
    const rule = whyIgnored(path);
    if (rule !== null) return { kind: 'ignored', rule };
    const skip = skipReasonOf(stat);
    if (skip !== null) return { kind: 'skipped', ...skip };
    const refused = whyUnreadable(disk, `${root}/${path}`);
    return refused === null ? null : { kind: 'skipped', reason: 'unreadable', detail: refused };
  }

  return async function look(path) {
    const place = locate(disk, root, path);
    if (place.kind === 'missing') {
      settler.forget(path);
      return missing(place);
    }
    if (place.kind !== 'there') return place;
    const { stat } = place;
    // A directory in the place of a file: the file is gone. The ignore file is none of the mirror's: a scan tells when
    // it is in trouble, and nothing is left to say when it no longer is.
    if (stat.isDirectory() || path === IGNORE_FILE) {
      settler.forget(path);
      return missing(place);
    }
    const noCandidate = whyNoCandidate(path, stat);
    if (noCandidate !== null) {
      settler.forget(path);
      return noCandidate;
    }
    const token = statToken(stat);
    const unsettled = settler.judge(path, token);
    if (unsettled !== null) return { kind: 'changing', ...unsettled, stat: token };
    const changedAtMs = Math.max(Number(stat.mtimeMs), Number(stat.ctimeMs));
    const answer = openWriters.of(path, changedAtMs);
    const isAnsweredLater = answer instanceof Promise;
    const writer = isAnsweredLater ? await answer : answer;
    if (writer !== null) {
      const why = `held open for writing by pid ${writer.pid} (${writer.name})`;
      return { kind: 'changing', waitMs: Math.max(settleMs, MIN_HELD_WAIT_MS), why, stat: token };
    }
    if (!isAnsweredLater) return { kind: 'file', stat: token, sizeBytes: Number(stat.size) };
    // RACE: the sweep took its time, and the file may have changed during it.
    const now = locate(disk, root, path);
    if (now.kind === 'there' && statToken(now.stat) === token) {
      return { kind: 'file', stat: token, sizeBytes: Number(stat.size) };
    }
    return {
      kind: 'changing',
      waitMs: Math.max(settleMs, 1),
      why: 'changed while being looked at',
      stat: token,
    };
  };
}

function lookFolder(disk: Disk, root: string, folder: string, rootIsThere: () => boolean): FolderLook {
  const place = locate(disk, root, folder);
  if (place.kind === 'missing') {
    return rootIsThere() ? { kind: 'gone' } : { kind: 'unknown', reason: 'the root is not the right one' };
  }
  if (place.kind === 'skipped') return { kind: 'unknown', reason: place.detail };
  if (place.kind === 'unknown') return place;
  if (place.stat.isSymbolicLink()) {
    return { kind: 'unknown', reason: `${folder} is a symbolic link, which is not followed` };
  }
  if (!place.stat.isDirectory()) return { kind: 'unknown', reason: `${folder} is not a directory` };
  try {
    disk.opendirSync(`${root}/${folder}`).closeSync();
    return { kind: 'ok', device: String(place.stat.dev) };
  } catch (error) {
    if (isMissing(error)) return { kind: 'unknown', reason: `${folder} vanished while being looked at` };
    return { kind: 'unknown', reason: `${folder} cannot be listed: ${describeError(error)}` };
  }
}

/** Null: readable. A file that vanished since is not called unreadable; the next step finds out. */
function whyUnreadable(disk: Disk, absolute: string): string | null {
  try {
    disk.accessSync(absolute, constants.R_OK);
    return null;
  } catch (error) {
    return isMissing(error) ? null : describeError(error);
  }
}
