import type { Lane } from '../../contract/ports.ts';
import type { PathState } from '../../contract/types.ts';

/** After this many failures in a row, a failure is an answer: who waits is told, the retries go on. */
export const FAILURES_TO_TELL = 5;
/** Each search for an upload of unknown outcome takes minutes: who waits is told when a second one begins. */
const SEARCHES_TO_TELL = 2;

/** What is known of a path that somebody waits for. */
export interface Awaited {
  readonly state: PathState | null;
  /** Whether its delete waits for grace and guards, or also for a person or another path. */
  readonly deleting: 'no' | 'waits' | 'held';
  /** It is in the worklist. */
  readonly isOpen: boolean;
  /** It waits for an answer of the API. */
  readonly isAsking: boolean;
  /** An upload of it may have arrived. */
  readonly isUnknown: boolean;
  /** In a row. */
  readonly failures: number;
}

/** What keeps all paths back, or some of them. */
export interface Obstacles {
  readonly rootIsBad: boolean;
  readonly stateIsHalted: boolean;
  /** The lane is held by a halt. */
  readonly isHalted: Readonly<Record<Exclude<Lane, 'ask'>, boolean>>;
  /** Nothing has come through in this lane for long enough. */
  readonly isTroubled: Readonly<Record<Lane, boolean>>;
  /** Who waits does not wait any longer for a file that still changes. */
  readonly isImpatient: boolean;
}

/**
 * Whether who waits for a path knows enough: it is mirrored, or has a reason not to be that time alone will not take
 * away soon.
 */
export function isAnswered(path: Awaited, obstacles: Obstacles): boolean {
  const { state } = path;
  const { isHalted, isTroubled } = obstacles;
  if (path.deleting !== 'no')
    return isHalted.delete || isTroubled.delete || path.deleting === 'held' || state === 'held';
  if (!path.isOpen || obstacles.rootIsBad) return true;
  if (path.isAsking && isTroubled.ask) return true;
  // Stopped lanes and an API that does not answer hold everything that has something to send.
  const isStuck = isHalted.upload || isTroubled.upload || isTroubled.delete;
  switch (state) {
    case 'held':
      return true;
    case 'pending':
      return isStuck;
    case 'failed':
      return isStuck || path.failures >= (path.isUnknown ? SEARCHES_TO_TELL : FAILURES_TO_TELL);
    case 'settling':
      return obstacles.isImpatient;
    case 'uploading':
      // Sent, and it cannot be recorded: its intent stays open until it can.
      return obstacles.stateIsHalted;
    default:
      return false;
  }
}
