import { open } from 'node:fs/promises';

/** Makes what was written durable: the content of a file, or the names in a folder. Throws what the disk throws. */
export async function sync(path: string): Promise<void> {
  await using handle = await open(path);
  await handle.sync();
}
