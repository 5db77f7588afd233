import type { Disk } from './disk.ts';

/**
 * The content of a file that has its name from us. Null: it is neither a file nor a directory, such as a pipe, which
 * would keep the program waiting for ever. Throws what the disk throws.
 */
export function readRegularFile(disk: Disk, path: string): Buffer | null {
  const stat = disk.statSync(path);
  return stat.isFile() || stat.isDirectory() ? disk.readFileSync(path) : null;
}
