/** What judges the content of a file while it is being read: `checks` makes it, `local` feeds it. */
import type { FolderRules } from './types.ts';

/** The first reason against a file. */
export interface CheckProblem {
  /** Short stable name, e.g. `empty`, `too-large`, `extension`, `batch-line`. */
  readonly rule: string;
  /** What a person needs to know, in one line. */
  readonly message: string;
}

/** What is made of a file. */
export interface CheckVerdict {
  /** Null: accepted. Otherwise the findings in one line: the first ones, and how many more. */
  readonly problem: CheckProblem | null;
  /** Worth telling, not refused. */
  readonly warnings: readonly string[];
}

/** The check of one file, fed with its bytes in order. Used for one reading, then dropped. */
export interface ContentCheck {
  /** Decided without content: empty, too large, wrong extension. Null: nothing against it so far. */
  readonly problem: CheckProblem | null;
  /** When it returns, or the promise resolves, the bytes of the writes before are not needed any more; these may be. */
  write(chunk: Uint8Array): void | Promise<void>;
  end(): CheckVerdict | Promise<CheckVerdict>;
  /** Nothing more is asked of it. */
  drop(): void;
}

export interface ContentChecks {
  /** Makes the check that the folder's rules demand. `sizeBytes`: what will be fed to it. */
  createCheck(rules: FolderRules, fileName: string, sizeBytes: number): ContentCheck;
  /** True when the rules can only be decided by reading the whole content. */
  needsFullRead(rules: FolderRules): boolean;
}
