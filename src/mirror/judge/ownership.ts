import type { Change, Entry, FileId, MirrorPath } from '../../contract/types.ts';

/** Who has an id, as far as a change must be held against it. */
export interface Owners {
  readonly files: ReadonlyMap<MirrorPath, Pick<Entry, 'id'>>;
  readonly garbage: ReadonlyMap<FileId, unknown>;
  /** The path whose entry has this id; null: none has. */
  ownerOf(id: FileId): MirrorPath | null;
}

/** The ids that a change makes an entry's or garbage and that were not, where it does. Pure. */
export function givenIds(
  { files = {}, garbage = {} }: Change,
  before: Pick<Owners, 'files' | 'garbage'>,
): ReadonlySet<FileId> {
  const given = new Set<FileId>();
  for (const [path, entry] of Object.entries(files))
    if (entry !== null && before.files.get(path)?.id !== entry.id) given.add(entry.id);
  for (const [id, record] of Object.entries(garbage))
    if (record !== null && !before.garbage.has(id)) given.add(id);
  return given;
}

/**
 * Which ids would belong to two after this change, in words; empty: none. Pure, and only over the ids that the change
 * gives to somebody: what an older version of this program has left on the disk is nobody's fault now.
 *
 * INVARIANT: an id is an entry's or garbage, never both, nor of two entries. The one would be deleted while its file is
 * mirrored, the other when one of its two files goes.
 */
export function doubleOwners(change: Change, before: Owners): readonly string[] {
  const { files = {}, garbage = {} } = change;
  const pathsOf = Map.groupBy(Object.keys(files), (path) => files[path]?.id ?? null);
  const problems: string[] = [];
  for (const id of givenIds(change, before)) {
    const owners = [...(pathsOf.get(id) ?? [])];
    const owner = before.ownerOf(id);
    if (owner !== null && !(owner in files)) owners.push(owner);
    const record = garbage[id];
    if (record === undefined ? before.garbage.has(id) : record !== null) owners.push('the garbage list');
    if (owners.length > 1) problems.push(`${id} (${owners.join(', ')})`);
  }
  return problems;
}
