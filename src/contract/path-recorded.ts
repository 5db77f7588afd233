import type { Mirrored, PathRecorded } from './batch.ts';
import type { Change, Entry, MirrorPath, Replaced } from './types.ts';

type Files = NonNullable<Change['files']>;

/**
 * What became of each path in one change of the manifest, of the new path of a move before its old one. A file that was
 * renamed and had to be uploaded again under its new name counts as moved. Pure.
 */
export function pathsRecorded(
  { files = {}, garbage = {} }: Change,
  { files: old }: Replaced,
): PathRecorded[] {
  const told: PathRecorded[] = [];
  for (const [path, after] of Object.entries(files)) {
    const before = old.get(path) ?? null;
    if (after?.id === before?.id) continue;
    const why = after === null ? whyLeft(before, files, garbage) : whyThere(path, after, before, files, old);
    told.push({ path, before: mirrored(before), after: mirrored(after), why });
  }
  return told.sort((a, b) => Number(a.after === null) - Number(b.after === null));
}

function whyThere(
  path: MirrorPath,
  after: Entry,
  before: Entry | null,
  files: Files,
  old: Replaced['files'],
): PathRecorded['why'] {
  for (const [other, left] of old) {
    if (other === path || !(other in files)) continue;
    if (left.id === after.id || (files[other] === null && left.sha256 === after.sha256)) return 'moved';
  }
  return before === null ? 'uploaded' : 'replaced';
}

function whyLeft(
  before: Entry | null,
  files: Files,
  garbage: NonNullable<Change['garbage']>,
): PathRecorded['why'] {
  const goesOn = Object.values(files).some(
    (after) => after !== null && (after.id === before?.id || after.sha256 === before?.sha256),
  );
  if (goesOn) return 'moved';
  return before !== null && before.id in garbage ? 'deleted' : 'expired';
}

function mirrored(entry: Entry | null): Mirrored | null {
  return entry === null ? null : { id: entry.id, purpose: entry.purpose, sha256: entry.sha256 };
}
