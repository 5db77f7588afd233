import { isExpired } from './expiry.ts';
import type { FileId, ManifestView } from '../../contract/types.ts';

/** Ids that are looked up at most to find out whose they are. */
const SAMPLE_SIZE = 5;
/** A file that was made less than this ago may not be shown yet. */
const TOO_YOUNG_SECONDS = 60;
/** So many ids must be unknown to say so where nothing has changed here: one or two may have been deleted by others. */
const UNKNOWN_TO_DOUBT = 3;

/** An id by which can be told whether the API is the one that gave it. */
export interface Witness {
  readonly id: FileId;
  /** False: that it is unknown says nothing, since it may not be shown yet, or be deleted by now. */
  readonly mustExist: boolean;
}

/**
 * The ids to look up, spread over all that is recorded. What is on the garbage list may be deleted already, and only
 * counts when there is nothing else. Pure. `nowSeconds`: by the server's clock.
 */
export function witnessesOf(
  view: Pick<ManifestView, 'files' | 'garbage'>,
  nowSeconds: number,
): readonly Witness[] {
  const grown: Witness[] = [];
  const young: Witness[] = [];
  for (const entry of view.files.values()) {
    if (isExpired(entry, nowSeconds + TOO_YOUNG_SECONDS)) continue;
    const isYoung = entry.createdAt > nowSeconds - TOO_YOUNG_SECONDS;
    (isYoung ? young : grown).push({ id: entry.id, mustExist: !isYoung });
  }
  if (grown.length + young.length > 0) return [...spread(grown), ...spread(young)].slice(0, SAMPLE_SIZE);
  const condemned = [...view.garbage].filter(([, { hold }]) => !hold);
  return spread(condemned.map(([id]) => ({ id, mustExist: true })));
}

/** `trusted`: the ids are of this scope; `foreign`: of another one; `unsure`: it will be seen in a minute. */
export type ScopeVerdict = 'trusted' | 'foreign' | 'unsure';

export interface ScopeEvidence {
  /** The key, the project, or whatever else decides whose files are shown, is another one than when they were recorded. */
  readonly hasChanged: boolean;
  readonly known: number;
  /** Ids that must exist, and that the API does not know. */
  readonly unknown: number;
  /** Ids that it does not know, which says nothing. */
  readonly undecided: number;
}

/** Pure. One id that is known is proof enough: ids are given once. */
export function judgeScope({ hasChanged, known, unknown, undecided }: ScopeEvidence): ScopeVerdict {
  if (known > 0) return 'trusted';
  if (unknown >= (hasChanged ? 1 : UNKNOWN_TO_DOUBT)) return 'foreign';
  return hasChanged && undecided > 0 ? 'unsure' : 'trusted';
}

function spread<T>(items: readonly T[]): readonly T[] {
  if (items.length <= SAMPLE_SIZE) return items;
  const step = (items.length - 1) / (SAMPLE_SIZE - 1);
  return Array.from({ length: SAMPLE_SIZE }, (_, index) => items[Math.round(index * step)] as T);
}
