import { createHash } from 'node:crypto';
import { folderOf, isWithin, remoteNameOf } from '../../../src/contract/mirror-path.ts';
import { isHold } from '../../../src/mirror/judge/rejections.ts';
import type { Entry, FolderRules, ManifestView, MirrorPath } from '../../../src/contract/types.ts';
import { sha256Of, strayContent } from './sim-content.ts';
import type { SimDisk } from './sim-disk.ts';
import type { LifeKnobs } from './sim-profile.ts';
import { ignoreRuleOf, problemOf, uploadKeyOf } from './sim-rules.ts';
import type { SimServer, StoredFile } from './sim-server.ts';

export interface OracleView {
  readonly disk: SimDisk;
  readonly server: SimServer;
  readonly manifest: ManifestView;
  readonly knobs: LifeKnobs;
}

interface Standing {
  /** Path to hash of every file that must be mirrored. */
  readonly eligible: ReadonlyMap<MirrorPath, string>;
  /** Everything on disk that is not eligible, for whatever reason: its older remote version stays. */
  readonly others: ReadonlySet<MirrorPath>;
  /** Directories that cannot be listed: what is below is unknown. */
  readonly unlistable: readonly MirrorPath[];
}

/** Everything that is wrong with a world at rest: promises 1 to 4. Empty when all is right. */
export function judgeRest(view: OracleView): string[] {
  const standing = survey(view);
  const problems: string[] = [];
  for (const [path, sha256] of standing.eligible) {
    if (isHeldRightly(view, path, sha256)) continue;
    const problem = judgeEligible(view, path, sha256);
    if (problem !== null && !waitsForTwin(view, standing, path)) problems.push(problem);
  }
  for (const [path, entry] of view.manifest.files) {
    if (standing.eligible.has(path)) continue;
    const problem = judgeLeftover(view, standing, path, entry);
    if (problem !== null) problems.push(problem);
  }
  problems.push(...judgeOwnership(view, standing), ...judgeForeign(view), ...judgeRejections(view, standing));
  for (const path of view.manifest.intents.keys()) {
    // What became of it is known, but not whether the file still is that version.
    if (!isUnknown(standing, path)) problems.push(`the intent of ${path} is still open`);
  }
  for (const [id, garbage] of view.manifest.garbage) {
    if (!garbage.hold) problems.push(`${id} is still garbage (${garbage.reason} of ${garbage.path})`);
  }
  return problems;
}

/**
 * Uploads, of those that were made while nothing changed, that nothing explains. What need not be mirrored, such as
 * a version that the server refuses, may wait for its turn until then: once, and what the server alone refuses a few
 * times more, to be sure that it is not everybody who is refused, or a key that may upload nothing.
 */
export function needlessUploads(view: OracleView, uploadKeys: readonly string[]): string[] {
  const explained: string[] = [];
  const { others } = survey(view);
  for (const { path, node } of view.disk.walk()) {
    const rules = rulesOf(view.knobs, path);
    if (node.kind !== 'file' || rules === null || !others.has(path)) continue;
    const attempts = view.server.refusalOf(node.content) === null ? 1 : 6;
    const key = uploadKeyOf(rules.purpose, remoteNameOf(path), node.content.length);
    for (let attempt = 1; attempt <= attempts; attempt += 1) explained.push(key);
  }
  return uploadKeys.filter((key) => {
    const index = explained.indexOf(key);
    if (index !== -1) explained.splice(index, 1);
    return index === -1;
  });
}

/** One hash over everything that a person has on disk; the mirror must not change it. */
export function fingerprintOf(disk: SimDisk): string {
  const digest = createHash('sha256');
  for (const { path, node } of disk.walk()) {
    // Folders may be added by the mirror itself.
    if (node.kind === 'file')
      digest.update(`${path}\0${disk.tokenOf(node, '0')}\0${sha256Of(node.content)}\n`);
  }
  return digest.digest('hex');
}

