import type { StatToken } from './types.ts';

/** The parts of a stat token that rules are written about. */
export interface StatParts {
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: string;
  readonly device: string;
}

/** Shape of `fs.BigIntStats` that a token is made from. */
export interface StatSource {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
}

export function statToken(stat: StatSource): StatToken {
  return `${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.ino} ${stat.dev}`;
}

/** Throws `TypeError` when the string is no stat token. */
export function parseStatToken(token: StatToken): StatParts {
  const parts = token.split(' ');
  const [size, mtimeNs, ctimeNs, inode, device] = parts;
  if (
    parts.length !== 5 ||
    size === undefined ||
    mtimeNs === undefined ||
    ctimeNs === undefined ||
    inode === undefined ||
    device === undefined
  ) {
    throw new TypeError(`not a stat token: ${JSON.stringify(token)}`);
  }
  return { sizeBytes: Number(size), mtimeNs: BigInt(mtimeNs), ctimeNs: BigInt(ctimeNs), inode, device };
}

/**
 * The quick check of the decision table: size, mtime, ctime and inode. The device is left out, because device
 * numbers change over a reboot or a remount while the file does not.
 */
export function sameVersionByStat(a: StatToken, b: StatToken): boolean {
  return a === b || withoutDevice(a) === withoutDevice(b);
}

/** What a rename keeps: inode, device, size and mtime (a rename changes the ctime). */
export function identityKey(token: StatToken): string {
  const [size, mtimeNs, , inode, device] = token.split(' ');
  return `${device} ${inode} ${size} ${mtimeNs}`;
}

/** Inode and device: which file it is, whatever its content. */
export function fileOf(token: StatToken): string {
  let at = -1;
  for (let part = 0; part < 3; part += 1) at = token.indexOf(' ', at + 1);
  return token.slice(at + 1);
}

export function deviceOf(token: StatToken): string {
  return token.slice(token.lastIndexOf(' ') + 1);
}

export function sizeOf(token: StatToken): number {
  return Number(token.slice(0, token.indexOf(' ')));
}

function withoutDevice(token: StatToken): string {
  return token.slice(0, token.lastIndexOf(' '));
}
