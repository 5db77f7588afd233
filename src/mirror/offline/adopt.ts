import {
  matchKey,
  planAdoption,
  remoteKey,
  type Adoption,
  type AmbiguousMatch,
  type LocalCandidate,
} from '../judge/adoption.ts';
import { requireOwnScope } from '../acts/ask-scope.ts';
import { survivable } from '../../contract/faults.ts';
import { uploaded } from '../judge/fold.ts';
import { folderOf } from '../../contract/mirror-path.ts';
import { requireOwnRoot } from '../acts/own-root.ts';
import type { Clock, FilesApi, LocalTree, Manifest } from '../../contract/ports.ts';
import { nowSeconds } from '../../contract/times.ts';
import type {
  Change,
  FileId,
  FolderRules,
  ManifestView,
  MirrorPath,
  RemoteFile,
} from '../../contract/types.ts';
import { Fault } from '../../contract/faults.ts';
import { doubtLines } from '../judge/list-doubts.ts';
import { listEverything, type ListedFiles } from '../../contract/whole-listing.ts';

/** How long files that have not settled are waited for in all; the others are left to the next sync. */
const SETTLE_PATIENCE_MS = 10_000;
const ENTRIES_PER_RECORD = 5_000;
const UNSURE = 'an earlier upload of it may have arrived; the next sync finds out';

export interface AdoptParts {
  readonly local: LocalTree;
  readonly api: FilesApi;
  /** What is remembered before. Its id is that of the root's marker when there is no manifest, empty if there is no marker either. */
  readonly view: ManifestView;
  /** What of the API is another than when the recorded ids were last known there; see `ApiMemory`. */
  readonly changes: readonly string[];
  /**
   * Opens the manifest for recording. Only called when everything is known: a new manifest that stays empty would make
   * the next sync upload every file a second time. Null: a dry run, which writes nothing.
   */
  readonly openManifest: (() => Promise<Pick<Manifest, 'mirrorId' | 'commit'>>) | null;
  readonly clock: Clock;
  /** By the name of the purpose folder. */
  readonly folders: ReadonlyMap<string, FolderRules>;
}

/** What `adopt --json` prints. */
export interface AdoptReport {
  readonly version: 1;
  /** True: `adopted` is what would be. */
  readonly dryRun: boolean;
  readonly adopted: readonly {
    readonly path: MirrorPath;
    readonly id: FileId;
    readonly purpose: string;
    readonly bytes: number;
  }[];
  readonly ambiguous: readonly AmbiguousMatch[];
  /** Local files without a remote twin: the next sync uploads them. */
  readonly unmatched: readonly MirrorPath[];
  /** Local files that could not be judged, and why; the next sync looks at them. */
  readonly left: readonly LeftAlone[];
  /** What of the listing could not be read. */
  readonly doubts: readonly string[];
}

interface LeftAlone {
  readonly path: MirrorPath;
  readonly reason: string;
}

/**
 * Takes over remote files that nobody owns for local files that are not mirrored, one to one by purpose, name and
 * size. Nothing is uploaded and nothing is deleted. The caller makes sure that no engine runs on this mirror.
 * Throws `Fault`: with halt `root` when the root is not this mirror's, with halt `scope` when the recorded ids are of another
 * project; or the signal's reason.
 */
export async function adopt(parts: AdoptParts, signal: AbortSignal): Promise<AdoptReport> {
  const { local, api, view, changes, openManifest } = parts;
  const root = await requireOwnRoot(local, view);
  // Ids of two projects in one manifest could never be told apart again.
  if (changes.length > 0) await requireOwnScope(parts, changes, signal);
  const { candidates, left } = await localCandidates(parts, signal);
  const listed = await listEverything(api, signal);
  requireWhole(listed);
  const remotes = adoptable(view, listed.files);
  const { matches, ambiguous, unmatched } = planAdoption(candidates, remotes);
  let adopted = matches;
  if (openManifest !== null) {
    const entries = await readMatches(parts, matches, left, signal);
    const manifest = await openManifest();
    if (root === 'unmarked') await local.markRoot(manifest.mirrorId);
    await record(manifest, [...entries.values()]);
    adopted = [...entries.keys()];
  }
  return {
    version: 1,
    dryRun: openManifest === null,
    adopted: adopted.map(({ local: { path, purpose, bytes }, remote: { id } }) => ({
      path,
      id,
      purpose,
      bytes,
    })),
    ambiguous,
    unmatched,
    left,
    doubts: doubtLines(listed.doubts),
  };
}

/** Half a listing would leave the other half to be uploaded a second time. */
function requireWhole({ doubts }: ListedFiles): void {
  const cut = doubts.filter(({ kind }) => kind === 'cut');
  if (cut.length === 0) return;
  throw new Fault(`nothing is adopted: ${doubtLines(cut).join('; ')}`, {
    disposition: 'skip',
    outcome: 'refused',
    rule: 'listing-cut',
  });
}

