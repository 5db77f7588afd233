import { constants, type BigIntStats } from 'node:fs';
import { folderOf } from '../contract/mirror-path.ts';
import type { Clock } from '../contract/ports.ts';
import { statToken } from '../contract/stat-token.ts';
import type { FolderLook, LocalLook, MirrorPath, RootLook, StatToken } from '../contract/types.ts';
import type { Disk } from './disk.ts';
import { describeError, isMissing } from '../contract/errno.ts';
import { IGNORE_FILE, type IgnoreRules } from './ignore-rules.ts';
import { type Devices, locate } from './locate.ts';
import type { OpenWriters } from './open-writers.ts';
import { skipReasonOf } from './scan.ts';
import { Settler } from './settle.ts';

/** A file that is held open tells nobody when it is closed: it is looked at again after this long, or `settleMs`. */
const MIN_HELD_WAIT_MS = 1000;

export interface LookOptions {
  /** Absolute. */
  readonly root: string;
  /** How long a file must rest before it is taken. */
  readonly settleMs: number;
  readonly clock: Clock;
  /** First-level folders that are mirrored. */
  readonly folders: readonly string[];
  readonly rules: IgnoreRules;
  readonly openWriters: OpenWriters;
  readonly disk: Disk;
  readonly lookAtRoot: () => RootLook;
}

/** The looks of `LocalTree`: what the disk says, then the rules of the mirror from the strictest to the mildest. */
export class Looks {
  readonly #options: LookOptions;
  readonly #settler: Settler;

  constructor(options: LookOptions) {
    this.#options = options;
    this.#settler = new Settler(options.settleMs, options.clock);
  }

  async at(path: MirrorPath): Promise<LocalLook> {
    const { disk, root } = this.#options;
    const place = locate(disk, root, path);
    if (place.kind === 'skipped' || place.kind === 'unknown') return place;
    if (place.kind === 'there' && !isNoFile(place.stat, path))
      return await this.#lookAtFile(path, place.stat);
    this.#settler.forget(path);
    return this.#missing(place);
  }

  folder(folder: string): FolderLook {
    const { disk, root } = this.#options;
    const place = locate(disk, root, folder);
    if (place.kind === 'missing') {
      const isRight = this.#options.lookAtRoot().kind !== 'bad';
      return isRight ? { kind: 'gone' } : { kind: 'unknown', reason: 'the root is not the right one' };
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

  /** INVARIANT: absence is only concluded after the root was verified, later than the file was not found. */
  #missing(place: Devices): LocalLook {
    const { root } = this.#options;
    const verdict = this.#options.lookAtRoot();
    if (verdict.kind === 'unmarked') return { kind: 'unknown', reason: `${root} bears no marker` };
    if (verdict.kind === 'bad') return { kind: 'unknown', reason: verdict.reason };
    // RACE: what was looked at and what was verified must be the same file system.
    if (verdict.device !== place.rootDevice)
      return { kind: 'unknown', reason: `${root} was mounted meanwhile` };
    return { kind: 'absent', onDevice: place.onDevice };
  }

  async #lookAtFile(path: MirrorPath, stat: BigIntStats): Promise<LocalLook> {
    const noCandidate = this.#whyNoCandidate(path, stat);
    if (noCandidate !== null) {
      this.#settler.forget(path);
      return noCandidate;
    }
    const token = statToken(stat);
    const unsettled = this.#settler.judge(path, token);
    if (unsettled !== null) return { kind: 'changing', ...unsettled, stat: token };
    const { openWriters, settleMs } = this.#options;
    const changedAtMs = Math.max(Number(stat.mtimeMs), Number(stat.ctimeMs));
    const answer = openWriters.of(path, changedAtMs);
    const isAnsweredLater = answer instanceof Promise;
    const writer = isAnsweredLater ? await answer : answer;
    if (writer !== null) {
      const why = `held open for writing by pid ${writer.pid} (${writer.name})`;
      return { kind: 'changing', waitMs: Math.max(settleMs, MIN_HELD_WAIT_MS), why, stat: token };
    }
    // RACE: the sweep took its time, and the file may have changed during it.
    if (!isAnsweredLater || this.#isStill(path, token))
      return { kind: 'file', stat: token, sizeBytes: Number(stat.size) };
    const why = 'changed while being looked at';
    return { kind: 'changing', waitMs: Math.max(settleMs, 1), why, stat: token };
  }

  #whyNoCandidate(path: MirrorPath, stat: BigIntStats): LocalLook | null {
    const rule = this.#whyIgnored(path);
    if (rule !== null) return { kind: 'ignored', rule };
    const skip = skipReasonOf(stat);
    if (skip !== null) return { kind: 'skipped', ...skip };
    const refused = whyUnreadable(this.#options.disk, `${this.#options.root}/${path}`);
    return refused === null ? null : { kind: 'skipped', reason: 'unreadable', detail: refused };
  }

  #whyIgnored(path: MirrorPath): string | null {
    const { folders, rules } = this.#options;
    const folder = folderOf(path);
    if (folder === path) return 'lies directly in the root (not in a purpose folder)';
    return folders.includes(folder) ? rules.test(path, false) : `${folder} is no configured folder`;
  }

  #isStill(path: MirrorPath, token: StatToken): boolean {
    const now = locate(this.#options.disk, this.#options.root, path);
    return now.kind === 'there' && statToken(now.stat) === token;
  }
}

/**
 * A directory in the place of a file: the file is gone. The ignore file is none of the mirror's: a scan tells when it is
 * in trouble, and nothing is left to say when it no longer is.
 */
function isNoFile(stat: BigIntStats, path: MirrorPath): boolean {
  return stat.isDirectory() || path === IGNORE_FILE;
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
