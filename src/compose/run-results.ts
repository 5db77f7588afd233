/** The end of `batch run`: its results to where they are wanted, and what it made remotely away. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { madeBy } from '../batches/in-use.ts';
import type { BatchSummary } from '../batches/results/batch-summary.ts';
import type { BatchesView } from '../contract/batch.ts';
import { errnoOf, isWithoutLinks } from '../contract/errno.ts';
import { survivable } from '../contract/faults.ts';
import { sync } from './sync.ts';
import type { FileId, ManifestView } from '../contract/types.ts';
import type { FilesClient } from '../remote/files-client.ts';
import { systemClock } from '../service/system-clock.ts';

/** What the results say of themselves. */
export async function readSummary(file: string): Promise<BatchSummary> {
  // Written by this very program, whole.
  return JSON.parse(await readFile(file, 'utf8')) as BatchSummary;
}

/**
 * Copies a result to its place: whole, or not at all. `foreign`: something else lies there, and nothing was done.
 * `like`: whose rights it gets, if that is still there. Throws what the disk throws.
 */
export async function deliver(
  from: string,
  to: string,
  { replace, like }: { readonly replace: boolean; readonly like: string },
): Promise<'written' | 'foreign'> {
  const aside = join(dirname(to), `.${basename(to)}.files-mirror.tmp`);
  try {
    await copyFile(from, aside);
    const { mode } = await stat(like).catch(() => ({ mode: 0o600 }));
    await chmod(aside, mode & 0o666);
    await sync(aside);
    if (replace) await rename(aside, to);
    else if (!(await named(aside, to))) return (await isSame(from, to)) ? 'written' : 'foreign';
    await sync(dirname(to));
    return 'written';
  } finally {
    await rm(aside, { force: true });
  }
}

/** False: there is something of this name. */
async function named(aside: string, to: string): Promise<boolean> {
  try {
    await link(aside, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    if (!isWithoutLinks(error)) throw error;
    // A file system without hard links.
    const existing = await open(to).catch(() => null);
    await existing?.close();
    if (existing !== null) return false;
    await rename(aside, to);
    return true;
  }
}

async function isSame(left: string, right: string): Promise<boolean> {
  return (await digestOf(left)) === (await digestOf(right));
}

async function digestOf(file: string): Promise<string> {
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(file)) digest.update(chunk as Buffer);
  return digest.digest('hex');
}

export interface NotDeleted {
  readonly id: FileId;
  readonly why: string;
}

const TRIES = 3;
const PAUSE_MS = 1_000;

/** Deletes every remote file that this mirror made. Throws only the signal's reason. */
export async function deleteMade(
  state: ManifestView & BatchesView,
  api: Pick<FilesClient, 'delete'>,
  signal: AbortSignal,
): Promise<readonly NotDeleted[]> {
  const left: NotDeleted[] = [...guessedIn(state)];
  for (const id of madeIn(state)) {
    const why = await deleted(id, api, signal);
    if (why !== null) left.push({ id, why });
  }
  return left;
}

function madeIn({ files, garbage, batches }: ManifestView & BatchesView): ReadonlySet<FileId> {
  const ids = new Set<FileId>([...files.values()].map(({ id }) => id));
  for (const id of garbage.keys()) ids.add(id);
  for (const record of batches.values()) {
    ids.add(record.inputFileId);
    if (record.foundBy !== 'input') for (const { id } of madeBy(record)) ids.add(id);
  }
  return ids;
}

/** Of a batch that may be another's, nothing is deleted. */
function guessedIn({ batches }: BatchesView): readonly NotDeleted[] {
  const guessed = [...batches.values()].filter(({ foundBy }) => foundBy === 'input');
  const why = 'that its batch is ours is only known by its input';
  return guessed.flatMap((record) => madeBy(record).map(({ id }) => ({ id, why })));
}

/** Null: it is gone. */
async function deleted(
  id: FileId,
  api: Pick<FilesClient, 'delete'>,
  signal: AbortSignal,
): Promise<string | null> {
  for (let tried = 1; ; tried += 1) {
    try {
      await api.delete(id, signal);
      return null;
    } catch (error) {
      signal.throwIfAborted();
      const { disposition, message, retryAfterMs } = survivable(error);
      if (disposition !== 'retry' || tried === TRIES) return message;
      await systemClock.sleep(Math.min(retryAfterMs ?? PAUSE_MS, 10_000), signal);
    }
  }
}
