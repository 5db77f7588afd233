import { couldBe } from './list-doubts.ts';
import { remoteNameOf } from '../../contract/mirror-path.ts';
import { sameRemoteName } from '../../contract/remote-name.ts';
import type { MirrorPath, RemoteFile, StatToken } from '../../contract/types.ts';

/** A local file that is not mirrored yet, as far as matching needs it. */
export interface LocalCandidate {
  readonly path: MirrorPath;
  readonly purpose: string;
  readonly bytes: number;
  readonly stat: StatToken;
}

export interface Adoption {
  readonly local: LocalCandidate;
  readonly remote: RemoteFile;
}

/** Several local or several remote files that nothing tells apart, or of which the server says too little. */
export interface AmbiguousMatch {
  readonly purpose: string;
  readonly remoteName: string;
  readonly bytes: number;
  readonly paths: readonly MirrorPath[];
  readonly ids: readonly string[];
}

export interface AdoptionPlan {
  readonly matches: readonly Adoption[];
  readonly ambiguous: readonly AmbiguousMatch[];
  /** Local files without a remote twin: they will be uploaded. */
  readonly unmatched: readonly MirrorPath[];
}

/** Pairs local files with remote ones that nobody owns, by purpose, name and size, one to one. Pure. */
export function planAdoption(
  locals: readonly LocalCandidate[],
  remotes: readonly RemoteFile[],
): AdoptionPlan {
  const remotesByKey = Map.groupBy(remotes, remoteKey);
  // Files of which the server does not say enough.
  const open = remotesByKey.get(null) ?? [];
  const localsByKey = Map.groupBy(locals, (file) =>
    matchKey(file.purpose, remoteNameOf(file.path), file.bytes),
  );
  const matches: Adoption[] = [];
  const ambiguous: AmbiguousMatch[] = [];
  const unmatched: MirrorPath[] = [];
  for (const [key, sameLocals] of localsByKey) {
    const [local] = sameLocals;
    if (local === undefined) continue;
    const version = { purpose: local.purpose, remoteName: remoteNameOf(local.path), bytes: local.bytes };
    const known = remotesByKey.get(key) ?? [];
    const sameRemotes = known.length > 0 ? known : open.filter((file) => couldBe(file, version));
    const [remote] = sameRemotes;
    if (remote === undefined) {
      unmatched.push(...sameLocals.map(({ path }) => path));
    } else if (sameLocals.length === 1 && known.length === 1) {
      matches.push({ local, remote });
    } else {
      ambiguous.push({
        ...version,
        paths: sameLocals.map(({ path }) => path),
        ids: sameRemotes.map(({ id }) => id),
      });
    }
  }
  return { matches, ambiguous, unmatched };
}

/** Null when the server does not say enough about the file to match it with anything. */
export function remoteKey({ purpose, filename, bytes }: RemoteFile): string | null {
  return purpose === null || filename === null || bytes === null ? null : matchKey(purpose, filename, bytes);
}

/** Equal for files that nothing which the API knows tells apart. */
export function matchKey(purpose: string, remoteName: string, bytes: number): string {
  return `${purpose}\0${sameRemoteName(remoteName)}\0${bytes}`;
}
