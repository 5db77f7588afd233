/** What judges the content of a file while it is being read. */
import type { FolderRules } from '../mirror/types.ts';

/** The first reason against a file. */
export interface CheckProblem {
  /** Short stable name, e.g. `empty`, `too-large`, `extension`, `batch-line`. */
  readonly rule: string;
  /** What a person needs to know, in one line. */
  readonly message: string;
}

/** The checks of one file, fed with its bytes in order. Used for one reading, then thrown away. */
export interface ContentCheck {
  /** Decided without content: empty, too large, wrong extension. Null: nothing against it so far. */
  readonly problem: CheckProblem | null;
  write(chunk: Uint8Array): void;
  end(): { readonly problem: CheckProblem | null; readonly warnings: readonly string[] };
}

/** Makes the checks that the folder's rules demand. */
type CreateCheck = (rules: FolderRules, fileName: string, sizeBytes: number) => ContentCheck;

/** True when the rules can only be decided by reading the whole content. */
type NeedsFullRead = (rules: FolderRules) => boolean;

export interface ContentChecks {
  readonly createCheck: CreateCheck;
  readonly needsFullRead: NeedsFullRead;
}
