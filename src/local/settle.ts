import { formatSeconds } from '../contract/quantities.ts';
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
export class Settler {
  readonly #settleMs: number;
  readonly #clock: Clock;
  readonly #unsettled = new Map<MirrorPath, Observation>();
  readonly #settled = new RecentMap<MirrorPath, Observation>(CAPACITY);

  constructor(settleMs: number, clock: Clock) {
    this.#settleMs = settleMs;
    this.#clock = clock;
  }

  /** Has this file rested for long enough? To be asked at every look. */
  judge(path: MirrorPath, stat: StatToken): SettleVerdict {
    if (this.#settleMs === 0) return null;
    const seen = this.#observe(path, stat);
    const verdict = this.#verdictOn(seen);
    if (verdict === null) {
      this.#unsettled.delete(path);
      if (this.#settled.get(path) !== seen) this.#settled.set(path, seen);
    } else {
      this.#settled.delete(path);
      this.#unsettled.set(path, seen);
    }
    return verdict;
  }

  forget(path: MirrorPath): void {
    this.#unsettled.delete(path);
    this.#settled.delete(path);
  }

  #observe(path: MirrorPath, stat: StatToken): Observation {
    const before = this.#unsettled.get(path) ?? this.#settled.get(path);
    if (before?.stat === stat) return before;
    const written = before !== undefined && wasWritten(before.stat, stat);
    return { stat, sinceMs: this.#clock.monotonicMs(), written };
  }

  #verdictOn({ stat, sinceMs, written }: Observation): SettleVerdict {
    const settleMs = this.#settleMs;
    const unchangedMs = this.#clock.monotonicMs() - sinceMs;
    if (unchangedMs >= settleMs) return null;
    const restMs = settleMs - unchangedMs;
    const ageMs = this.#clock.wallMs() - Number(parseStatToken(stat).mtimeNs / 1_000_000n);
    if (ageMs < 0)
      return waiting(restMs, `its modification time lies ${formatSeconds(-ageMs)} in the future`);
    if (written) return waiting(restMs, `seen being written ${formatSeconds(unchangedMs)} ago`);
    if (ageMs >= settleMs) return null;
    return waiting(settleMs - Math.max(ageMs, unchangedMs), `written ${formatSeconds(ageMs)} ago`);
  }
}

function wasWritten(before: StatToken, after: StatToken): boolean {
  const a = parseStatToken(before);
  const b = parseStatToken(after);
  return a.inode === b.inode && (a.sizeBytes !== b.sizeBytes || a.mtimeNs !== b.mtimeNs);
}

function waiting(waitMs: number, why: string): SettleVerdict {
  const whole = Math.max(1, Math.ceil(waitMs));
  return { waitMs: whole, why: `${why}, settles in ${formatSeconds(whole)}` };
}
