import { statSync } from 'node:fs';
import type { Clock, Hint } from '../contract/ports.ts';
import { describeError } from '../contract/errno.ts';
import { remoteKindAmong } from './file-system-kind.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import { explainLimit } from './inotify-limit.ts';
import { type SessionEnd, WatchSession } from './watch-session.ts';

export type WatchMode = 'auto' | 'native' | 'polling' | 'off';

/** How the tree is being watched. */
export interface WatchState {
  /** For `status`, e.g. `native`, `polling (network file system nfs)`, `off`. */
  readonly watching: string;
  /** Worth telling a person, once; null otherwise. */
  readonly warning: string | null;
}

export interface WatchOptions {
  /** Absolute. */
  readonly root: string;
  /** First-level folders that are mirrored. */
  readonly folders: readonly string[];
  readonly mode: WatchMode;
  /** Between two looks at everything while polling. */
  readonly pollMs: number;
  /** What the last look at everything took, so that polling of a large tree does not fill a core. */
  readonly lastScanMs: () => number;
  readonly rules: IgnoreRules;
  readonly clock: Clock;
  readonly onHint: (hint: Hint) => void;
  readonly onState: (state: WatchState) => void;
  readonly signal: AbortSignal;
}

/** Polling may take a tenth of the time. */
const POLL_PERIOD_PER_SCAN = 10;
/** How often the root is checked for having become another directory, which its old inode does not tell. */
const IDENTITY_CHECK_MS = 1000;
const FIRST_BACKOFF_MS = 1000;
const LAST_BACKOFF_MS = 60_000;

/**
 * Hints at what changed in the tree until the signal aborts, then resolves; never rejects. A hint is never proof,
 * and no hint is no proof either: whenever events may have been lost, `everything` is hinted.
 *
 * `native`: inotify (or its like) through chokidar. `polling`: no watcher, `everything` is hinted periodically;
 * a scan of 100,000 files takes some 0.3 s. `auto`: `native`, unless the root is on a file system that reports
 * nothing. When the system's limits are reached, `polling` takes over.
 */
export async function watchTree(options: WatchOptions): Promise<void> {
  try {
    const { mode } = options;
    if (mode === 'off') return options.onState({ watching: 'off', warning: null });
    if (mode === 'polling') return await poll(options, { watching: 'polling', warning: null });
    await poll(options, await watchNatively(options));
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
}

async function poll(
  { pollMs, lastScanMs, clock, onHint, onState, signal }: WatchOptions,
  state: WatchState,
): Promise<never> {
  onState(state);
  for (;;) {
    await clock.sleep(Math.max(pollMs, POLL_PERIOD_PER_SCAN * lastScanMs()), signal);
    onHint({ kind: 'everything', why: 'polling' });
  }
}

/** Watches natively for as long as the system allows it; resolves with why it is to be polled instead. */
async function watchNatively(options: WatchOptions): Promise<WatchState> {
  const { root, folders, rules, clock, onHint, onState, signal } = options;
  let backoffMs = FIRST_BACKOFF_MS;
  for (;;) {
    await untilRootIsThere(options);
    const remote = options.mode === 'auto' ? remoteKindAmong(watchedPlaces(options)) : null;
    if (remote !== null) {
      const warning = `${root} is on ${remote}, which does not report what others change; polling`;
      return { watching: `polling (network file system ${remote})`, warning };
    }
    const startedMs = clock.monotonicMs();
    const end = await runSession(options);
    // The next session hints at everything itself, once it is ready.
    if (end.kind !== 'error') continue;
    const limit = await explainLimit(end.error, root, folders, rules);
    if (limit !== null)
      return { watching: 'polling (inotify limit)', warning: `${limit}; polling meanwhile` };
    if (clock.monotonicMs() - startedMs > LAST_BACKOFF_MS) backoffMs = FIRST_BACKOFF_MS;
    onState({
      watching: 'restarting',
      warning: `the watcher failed and is restarted: ${describeError(end.error)}`,
    });
    onHint({ kind: 'everything', why: 'the watcher failed' });
    await clock.sleep(backoffMs, signal);
    backoffMs = Math.min(2 * backoffMs, LAST_BACKOFF_MS);
  }
}

async function runSession(options: WatchOptions): Promise<SessionEnd> {
  const { onHint, onState, signal } = options;
  const identity = identityOf(options);
  const watchdog = new AbortController();
  const session = new WatchSession({
    ...options,
    onReady: () => {
      onState({ watching: 'native', warning: null });
      onHint({ kind: 'everything', why: 'the watcher is ready' });
    },
  });
  try {
    const either = AbortSignal.any([signal, watchdog.signal]);
    return await Promise.race([session.ended, untilReplaced(options, identity, either)]);
  } finally {
    watchdog.abort();
    await session.close();
  }
}

/** RACE: a watch holds the inode, not the path; only the path tells that the root was renamed, remounted or replaced. */
async function untilReplaced(
  options: WatchOptions,
  identity: readonly string[],
  signal: AbortSignal,
): Promise<SessionEnd> {
  for (;;) {
    await options.clock.sleep(IDENTITY_CHECK_MS, signal);
    const now = identityOf(options);
    if (now[0] !== identity[0]) {
      options.onHint({ kind: 'everything', why: 'the root was replaced or is gone' });
      return { kind: 'replaced' };
    }
    // A folder that comes or goes is an event in the root. One that is another at once was mounted over.
    if (now.some((id, index) => id !== '' && identity[index] !== '' && id !== identity[index])) {
      return { kind: 'replaced' };
    }
  }
}

async function untilRootIsThere(options: WatchOptions): Promise<void> {
  while (identityOf(options)[0] === '') {
    options.onState({ watching: 'waiting for the root', warning: null });
    await options.clock.sleep(IDENTITY_CHECK_MS, options.signal);
  }
}

/** What tells the root and each purpose folder from another directory in its place; empty for what is not there. */
function identityOf(options: WatchOptions): readonly string[] {
  return watchedPlaces(options).map((place) => {
    try {
      const stat = statSync(place, { bigint: true, throwIfNoEntry: false });
      return stat?.isDirectory() ? `${stat.dev} ${stat.ino} ${stat.birthtimeNs}` : '';
    } catch {
      return '';
    }
  });
}

function watchedPlaces({ root, folders }: WatchOptions): readonly string[] {
  return [root, ...folders.map((folder) => `${root}/${folder}`)];
}
