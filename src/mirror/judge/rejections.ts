import type { FolderRules, Rejection } from '../../contract/types.ts';

/** What a rejection is about, and when it counts. Pure. */

/** Why a version is held. */
export type HoldRule = 'reply-contradicts' | 'reply-of-another' | 'look-alikes';

const HOLD_RULES: ReadonlySet<string> = new Set<HoldRule>([
  'reply-contradicts',
  'reply-of-another',
  'look-alikes',
]);

/** Whether the version is held because of what became of its upload, not refused for what it is. */
export function isHold({ rule }: Rejection): boolean {
  return HOLD_RULES.has(rule);
}

/**
 * Counts the changes of what is demanded of files: whoever starts a newer program has what the older one refused tried
 * again, as some of it was refused for no good reason.
 */
const CHECKS_REVISION = 2;

/** What a rejection depends on besides the file: change it, and the file is tried again. */
export function rulesKey(rules: FolderRules): string {
  const { purpose, check, maxBytes, expiresAfterSeconds, requests } = rules;
  const lines = requests === undefined ? '-' : JSON.stringify(requests);
  return `${CHECKS_REVISION}/${purpose}/${check}/${maxBytes}/${expiresAfterSeconds ?? '-'}/${lines}`;
}
