import type { StateFiles } from './state-files.ts';

/** The whole content of a small file; null when there is none. Throws the system's error. */
export async function readWhole(files: StateFiles, name: string): Promise<Buffer | null> {
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

/** Null when it is no JSON: what a file of ours should hold is for its schema to say. */
export function jsonOrNull(content: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(content).toString('utf8'));
  } catch {
    return null;
  }
}
