import type { Fault } from '../../contract/faults.ts';
import type { Listener, SendQueue } from '../../contract/ports.ts';
import type { MirrorPath, StatToken } from '../../contract/types.ts';
import type { Failures } from '../memory/failures.ts';
import type { PathNotes } from '../memory/path-notes.ts';

/** Notes one more failure of this version, tells of it when that is news, and returns how long it shall wait. */
export function noteFailure(
  parts: {
    readonly failures: Failures;
    readonly listener: Listener;
    readonly notes: PathNotes;
    readonly queue: SendQueue;
  },
  path: MirrorPath,
  stat: StatToken,
  { message, retryAfterMs, status, requestId }: Fault,
): number {
  const failures = parts.failures.add(path, stat);
  const retryInMs = Math.max(retryAfterMs ?? 0, parts.queue.backoffMs(failures));
  if (parts.notes.set(path, 'failed', message) || failures % 10 === 0)
    parts.listener({ kind: 'failed', path, message, retryInMs, failures, status, requestId });
  return retryInMs;
}
