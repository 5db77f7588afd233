import type { Workshop } from './workshop.ts';

/** One benchmark: it runs what is to be compared in turns, several rounds, and says whether the target was met. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  /** False: takes minutes, and runs only when it is named. */
  readonly runsByDefault: boolean;
  run(context: BenchContext): Promise<BenchReport>;
}

export interface BenchContext {
  readonly workshop: Workshop;
  readonly rounds: number;
  /** Of how many files, where the bench has a number that may be another one. */
  readonly files: number | null;
  /** Tells a waiting person what is going on. */
  readonly progress: (line: string) => void;
}

export interface BenchReport {
  readonly rows: readonly Row[];
  readonly verdicts: readonly Verdict[];
}

export type Unit = 'ms' | 'bytes' | 'bytes/s' | 'uploads' | 'percent' | 'count';

/** What was measured, one value a round (or a sample). The table shows the median. */
export interface Row {
  readonly what: string;
  readonly unit: Unit;
  readonly values: readonly number[];
}

export interface Verdict {
  readonly target: string;
  readonly measured: number;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export function isMet({ measured, atMost = Infinity, atLeast = -Infinity }: Verdict): boolean {
  return measured <= atMost && measured >= atLeast;
}
