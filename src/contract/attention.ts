import type { PathState, SkipReason } from './types.ts';

/**
 * What must happen before a path is mirrored. `person`: somebody must act, and until then it stays as it is; `time`:
 * it goes on by itself; `nothing`: it is mirrored, or left alone on purpose.
 */
export type Need = 'person' | 'time' | 'nothing';

/** Every state, in the order in which problems of equal need are shown. */
const NEED_OF_STATE: Readonly<Record<PathState, Need>> = {
  rejected: 'person',
  held: 'person',
  // The reason tells more: see `needOfSkip`.
  skipped: 'person',
  failed: 'time',
  deleting: 'time',
  uploading: 'time',
  pending: 'time',
  settling: 'time',
  // The policy of its folder says that it stays away.
  expired: 'nothing',
  kept: 'nothing',
  ignored: 'nothing',
  synced: 'nothing',
};

const SKIPS: Readonly<Record<SkipReason, Need>> = {
  unreadable: 'person',
  'not-utf8': 'person',
  name: 'person',
  // Never followed, as documented: whoever puts one there means the name, not the content.
  symlink: 'nothing',
  special: 'nothing',
};

const NEEDS: readonly Need[] = ['person', 'time', 'nothing'];
const STATES = Object.keys(NEED_OF_STATE) as readonly PathState[];

/** What a path in this state needs, as far as the state alone tells. */
export function needOf(state: PathState): Need {
  return NEED_OF_STATE[state];
}

export function needOfSkip(reason: SkipReason): Need {
  return SKIPS[reason];
}

/** What an order by attention goes by. */
export interface Standing {
  readonly state: PathState;
  readonly needs: Need;
}

/**
 * Whether `flush` and `sync`, leaving a path like this, must not say that all is done. What only needs time they leave
 * when it came or changed after the call, or for a halt or an API that does not answer, which have codes of their own;
 * but what failed again and again was waited for.
 */
export function leavesWork({ state, needs }: Standing): boolean {
  return needs === 'person' || state === 'failed';
}

/** Paths that are not simply mirrored, of one state and one need. */
export interface ProblemGroup extends Standing {
  readonly count: number;
}

export interface GroupedProblems<T> {
  /** What a person must see to comes first. */
  readonly groups: readonly ProblemGroup[];
  /** In the same order; of each group a part, so that no large one hides a small one. */
  readonly shown: readonly T[];
}

/**
 * Groups problems and picks at most `limit` to show: each group gets an equal share of the room, and what the small
 * ones leave goes to the others, in the order of need.
 */
export function groupProblems<T>(
  items: Iterable<T>,
  standingOf: (item: T) => Standing,
  limit: number,
): GroupedProblems<T> {
  const found = new Map<string, { readonly standing: Standing; count: number; readonly first: T[] }>();
  for (const item of items) {
    const { state, needs } = standingOf(item);
    const key = `${needs} ${state}`;
    let group = found.get(key);
    if (group === undefined) found.set(key, (group = { standing: { state, needs }, count: 0, first: [] }));
    group.count += 1;
    if (group.first.length < limit) group.first.push(item);
  }
  const sorted = [...found.values()].sort((a, b) => rankOf(a.standing) - rankOf(b.standing));
  const shares = sharesOf(
    sorted.map(({ count }) => count),
    limit,
  );
  return {
    groups: sorted.map(({ standing, count }) => ({ ...standing, count })),
    shown: sorted.flatMap(({ first }, index) => first.slice(0, shares[index])),
  };
}

function rankOf({ state, needs }: Standing): number {
  return NEEDS.indexOf(needs) * STATES.length + STATES.indexOf(state);
}

/** How much of `limit` each gets: an equal share, and of what is left then as much as it wants, the first ones first. */
function sharesOf(sizes: readonly number[], limit: number): readonly number[] {
  const equal = Math.floor(limit / Math.max(1, sizes.length));
  const shares = sizes.map((size) => Math.min(size, equal));
  let left = limit - shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share, index) => {
    const more = Math.min((sizes[index] ?? 0) - share, left);
    left -= more;
    return share + more;
  });
}
