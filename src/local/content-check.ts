/** What judges the content of a file while it is being read. */
import type { FolderRules } from '../contract/types.ts';

/** The first reason against a file. */
export interface CheckProblem {
  /** Short stable name, e.g. `empty`, `too-large`, `extension`, `batch-line`. */
  readonly rule: string;
  /** What a person needs to know, in one line. */
  readonly message: string;
}

/** What is made of the content. */
export interface CheckVerdict {
  readonly problem: CheckProblem | null;
  readonly warnings: readonly string[];
}

/** The checks of one file, fed with its bytes in order. Used for one reading, then dropped. */
export interface ContentCheck {
  /** Decided without content: empty, too large, wrong extension. Null: nothing against it so far. */
  readonly problem: CheckProblem | null;
  /** When it returns, or the promise resolves, the bytes are not needed any more. */
  write(chunk: Uint8Array): void | Promise<void>;
  end(): CheckVerdict | Promise<CheckVerdict>;
  /** Nothing more is asked of it. */
  drop(): void;
}

/** Makes the checks that the folder's rules demand. */
type CreateCheck = (rules: FolderRules, fileName: string, sizeBytes: number) => ContentCheck;

/** True when the rules can only be decided by reading the whole content. */
type NeedsFullRead = (rules: FolderRules) => boolean;

export interface ContentChecks {
  readonly createCheck: CreateCheck;
  readonly needsFullRead: NeedsFullRead;
}
