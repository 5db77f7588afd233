import * as z from 'zod';
import { fatalFault, type Fault } from '../contract/faults.ts';
import { NO_MEMORY } from '../contract/types.ts';
import type { Memory, Turnover } from '../contract/types.ts';
import { stateFilesIn } from './state-files.ts';
import type { StateFiles } from './state-files.ts';
import { readJson, replaceWhole } from './whole-file.ts';

/** Lies next to the manifest, whose format stays as it is: a program that does not know it loses nothing but the memory. */
export const memoryName = 'memory.json';

const seconds = z.number().nonnegative();

const turnover = z.object({
  at: seconds,
  net: z.int(),
  most: z.int().nonnegative(),
}) satisfies z.ZodType<Turnover>;

/** Not strict: what a newer version adds is not lost on this one. */
const memorySchema = z.object({
  version: z.literal(1),
  letGo: z.record(z.string(), z.array(turnover)).default({}),
  lastVerifyAt: seconds.nullable().default(null),
  verifyCountsFrom: seconds.nullable().default(null),
});

/** What an earlier run remembered besides the manifest. Throws `Fault` (`manifest`, fatal) when it cannot be read. */
export async function readMemory(
  stateDir: string,
  files: StateFiles = stateFilesIn(stateDir),
): Promise<Memory> {
  const found = await readJson(files, memoryName, memorySchema, unreadable);
  if (found === null) return NO_MEMORY;
  const { letGo, lastVerifyAt, verifyCountsFrom } = found;
  return { letGo, lastVerifyAt, verifyCountsFrom };
}

/** Throws the system's error; the memory before stays then. */
export async function writeMemory(files: StateFiles, memory: Memory): Promise<void> {
  await replaceWhole(files, memoryName, Buffer.from(`${JSON.stringify({ version: 1, ...memory })}\n`));
}

function unreadable(filePath: string): Fault {
  return fatalFault(
    'manifest',
    `${filePath} is damaged; nothing was changed or sent. It holds how many deletes were let go in the last hour, and when the remote was last compared: remove it to begin both anew`,
  );
}
