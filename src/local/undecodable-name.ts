import { isUtf8 } from 'node:buffer';
import type { Disk } from './disk.ts';

/** What Node puts in the place of bytes that are no UTF-8. A valid name may contain it, too. */
const REPLACEMENT = '\uFFFD';

const ESCAPED_BYTE = /\\x[0-9A-F]{2}/;

/** True when a decoded name may hide bytes that are no UTF-8, so that only the raw listing can tell. */
export function mayBeUndecodable(name: string): boolean {
  return name.includes(REPLACEMENT);
}

/** True when a name looks like one that `printableName` made. */
export function mayBePrintable(name: string): boolean {
  return ESCAPED_BYTE.test(name);
}

/**
 * A name that is no UTF-8, made printable: bytes outside printable ASCII become `\xNN`, a backslash is doubled.
 * Different names stay different.
 */
function printableName(bytes: Uint8Array): string {
  let name = '';
  for (const byte of bytes) {
    if (byte === 0x5c) name += '\\\\';
    else if (byte >= 0x20 && byte < 0x7f) name += String.fromCharCode(byte);
    else name += `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return name;
}

export interface RawListing {
  /** Valid names that contain U+FFFD themselves. */
  readonly decodable: readonly string[];
  /** Names that are no UTF-8, made printable. */
  readonly undecodable: readonly string[];
}

/** Lists a directory by bytes and returns only the names that a decoded listing cannot be trusted with. */
export function listDoubtfulNames(disk: Disk, directory: string): RawListing {
  const decodable: string[] = [];
  const undecodable: string[] = [];
  for (const bytes of disk.readdirSync(directory, { encoding: 'buffer' })) {
    if (!isUtf8(bytes)) undecodable.push(printableName(bytes));
    else if (mayBeUndecodable(bytes.toString())) decodable.push(bytes.toString());
  }
  return { decodable, undecodable };
}
