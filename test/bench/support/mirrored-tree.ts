/** A tree that is mirrored already: the files on disk, the root's marker, and a manifest that knows them all. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createIgnoreRules } from '../../../src/local/ignore-rules.ts';
import { MARKER_FILE, readMirrorId, RootGuard } from '../../../src/local/root-guard.ts';
import { scanTree } from '../../../src/local/scan.ts';
import { openManifest } from '../../../src/manifest/manifest-store.ts';
import { remoteNameOf } from '../../../src/contract/mirror-path.ts';
import { sizeOf } from '../../../src/contract/stat-token.ts';
import type { Entry, MirrorPath, ScanItem } from '../../../src/contract/types.ts';
import { systemClock } from '../../../src/service/system-clock.ts';
import { type Workshop, writeTree } from './workshop.ts';

const FOLDER = 'user_data';
const SHA256 = 'ab'.repeat(32);

export interface MirroredTree {
  readonly root: string;
  readonly stateDir: string;
}

export async function mirroredTree(workshop: Workshop, count: number): Promise<MirroredTree> {
  const home = await workshop.shared(`mirrored-${count}`, async (directory) => {
    const root = join(directory, 'root');
    await mkdir(root);
    await writeTree(join(root, FOLDER), count);
    await remember(root, join(directory, 'state'));
  });
  return { root: join(home, 'root'), stateDir: join(home, 'state') };
}

/** What a manifest holds that says of the files of a tree what was not so. */
export interface Remembered {
  /** Of the nth file, unix seconds. */
  readonly expiresAt?: (number: number) => number | null;
  /** So many files more, which are gone by now. */
  readonly gone?: number;
}

/** The same tree, with a state folder of its own that goes when the benches end. */
export async function remembered(
  workshop: Workshop,
  { root }: MirroredTree,
  what: Remembered = {},
): Promise<MirroredTree> {
  const stateDir = await workshop.scratch();
  await remember(root, stateDir, what);
  return { root, stateDir };
}

/** Writes the manifest through its own store, as if every file had been uploaded. */
async function remember(root: string, stateDir: string, what: Remembered = {}): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const marked = await readMirrorId(root);
  const manifest = await openManifest({
    stateDir,
    clock: systemClock,
    onWarning: (message) => console.error(message),
    ...(marked === null ? {} : { mirrorId: marked }),
  });
  stack.defer(() => manifest.close());
  if (marked === null) await new RootGuard(root).mark(manifest.mirrorId);
  const rules = createIgnoreRules({ root, patterns: [] });
  let count = 0;
  for await (const items of scanTree(
    { root, folders: [FOLDER], rules },
    null,
    new AbortController().signal,
  )) {
    const files: Record<MirrorPath, Entry> = {};
    for (const item of items) {
      if (item.kind !== 'file') continue;
      files[item.path] = entryFor(item, count, what.expiresAt?.(count) ?? null);
      count += 1;
    }
    await manifest.commit({ files });
  }
  const files: Record<MirrorPath, Entry> = {};
  for (let n = 0; n < (what.gone ?? 0); n++) {
    const path = `${FOLDER}/d0000/gone-${String(n).padStart(7, '0')}.txt`;
    files[path] = entryFor({ path, stat: `1 0 0 gone-${n} 1` }, count + n, null);
  }
  await manifest.commit({ files });
}

function entryFor(
  { path, stat }: Pick<Extract<ScanItem, { kind: 'file' }>, 'path' | 'stat'>,
  number: number,
  expiresAt: number | null,
): Entry {
  return {
    id: fileId(number),
    purpose: FOLDER,
    remoteName: remoteNameOf(path),
    bytes: sizeOf(stat),
    sha256: SHA256,
    stat,
    uploadedAt: 1_767_225_600,
    createdAt: 1_767_225_600,
    expiresAt,
  };
}

/** As long as the API's own. */
function fileId(number: number): string {
  return `file-${number.toString(36).padStart(22, 'A')}`;
}

/** Takes the marker away, so that the next sync meets the root for the first time. */
export async function forgetMirror(root: string): Promise<void> {
  await rm(join(root, MARKER_FILE), { force: true });
}
