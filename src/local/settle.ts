import type { Clock } from '../contract/ports.ts';
import { parseStatToken } from '../contract/stat-token.ts';
import type { MirrorPath, StatToken } from '../contract/types.ts';
import { RecentMap } from './recent-map.ts';

/**
 * How many paths at least are remembered that have settled; a forgotten one is judged by its modification time alone. Those that
 * still wait are all remembered, since one that was forgotten would start to wait anew, again and again.
 */
const CAPACITY = 5_000;

/** Null: settled. Otherwise when it can be settled at the earliest, and why it is not. */
type SettleVerdict = { readonly waitMs: number; readonly why: string } | null;

export interface Settler {
  /** Has this file rested for long enough? To be asked at every look. */
  judge(path: MirrorPath, stat: StatToken): SettleVerdict;
  forget(path: MirrorPath): void;
}

interface Observation {
  readonly stat: StatToken;
  /** Monotonic: since when the file was seen like this. */
  readonly sinceMs: number;
  /** It was seen to be written to: the same inode with another size or modification time than before. */
  readonly written: boolean;
}

/**
 * A file has settled when it was last written at least `settleMs` ago by its own modification time (so that one
 * that was moved in with an old time need not wait), unless it was seen being written to since. Where the time of
 * the file cannot be trusted (it lies in the future, or the server of the files has another clock), it has settled
 * when it was seen unchanged for `settleMs` by our own monotonic clock.
 */
export function createSettler(settleMs: number, clock: Clock): Settler {
  const unsettled = new Map<MirrorPath, Observation>();
  const settled = new RecentMap<MirrorPath, Observation>(CAPACITY);

  function observe(path: MirrorPath, stat: StatToken): Observation {
    const before = unsettled.get(path) ?? settled.get(path);
    if (before?.stat === stat) return before;
    return {
      stat,
      sinceMs: clock.monotonicMs(),
      written: before !== undefined && wasWritten(before.stat, stat),
    };
  }

  function remember(path: MirrorPath, seen: Observation, verdict: SettleVerdict): void {
    (verdict === null ? unsettled : settled).delete(path);
    if (verdict !== null) {
      unsettled.set(path, seen);
      return;
    }
    if (settled.get(path) !== seen) settled.set(path, seen);
  }

  function verdictOn({ stat, sinceMs, written }: Observation): SettleVerdict {
    const unchangedMs = clock.monotonicMs() - sinceMs;
    if (unchangedMs >= settleMs) return null;
    const ageMs = clock.wallMs() - Number(parseStatToken(stat).mtimeNs / 1_000_000n);
    if (ageMs < 0)
      return waiting(settleMs - unchangedMs, `its modification time lies ${seconds(-ageMs)} in the future`);
    if (written) return waiting(settleMs - unchangedMs, `seen being written ${seconds(unchangedMs)} ago`);
    if (ageMs >= settleMs) return null;
    return waiting(settleMs - Math.max(ageMs, unchangedMs), `written ${seconds(ageMs)} ago`);
  }

  return {
    judge(path, stat) {
      if (settleMs === 0) return null;
      const seen = observe(path, stat);
      const verdict = verdictOn(seen);
      remember(path, seen, verdict);
      return verdict;
    },
    forget(path) {
      unsettled.delete(path);
      settled.delete(path);
    },
  };
}

function wasWritten(before: StatToken, after: StatToken): boolean {
  const a = parseStatToken(before);
  const b = parseStatToken(after);
  return a.inode === b.inode && (a.sizeBytes !== b.sizeBytes || a.mtimeNs !== b.mtimeNs);
}

function waiting(waitMs: number, why: string): SettleVerdict {
  const whole = Math.max(1, Math.ceil(waitMs));
  return { waitMs: whole, why: `${why}, settles in ${seconds(whole)}` };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
