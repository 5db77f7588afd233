import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes a test's folder, even if the test took the permissions away that removing needs. */
export async function removeFolder(folder: string): Promise<void> {
  await makeListable(folder);
  await rm(folder, { recursive: true, force: true });
}

async function makeListable(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeListable(join(folder, entry.name));
  }
}
