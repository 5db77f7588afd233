/** Files of requests on this disk, read without asking anybody: for `check`, and before money is spent. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { BatchIndex } from '../batches/batch-index.ts';
import { dryRun } from '../batches/dry-run.ts';
import { RequestReader } from '../batches/results/request-index.ts';
import type { Config } from '../config/config.ts';
import type { BatchesView, Mirrored, RequestsFile } from '../contract/batch.ts';
import type { DryRun } from '../contract/batch-report.ts';
import { isErrno } from '../contract/errno.ts';
import type { ManifestView, MirrorPath } from '../contract/types.ts';

export { moneyOf } from '../batches/dry-run.ts';

interface Read {
  readonly sha256: string;
  readonly file: RequestsFile;
}

/** Throws what the disk throws. */
export async function readRequestsFile(file: string, signal: AbortSignal): Promise<Read> {
  const reader = new RequestReader();
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(file, { signal })) {
    digest.update(chunk as Buffer);
    reader.write(chunk as Buffer);
  }
  return { sha256: digest.digest('hex'), file: reader.end().file };
}

/** What submitting these as they lie here would come to, mirrored already or not. What cannot be read is left out. */
export async function dryRunOf(
  { root, batches: settings }: Config,
  state: ManifestView & BatchesView,
  paths: readonly MirrorPath[],
  signal: AbortSignal,
): Promise<DryRun> {
  const files = new Map<MirrorPath, Mirrored>();
  const facts = new Map<MirrorPath, RequestsFile>();
  for (const path of paths) {
    const read = await readRequestsFile(join(root, path), signal).catch((error: unknown) => {
      if (!isErrno(error)) throw error;
      return null;
    });
    if (read === null) continue;
    files.set(path, { id: '', purpose: 'batch', sha256: read.sha256 });
    facts.set(path, read.file);
  }
  const readRequests = async (path: MirrorPath): Promise<RequestsFile | null> => facts.get(path) ?? null;
  return await dryRun(paths, { files, index: new BatchIndex(state.batches), readRequests, settings }, signal);
}
