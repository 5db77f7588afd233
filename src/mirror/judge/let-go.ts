import type { Clock } from '../../contract/ports.ts';
import type { Turnover } from '../../contract/types.ts';

/** How long a delete that was let go without a person's approval is held against the next ones. */
const WINDOW_MS = 3_600_000;
const MINUTE_MS = 60_000;

interface Minute {
  /** Monotonic. */
  readonly sinceMs: number;
  net: number;
  most: number;
}

/**
 * What the delete guard let go in the last hour, so that a folder that is emptied slowly is seen as a whole. A new file
 * makes up for one that went before it: where as much comes as goes, nothing adds up. What came first and went then
 * does add up, since it is gone.
 *
 * INVARIANT: `ofFolder` is the largest of the sums "went less came" from any moment of the last hour (to the minute)
 * until now. A minute keeps only its own sum and its own largest sum to its end: minutes can be put together by these
 * two, however many files they stand for.
 */
export class LetGo {
  readonly #clock: Clock;
  readonly #folders = new Map<string, Minute[]>();

  /** `remembered`: what `record` gave to an earlier run. Times that lie in the future (the clock was set) count as now. */
  constructor(clock: Clock, remembered: Readonly<Record<string, readonly Turnover[]>>) {
    this.#clock = clock;
    const nowMs = clock.monotonicMs();
    for (const [folder, minutes] of Object.entries(remembered)) {
      const since = ({ at }: Turnover): number => nowMs - Math.max(0, clock.wallMs() - at * 1000);
      this.#folders.set(
        folder,
        minutes.map((minute) => ({ sinceMs: since(minute), net: minute.net, most: minute.most })),
      );
    }
  }

  /** `count` remote files of this folder were given up, and no person had approved that. */
  went(folder: string, count = 1): void {
    const minute = this.#thisMinute(folder);
    minute.net += count;
    minute.most += count;
  }

  /** A path of this folder is mirrored that was not before. */
  came(folder: string): void {
    // What comes before anything went makes up for nothing; a first upload of a million files leaves no trace here.
    if (this.ofFolder(folder) === 0) return;
    const minute = this.#thisMinute(folder);
    minute.net -= 1;
    minute.most = Math.max(0, minute.most - 1);
  }

  /** A person has seen what went, and agrees. Null: of every folder. */
  forgive(folder: string | null): void {
    if (folder === null) this.#folders.clear();
    else this.#folders.delete(folder);
  }

  /** How many files of this folder were let go in the last hour and not made up for by new ones. */
  ofFolder(folder: string): number {
    let largest = 0;
    let sum = 0;
    for (const { net, most } of this.#recent(folder).toReversed()) {
      largest = Math.max(largest, sum + most);
      sum += net;
    }
    return largest;
  }

  total(): number {
    let total = 0;
    for (const folder of this.#folders.keys()) total += this.ofFolder(folder);
    return total;
  }

  /** For the disk, with what is just about to be let go in each folder. */
  record(soon: ReadonlyMap<string, number>): Readonly<Record<string, readonly Turnover[]>> {
    return this.#after(soon).#written();
  }

  /** Whether `recorded`, what `record` gave earlier, is out of date: an engine that remembers it would count otherwise. */
  differsFrom(
    recorded: Readonly<Record<string, readonly Turnover[]>>,
    soon: ReadonlyMap<string, number>,
  ): boolean {
    return this.#after(soon).#amounts() !== new LetGo(this.#clock, recorded).#amounts();
  }

  #after(soon: ReadonlyMap<string, number>): LetGo {
    const later = new LetGo(this.#clock, this.#written());
    for (const [folder, count] of soon) later.went(folder, count);
    return later;
  }

  /** Without the times: a record has them in whole seconds, by a clock that may be set. */
  #amounts(): string {
    const amounts = [...this.#folders.keys()]
      .toSorted()
      .map((folder) => [folder, this.#recent(folder).map(({ net, most }) => [net, most])] as const);
    return JSON.stringify(amounts.filter(([, minutes]) => minutes.length > 0));
  }

  #written(): Record<string, readonly Turnover[]> {
    const nowMs = this.#clock.monotonicMs();
    const wallMs = this.#clock.wallMs();
    const written: [string, readonly Turnover[]][] = [];
    for (const folder of this.#folders.keys()) {
      const minutes = this.#recent(folder);
      if (minutes.length === 0) continue;
      const at = (sinceMs: number): number => Math.max(0, Math.floor((wallMs - (nowMs - sinceMs)) / 1000));
      written.push([folder, minutes.map(({ sinceMs, net, most }) => ({ at: at(sinceMs), net, most }))]);
    }
    return Object.fromEntries(written);
  }

  #recent(folder: string): readonly Minute[] {
    const minutes = this.#folders.get(folder) ?? [];
    const overMs = this.#clock.monotonicMs() - WINDOW_MS - MINUTE_MS;
    while (minutes[0] !== undefined && minutes[0].sinceMs <= overMs) minutes.shift();
    return minutes;
  }

  #thisMinute(folder: string): Minute {
    const nowMs = this.#clock.monotonicMs();
    const minutes = this.#folders.get(folder) ?? [];
    this.#folders.set(folder, minutes);
    const last = minutes.at(-1);
    if (last !== undefined && nowMs - last.sinceMs < MINUTE_MS) return last;
    const minute: Minute = { sinceMs: nowMs, net: 0, most: 0 };
    minutes.push(minute);
    return minute;
  }
}
