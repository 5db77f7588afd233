import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { skipFault } from '../contract/faults.ts';
import type { FolderRules } from '../contract/types.ts';
import { createDetailedCheck, type Report } from './checks.ts';

const CHUNK_BYTES = 256 * 1024;

export interface FileReport extends Report {
  readonly sizeBytes: number;
}

/**
 * Checks a file on disk against the rules of a purpose folder, all findings included, one line in memory at a
 * time. Throws what the disk throws (`ENOENT`, `EACCES`), `Fault` when it is no regular file, and the
 * signal's reason.
 */
export async function checkFile(
  filePath: string,
  rules: FolderRules,
  signal: AbortSignal,
): Promise<FileReport> {
  signal.throwIfAborted();
  // Not blocking: the name may be that of a pipe.
  await using file = await open(filePath, constants.O_RDONLY | constants.O_NONBLOCK);
  const stat = await file.stat();
  if (!stat.isFile()) throw skipFault('special', `${filePath}: not a regular file`);
  const sizeBytes = stat.size;
  const check = createDetailedCheck(rules, basename(filePath), sizeBytes);
  if (check.problem === null) {
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      signal.throwIfAborted();
      if (bytesRead === 0) break;
      check.write(buffer.subarray(0, bytesRead));
    }
  }
  return { ...check.end(), sizeBytes };
}
