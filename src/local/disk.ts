import fs from 'node:fs';

/**
 * The synchronous file system calls that looking at a tree needs. They are synchronous on purpose: a look at a
 * warm inode costs about a microsecond, while the way through the thread pool costs ten times that.
 * A parameter, so that tests can stand on an in-memory disk or one that fails.
 */
export type Disk = Pick<
  typeof fs,
  'accessSync' | 'lstatSync' | 'opendirSync' | 'readdirSync' | 'readFileSync' | 'statSync'
>;

export const realDisk: Disk = fs;

/**
 * The content of a file that has its name from us. Null: it is neither a file nor a directory, such as a pipe, which
 * would keep the program waiting for ever. Throws what the disk throws.
 */
export function readRegularFile(disk: Disk, path: string): Buffer | null {
  const stat = disk.statSync(path);
  return stat.isFile() || stat.isDirectory() ? disk.readFileSync(path) : null;
}
