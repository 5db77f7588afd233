import type { z } from 'zod';
import type { Fault } from '../contract/faults.ts';
import { jsonOrNull } from '../contract/json.ts';
import { unusable } from './manifest-fault.ts';
import type { StateFiles } from './state-files.ts';

/** The whole content of a small file; null when there is none. Throws the system's error. */
async function readWhole(files: StateFiles, name: string): Promise<Buffer | null> {
  const file = await files.open(name, 'read');
  if (file === null) return null;
  try {
    const content = Buffer.alloc((await file.info()).sizeBytes);
    return content.subarray(0, await file.read(content, 0));
  } finally {
    await file.close();
  }
}

/** Durable when it resolves: a power cut leaves the old content or the new one. Throws the system's error. */
export async function replaceWhole(files: StateFiles, name: string, content: Uint8Array): Promise<void> {
  const partial = `${name}.tmp`;
  const file = await files.open(partial, 'create');
  try {
    await file?.write(content, 0);
    await file?.sync();
  } finally {
    await file?.close();
  }
  await files.rename(partial, name);
  await files.syncDirectory();
}

/**
 * What a small file of ours says; null when there is none. Throws `Fault`: (`manifest`) when it cannot be read, and what
 * `unclear` gives when it does not say what it should.
 */
export async function readJson<T>(
  files: StateFiles,
  name: string,
  schema: z.ZodType<T>,
  unclear: (filePath: string) => Fault,
): Promise<T | null> {
  const filePath = files.pathOf(name);
  const content = await readWhole(files, name).catch(unusable(filePath));
  if (content === null) return null;
  const parsed = schema.safeParse(jsonOrNull(content.toString('utf8')));
  if (parsed.success) return parsed.data;
  throw unclear(filePath);
}
