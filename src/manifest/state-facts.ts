import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { journalName, snapshotName } from './load-manifest.ts';
import { isErrno } from '../contract/errno.ts';

/** What can be found out about a state folder without changing anything. */
export type StateFacts =
  | { readonly kind: 'missing' }
  /** It is no folder, or cannot be looked at. */
  | { readonly kind: 'unusable'; readonly why: string }
  | {
      readonly kind: 'there';
      readonly writable: boolean;
      /** Permission bits, e.g. 0o700. */
      readonly mode: number;
      /** When something was last recorded, unix milliseconds; null when there is no manifest yet. */
      readonly recordedAtMs: number | null;
    };

export async function stateFacts(stateDir: string): Promise<StateFacts> {
  try {
    const folder = await stat(stateDir);
    if (!folder.isDirectory()) return { kind: 'unusable', why: 'it is not a folder' };
    const times = await Promise.all(
      [snapshotName, journalName].map((name) => changedAtMs(join(stateDir, name))),
    );
    const recordedAtMs = Math.max(...times);
    return {
      kind: 'there',
      mode: folder.mode & 0o777,
      writable: await access(stateDir, constants.W_OK | constants.X_OK).then(
        () => true,
        () => false,
      ),
      recordedAtMs: recordedAtMs === Number.NEGATIVE_INFINITY ? null : recordedAtMs,
    };
  } catch (error) {
    if (!isErrno(error)) throw error;
    return error.code === 'ENOENT' ? { kind: 'missing' } : { kind: 'unusable', why: `${error.code}` };
  }
}

async function changedAtMs(file: string): Promise<number> {
  return await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => Number.NEGATIVE_INFINITY,
  );
}
