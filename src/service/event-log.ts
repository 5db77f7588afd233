import { counted, formatBytes, formatDuration } from '../contract/quantities.ts';
import type { AppEvent, AppListener } from '../contract/app-event.ts';
import type { Clock, DeletedWhy } from '../contract/ports.ts';
import type { LogFields, Logger, LogLevel } from './logger.ts';
import { batchMessage } from './batch-text.ts';
import { printable } from '../contract/shown-text.ts';
import { systemClock } from './system-clock.ts';

interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

const levels: Readonly<Record<AppEvent['kind'], LogLevel>> = {
  uploaded: 'info',
  moved: 'info',
  deleted: 'info',
  expired: 'info',
  resumed: 'info',
  scanned: 'info',
  'batch-submitted': 'info',
  'batch-progress': 'debug',
  'batch-ended': 'info',
  'results-written': 'info',
  rejected: 'warn',
  skipped: 'warn',
  failed: 'warn',
  warning: 'warn',
  halted: 'error',
};

const whyDeleted: Readonly<Record<DeletedWhy, string>> = {
  deleted: 'removed locally',
  replaced: 'a newer version took its place',
  renamed: 'a remote file of another name took its place',
  void: 'the file changed while it was sent',
  mismatch: 'it was not stored as asked',
  orphan: 'kept aside, and released',
};

/** While an API is down every file fails for the same reason; one line of them in this time is enough. */
const quietMs = 30_000;
/** How long a cause is remembered, for the number of those that were left unsaid. */
const rememberMs = 600_000;

/**
 * A listener that logs one line for every event. Of failures that say the same, one is a warning and the others
 * of the next 30 s are only seen at level `debug`; the next warning tells how many they were.
 */
export function logEvents(logger: Logger, clock: Pick<Clock, 'monotonicMs'> = systemClock): AppListener {
  const lastFailure = new Map<string, { atMs: number; unsaid: number }>();
  return (event) => {
    const { level, message, fields } = lineFor(event);
    if (event.kind !== 'failed') {
      logger.log(level, message, fields);
      return;
    }
    const nowMs = clock.monotonicMs();
    // Oldest first, since one that is said anew goes last.
    for (const [cause, { atMs }] of lastFailure) {
      if (nowMs - atMs < rememberMs) break;
      lastFailure.delete(cause);
    }
    const last = lastFailure.get(event.message);
    if (last !== undefined && nowMs - last.atMs < quietMs) {
      last.unsaid += 1;
      logger.log('debug', message, fields);
      return;
    }
    lastFailure.delete(event.message);
    lastFailure.set(event.message, { atMs: nowMs, unsaid: 0 });
    const more = last?.unsaid ?? 0;
    if (more === 0) logger.log(level, message, fields);
    else logger.log(level, `${message} (and ${more} more like it before)`, { ...fields, more });
  };
}

/** What is said about an event, and how loudly. */
export function lineFor(event: AppEvent): LogLine {
  const { kind, ...facts } = event;
  return {
    level: levelOf(event),
    message: messageOf(event),
    fields: { event: kind, ...loggedFacts(facts) },
  };
}

function levelOf(event: AppEvent): LogLevel {
  // A person's own wish is no error.
  if (event.kind === 'halted' && event.name === 'paused') return 'warn';
  const isWhole = event.kind !== 'results-written' || event.state === 'done';
  return isWhole ? levels[event.kind] : 'warn';
}

function messageOf(event: AppEvent): string {
  switch (event.kind) {
    case 'uploaded': {
      const verb = event.adopted ? 'adopted' : event.replaced === null ? 'uploaded' : 'replaced';
      return `${verb} ${printable(event.path)} as ${event.id} (${formatBytes(event.bytes)}, ${formatDuration(event.tookMs)})`;
    }
    case 'moved':
      return `moved ${printable(event.from)} to ${printable(event.path)}, still ${event.id}`;
    case 'deleted':
      return `deleted ${event.id} of ${printable(event.path)}: ${whyDeleted[event.why]}`;
    case 'rejected':
      return `rejected ${printable(event.path)}: ${printable(event.message)}`;
    case 'skipped':
      return `skipped ${printable(event.path)}: ${printable(event.reason)}`;
    case 'failed':
      return `failed ${printable(event.path)}: ${printable(event.message)}; next try in ${formatDuration(event.retryInMs)}`;
    case 'expired':
      return `expired ${event.id} of ${printable(event.path)}`;
    case 'halted':
      return `${event.name === 'paused' ? 'paused' : `halted (${event.name}): ${printable(event.cause)}`}; ${printable(event.held)}; ${printable(event.next)}`;
    case 'resumed':
      return event.name === 'paused' ? 'resumed' : `resumed: the halt ${printable(event.name)} is over`;
    case 'scanned':
      return `looked at ${counted(event.files, 'file')} in ${formatDuration(event.tookMs)}, ${event.dirty} to work on (${printable(event.why)})`;
    case 'batch-submitted':
    case 'batch-progress':
    case 'batch-ended':
    case 'results-written':
      return batchMessage(event);
    default:
      return printable(event.message);
  }
}

/**
 * pino's own key for the text is `msg`; an event's `message` goes by `detail`, so that nobody takes one for the
 * other. Milliseconds are whole.
 */
function loggedFacts(facts: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => {
      if (key === 'message') return ['detail', value];
      return [key, key.endsWith('Ms') && typeof value === 'number' ? Math.round(value) : value];
    }),
  );
}