function survey({ disk, server, knobs }: OracleView): Standing {
  const eligible = new Map<MirrorPath, string>();
  const others = new Set<MirrorPath>();
  const unlistable: MirrorPath[] = [];
  for (const { path, node, hidden } of disk.walk()) {
    if (node.kind === 'dir' && !node.listable) unlistable.push(path);
    const rules = rulesOf(knobs, path);
    const isEligible =
      node.kind === 'file' &&
      !hidden &&
      node.readable &&
      rules !== null &&
      path !== rules.folder &&
      ignoreRuleOf(path) === null &&
      problemOf(node.content, rules, knobs.contentRule) === null &&
      !(knobs.ignoresExpiry && rules.expiresAfterSeconds !== null) &&
      server.refusalOf(node.content) === null;
    if (isEligible) eligible.set(path, sha256Of(node.content));
    else others.add(path);
  }
  return { eligible, others, unlistable };
}

function judgeEligible(
  { knobs, manifest, server }: OracleView,
  path: MirrorPath,
  sha256: string,
): string | null {
  const entry = manifest.files.get(path);
  const rules = rulesOf(knobs, path);
  if (entry === undefined || rules === null) return `${path} has no entry`;
  const file = server.get(entry.id);
  if (file === null) return `${path} is recorded as ${entry.id}, which never existed`;
  if (!server.isLive(file)) {
    const mayStayExpired = server.isExpired(file) && rules.onExpiry === 'forget' && entry.sha256 === sha256;
    return mayStayExpired ? null : `${path} is recorded as ${entry.id}, which is no longer there`;
  }
  const remote = describe(file.purpose, file.filename, sha256Of(file.content));
  const local = describe(rules.purpose, remoteNameOf(path), sha256);
  if (remote !== local) return `${path} is ${local} here and ${remote} there (${entry.id})`;
  const recorded = describe(entry.purpose, entry.remoteName, entry.sha256);
  if (recorded !== local || entry.bytes !== file.content.length)
    return `${path} is recorded wrongly, as ${recorded}`;
  return null;
}

/**
 * A file that may have arrived cannot be looked at, and its remote copy would look the same, in all that this server
 * can be believed to say: which of the two a listing shows could not be told.
 */
function waitsForTwin({ disk, knobs, manifest }: OracleView, standing: Standing, path: MirrorPath): boolean {
  const found = disk.resolve(disk.home, path);
  const purpose = rulesOf(knobs, path)?.purpose;
  if (found.kind !== 'found' || found.node.kind !== 'file') return false;
  const sizeBytes = found.node.content.length;
  const { trustReply } = knobs.settings;
  return [...manifest.intents].some(
    ([twin, intent]) =>
      isUnknown(standing, twin) &&
      (!trustReply.has('purpose') || intent.purpose === purpose) &&
      (!trustReply.has('filename') || intent.remoteName === remoteNameOf(path)) &&
      (!trustReply.has('bytes') || intent.bytes === sizeBytes),
  );
}

/** An entry whose file is not there, or not eligible. */
function judgeLeftover(
  { knobs, server }: OracleView,
  standing: Standing,
  path: MirrorPath,
  entry: Entry,
): string | null {
  const isPresent = standing.others.has(path) || isUnknown(standing, path);
  const isKept = rulesOf(knobs, path)?.deletes === 'keep';
  if (!isPresent && !isKept) return `${path} is gone, but still recorded as ${entry.id}`;
  const file = server.get(entry.id);
  if (file === null) return `${path} is recorded as ${entry.id}, which never existed`;
  if (file.gone?.by === 'mirror')
    return `${path} is recorded as ${entry.id}, which the mirror itself deleted`;
  return null;
}

function isUnknown({ unlistable }: Standing, path: MirrorPath): boolean {
  return unlistable.some((directory) => isWithin(path, directory));
}

/**
 * Whether the file is held instead of mirrored, by its name, and only because nobody can tell what the server made of
 * it: it contradicted itself, or it does not say what a look-alike could be told by.
 */
function isHeldRightly({ manifest, server, knobs }: OracleView, path: MirrorPath, sha256: string): boolean {
  const rejection = manifest.rejected.get(path);
  if (rejection === undefined || !isHold(rejection) || rejection.sha256 !== sha256) return false;
  if (rejection.rule === 'look-alikes') return saysTooLittle(knobs);
  const purpose = rulesOf(knobs, path)?.purpose ?? '';
  return server.hasContradicted({ purpose, filename: remoteNameOf(path) });
}

