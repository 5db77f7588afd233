/** The checks as the mirror uses them: small files are checked where they are, large ones on a thread of its own. */
import type { ContentChecks } from '../contract/content-check.ts';
import { CheckThread } from './check-thread.ts';
import { createDetailedCheck, needsFullRead } from './checks.ts';

/**
 * Smaller files are parsed in 35 ms at worst (nothing but empty arrays, in the small heap of the daemon), mostly in less
 * than one. Starting the thread takes some 40 ms.
 */
const WORTH_A_THREAD_BYTES = 512 * 1024;

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