interface Found {
  readonly candidates: readonly LocalCandidate[];
  readonly left: LeftAlone[];
}

/** Settled files that the rules accept by name and size, and that neither an entry nor an open intent is about. */
async function localCandidates(parts: AdoptParts, signal: AbortSignal): Promise<Found> {
  const { local, view, clock } = parts;
  const left: LeftAlone[] = [];
  const candidates: LocalCandidate[] = [];
  let paths: MirrorPath[] = [];
  for await (const items of local.scan(null, signal)) {
    for (const item of items) {
      if (item.kind === 'unlistable') left.push({ path: item.path, reason: item.reason });
      else if (item.kind !== 'file' || view.files.has(item.path)) continue;
      // With an entry in its place, nobody would ever look for what that upload may have left.
      else if (view.intents.has(item.path)) left.push({ path: item.path, reason: UNSURE });
      else paths.push(item.path);
    }
  }
  const deadlineMs = clock.monotonicMs() + SETTLE_PATIENCE_MS;
  for (;;) {
    const changing: { path: MirrorPath; waitMs: number; why: string }[] = [];
    for (const path of paths) {
      signal.throwIfAborted();
      const look = await local.look(path);
      if (look.kind === 'changing') changing.push({ path, waitMs: look.waitMs, why: look.why });
      else if (look.kind === 'unknown') left.push({ path, reason: look.reason });
      else if (look.kind === 'skipped') left.push({ path, reason: `${look.reason}: ${look.detail}` });
      else if (look.kind === 'file') judge(parts, path, look.stat, look.sizeBytes, candidates, left);
    }
    const patienceMs = deadlineMs - clock.monotonicMs();
    if (changing.length === 0 || patienceMs <= 0) {
      left.push(...changing.map(({ path, why }) => ({ path, reason: `still changing: ${why}` })));
      return { candidates, left };
    }
    await clock.sleep(Math.min(patienceMs, Math.max(...changing.map(({ waitMs }) => waitMs))), signal);
    paths = changing.map(({ path }) => path);
  }
}

function judge(
  { local, folders }: AdoptParts,
  path: MirrorPath,
  stat: string,
  bytes: number,
  candidates: LocalCandidate[],
  left: LeftAlone[],
): void {
  const rules = folders.get(folderOf(path));
  if (rules === undefined) return;
  const problem = local.precheck(path, bytes, rules);
  if (problem === null) candidates.push({ path, purpose: rules.purpose, bytes, stat });
  else left.push({ path, reason: problem.message });
}

/**
 * Remote files that nobody owns. Those that an upload of unknown outcome may have made are not among them: whose
 * they are is found out by the next sync.
 */
function adoptable(view: ManifestView, listed: ReadonlyMap<FileId, RemoteFile>): readonly RemoteFile[] {
  const owned = new Set<FileId>(view.garbage.keys());
  for (const { id } of view.files.values()) owned.add(id);
  const claimed = new Set<string>();
  for (const { purpose, remoteName, bytes } of view.intents.values())
    claimed.add(matchKey(purpose, remoteName, bytes));
  return [...listed.values()].filter((file) => !owned.has(file.id) && !claimed.has(remoteKey(file) ?? ''));
}

/** What is to be recorded of each match; those that turned out to be none are left alone. */
async function readMatches(
  parts: AdoptParts,
  matches: readonly Adoption[],
  left: LeftAlone[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Adoption, Change>> {
  const { local, view, folders } = parts;
  const entries = new Map<Adoption, Change>();
  for (const match of matches) {
    const { path, stat } = match.local;
    const rules = folders.get(folderOf(path));
    if (rules === undefined) continue;
    try {
      const { sha256, problem } = await local.inspect(path, stat, rules, signal);
      const now = nowSeconds(parts);
      const upload = { path, stat, sha256, remote: match.remote, rules, supersedes: null, now };
      if (problem === null) entries.set(match, uploaded(view, upload));
      else left.push({ path, reason: problem.message });
    } catch (error) {
      signal.throwIfAborted();
      left.push({ path, reason: survivable(error).message });
    }
  }
  return entries;
}

/** All of it in as few records as a line of the journal should be long. */
async function record(manifest: Pick<Manifest, 'commit'>, changes: readonly Change[]): Promise<void> {
  for (let at = 0; at < changes.length; at += ENTRIES_PER_RECORD) {
    const some = changes.slice(at, at + ENTRIES_PER_RECORD);
    await manifest.commit({
      files: Object.assign({}, ...some.map(({ files }) => files)),
      intents: Object.assign({}, ...some.map(({ intents }) => intents)),
      garbage: Object.assign({}, ...some.map(({ garbage }) => garbage)),
      rejected: Object.assign({}, ...some.map(({ rejected }) => rejected)),
    });
  }
}