function saysTooLittle({ omits }: LifeKnobs): boolean {
  return omits.some((field) => field !== 'purpose');
}

/** Ids on hold belong to a version that is held, and only then may stay. */
function judgeHeld({ manifest, server }: OracleView): string[] {
  const kept = new Set([...manifest.rejected.values()].map((rejection) => rejection.kept?.id));
  const problems: string[] = [];
  for (const [id, { hold, path }] of manifest.garbage) {
    if (hold && !kept.has(id)) problems.push(`${id} is kept aside for ${path}, which is not held`);
    if (hold && server.get(id)?.madeBy === 'foreign') problems.push(`${id} is kept, and is not ours`);
  }
  return problems;
}

/** Every file that this mirror made is owned, and owned once. */
function judgeOwnership(view: OracleView, standing: Standing): string[] {
  const { manifest, server, knobs } = view;
  const problems: string[] = judgeHeld(view);
  const owners = new Map<string, MirrorPath[]>();
  for (const [path, { id }] of manifest.files) owners.set(id, [...(owners.get(id) ?? []), path]);
  for (const [id, paths] of owners)
    if (paths.length > 1) problems.push(`${id} belongs to ${paths.join(' and ')}`);
  for (const file of server.all()) {
    if (file.madeBy !== 'mirror' || !server.isLive(file)) continue;
    const text = describe(file.purpose, file.filename, sha256Of(file.content));
    const garbage = manifest.garbage.get(file.id);
    // What is kept aside is owned, but only a contradiction of the server excuses that it is there at all.
    if (garbage?.hold === true && !server.hasContradicted(file))
      problems.push(`${file.id} ${text} is kept aside`);
    // After a crash nobody can tell what the server stored in another size than it was sent.
    if (owners.has(file.id) || garbage !== undefined || file.damaged || saysTooLittle(knobs)) continue;
    const isAwaited = [...manifest.intents].some(
      ([path, { purpose, remoteName, bytes }]) =>
        isUnknown(standing, path) &&
        purpose === file.purpose &&
        remoteName === file.filename &&
        bytes === file.content.length,
    );
    if (isAwaited) continue;
    problems.push(`${file.id} ${text} is owned by nobody`);
  }
  return problems;
}

function judgeForeign({ manifest, server }: OracleView): string[] {
  const problems: string[] = [];
  const stray = sha256Of(strayContent);
  const foreign = (file: StoredFile | null): boolean => file?.madeBy === 'foreign';
  for (const [path, { id }] of manifest.files) {
    if (foreign(server.get(id))) problems.push(`${path} is recorded as ${id}, which is not ours`);
  }
  for (const file of server.all()) {
    if (file.madeBy === 'foreign' && file.gone?.by === 'mirror')
      problems.push(`${file.id} was not ours to delete`);
    if (sha256Of(file.content) === stray) problems.push(`${file.id} came from a folder that is not the root`);
  }
  return problems;
}

/** What is recorded as refused is there, and has something wrong with it. */
function judgeRejections(view: OracleView, standing: Standing): string[] {
  const problems: string[] = [];
  for (const [path, { rule, kept }] of view.manifest.rejected) {
    // What was kept of a held version stays where its folder keeps remote files, and is told by its rejection.
    const isKept = kept !== undefined && rulesOf(view.knobs, path)?.deletes === 'keep';
    if (isUnknown(standing, path) || isKept) continue;
    const sha256 = standing.eligible.get(path);
    if (sha256 === undefined && !standing.others.has(path)) {
      problems.push(`${path} is gone, and still rejected (${rule})`);
    } else if (sha256 !== undefined && !isHeldRightly(view, path, sha256)) {
      problems.push(`${path} is still rejected (${rule}), and nothing is wrong`);
    }
  }
  return problems;
}

function rulesOf(knobs: LifeKnobs, path: MirrorPath): FolderRules | null {
  return knobs.settings.folders.find(({ folder }) => folder === folderOf(path)) ?? null;
}

function describe(purpose: string, name: string, sha256: string): string {
  return `(${purpose}, ${name}, ${sha256.slice(0, 8)})`;
}
