import { statfsSync } from 'node:fs';

/**
 * File systems whose changes may be made elsewhere, so that this kernel reports none.
 * Magic numbers: linux/magic.h and statfs(2).
 */
const REMOTE_KINDS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'nfs'],
  [0x517b, 'smb'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0x00c36400, 'ceph'],
  [0x5346414f, 'afs'],
  [0x73757245, 'coda'],
  [0x0bd00bd0, 'lustre'],
  [0x01161970, 'gfs2'],
  [0x786f4256, 'vboxsf'],
]);

/** The name of the file system kind with this magic number if it is a remote one, else null. */
function remoteKindOf(magic: number): string | null {
  return REMOTE_KINDS.get(magic >>> 0) ?? null;
}

/** The first remote file system among those that hold these directories; null if none does. Missing ones are passed over. */
export function remoteKindAmong(directories: readonly string[]): string | null {
  for (const directory of directories) {
    try {
      const kind = remoteKindOf(statfsSync(directory).type);
      if (kind !== null) return kind;
    } catch {
      // Not there (yet), or not to be asked: nothing to say about it.
    }
  }
  return null;
}
