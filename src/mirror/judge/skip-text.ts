import type { SkipReason } from '../../contract/types.ts';

/** Why a path is skipped, for people. Only of what is unreadable the detail alone, an error, does not say so. */
export function skipText({
  reason,
  detail,
}: {
  readonly reason: SkipReason;
  readonly detail: string;
}): string {
  return reason === 'unreadable' ? `unreadable: ${detail}` : detail;
}
