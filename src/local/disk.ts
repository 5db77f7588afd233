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
