import { constants } from 'node:fs';
import { access, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { describeError, isMissing } from '../contract/errno.ts';

/** Why the results folder would take no files; null: it does, or it will be made. Writes nothing. */
export async function whyNoResults({ root, batches }: Config): Promise<string | null> {
  const folder = join(root, batches.resultsFolder);
  try {
    const found = await lstat(folder);
    if (found.isSymbolicLink()) return `${folder} is a link, which is not followed`;
    if (!found.isDirectory()) return `${folder} is a file`;
    await access(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    if (!isMissing(error)) return `${folder}: ${describeError(error)}`;
  }
  try {
    await access(root, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return `${folder} is not there, and cannot be made: ${describeError(error)}`;
  }
}
