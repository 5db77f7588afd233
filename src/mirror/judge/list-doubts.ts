import type { ListDoubt } from '../../contract/ports.ts';
import { sameRemoteName } from '../../contract/remote-name.ts';
import type { RemoteFile } from '../../contract/types.ts';

/** What a listing left open, and what follows from it. Pure. */

/** For a person: one line a kind, with how often and the field. */
export function doubtLines(doubts: readonly ListDoubt[]): readonly string[] {
  const counts = new Map<string, number>();
  const lines: string[] = [];
  for (const doubt of doubts) {
    if (doubt.kind === 'cut') lines.push(cutLine(doubt.why));
    else counts.set(doubt.problem, (counts.get(doubt.problem) ?? 0) + 1);
  }
  for (const [problem, count] of counts) {
    const [entries, are] = count === 1 ? ['1 entry', 'is'] : [`${count} entries`, 'are'];
    lines.push(`${entries} of the API's listing cannot be read and ${are} left out: ${problem}`);
  }
  return lines;
}

/** A version as the API would describe it. */
export interface Described {
  readonly purpose: string;
  readonly remoteName: string;
  readonly bytes: number;
}

/**
 * Whether a listed file could be this version: nothing that is said of it differs, and at least its name or its size
 * is said. What says nothing at all is nobody's.
 */
export function couldBe(file: Omit<RemoteFile, 'id'>, version: Described): boolean {
  const { purpose, filename, bytes } = file;
  if (filename === null && bytes === null) return false;
  if (purpose !== null && purpose !== version.purpose) return false;
  if (bytes !== null && bytes !== version.bytes) return false;
  return filename === null || sameRemoteName(filename) === sameRemoteName(version.remoteName);
}

/**
 * Why a listing that does not show an upload is no proof that it was not stored; null: it is one. Others' odd entries
 * hold nothing up: only one that could be this upload does, or a listing that was cut short.
 */
export function holdsUp(doubts: readonly ListDoubt[], version: Described): string | null {
  for (const doubt of doubts) {
    if (doubt.kind === 'cut') return cutLine(doubt.why);
    if (couldBe(doubt.file, version))
      return `an entry of the API's listing that could be it cannot be read: ${doubt.problem}`;
  }
  return null;
}

function cutLine(why: string): string {
  return `the API's listing cannot be read to its end: ${why}`;
}
