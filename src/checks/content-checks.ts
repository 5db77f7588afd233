/** The checks as the mirror uses them: small files are checked where they are, large ones on a thread of its own. */
import type { FolderRules } from '../contract/types.ts';
import { CheckThread } from './check-thread.ts';
import { createDetailedCheck, needsFullRead, type Verdict } from './checks.ts';
import type { CheckProblem } from './findings.ts';

/**
 * Smaller files are parsed in 35 ms at worst (nothing but empty arrays, in the small heap of the daemon), mostly in less
 * than one. Starting the thread takes some 40 ms.
 */
const WORTH_A_THREAD_BYTES = 512 * 1024;

/** The check of one file, fed with its bytes in order. Used for one reading, then dropped. */
export interface ContentCheck {
  /** Decided without content: empty, too large, wrong extension. Null: nothing against it so far. */
  readonly problem: CheckProblem | null;
  /** When it returns, or the promise resolves, the bytes are not needed any more. */
  write(chunk: Uint8Array): void | Promise<void>;
  end(): Verdict | Promise<Verdict>;
  /** Nothing more is asked of it. */
  drop(): void;
}

export interface ContentChecks {
  /** `sizeBytes`: what will be fed to the check. */
  createCheck(rules: FolderRules, fileName: string, sizeBytes: number): ContentCheck;
  needsFullRead(rules: FolderRules): boolean;
}

export function createContentChecks(thread = new CheckThread()): ContentChecks {
  return {
    needsFullRead,
    createCheck(rules, fileName, sizeBytes) {
      const check = createDetailedCheck(rules, fileName, sizeBytes);
      if (check.problem !== null || sizeBytes < WORTH_A_THREAD_BYTES || !needsFullRead(rules))
        return { ...check, drop: () => undefined };
      return thread.check({ rules, fileName, sizeBytes }, check);
    },
  };
}
