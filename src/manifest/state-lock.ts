import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { jsonOrNull } from '../contract/json.ts';
import { isErrno } from '../contract/errno.ts';
import { fatalFault, type Fault } from '../contract/faults.ts';
import { unusable } from './manifest-fault.ts';
import { isRunning, processOf, realmOf } from './process-facts.ts';
import { createStateDir } from './state-files.ts';

/** Held until it is closed or the process ends. */
export interface Lock {
  close(): Promise<void>;
}

export interface StateLock extends Lock {
  /**
   * Looks at the lock, and throws `Fault` (`locked`, fatal) when it is another's, or may have been. That happens to a
   * process that was suspended (a paused container) for so long that it was taken for dead. To be asked right before
   * every write: a process that goes on again learns of its suspension by no other way.
   */
  assertHeld(): void;
}

export interface LockTiming {
  /** How often a holder shows that it lives. */
  readonly beatMs: number;
  /** How long a holder that cannot be seen is watched for a sign of life. More than two beats. */
  readonly watchMs: number;
}

/** A holder that cannot be seen and has not beaten for so many beats is not waited for. */
const staleBeats = 6;

const defaultTiming: LockTiming = { beatMs: 5_000, watchMs: 12_000 };

/** Who holds a lock. `token` is unique to one acquisition. */
const holderSchema = z.object({
  pid: z.int().positive(),
  token: z.string().regex(/^[0-9a-f-]+$/),
  /** Where the pid means something: boot and pid namespace (a container has its own). */
  realm: z.string(),
  /** Tells a process from a later one with the same pid; null where the system does not say. */
  started: z.string().nullable(),
  /** What it does, e.g. `sync`, for people. */
  verb: z.string().optional(),
});
type Holder = z.infer<typeof holderSchema>;

/**
 * Locks the state folder (creating it if it is missing). Throws `Fault` (`locked`, fatal) that names the pid of
 * the present holder. A holder that was killed holds nothing: its lock is taken over at once, except when it ran
 * in another container or before a reboot; then its lock is watched for a sign of life first, if it is fresh.
 * `verb`: what the lock is held for, for those who ask with `lockHolder`.
 */
export async function lockStateDir(
  stateDir: string,
  timing: LockTiming = defaultTiming,
  signal?: AbortSignal,
  verb?: string,
): Promise<StateLock> {
  const lockPath = join(stateDir, 'lock');
  const self = await describeSelf(verb);
  const holder = await createStateDir(stateDir)
    .then(() => acquire(lockPath, self, { timing, signal }))
    .catch(unusable(lockPath));
  if (holder !== null) throw lockedBy(holder.pid, stateDir, holder.realm !== self.realm);
  return heldLock(lockPath, self, timing);
}

/** `foreign`: the pid belongs to another container or host. `stopped`: by SIGSTOP or the like. */
export function lockedBy(pid: number | null, what: string, foreign = false, stopped = false): Fault {
  const who = `${pid === null ? 'pid unknown' : `pid ${pid}`}${foreign ? ', in another container or host' : ''}`;
  const next = stopped
    ? `it was stopped by a signal; let it go on with: kill -CONT ${pid}`
    : 'stop it, or use that one';
  return fatalFault('locked', `another files-mirror (${who}) holds ${what}; ${next}`);
}

/** The process that holds a mirror. */
export interface LockHolder {
  readonly pid: number;
  /** E.g. `run`, `sync`; null when it did not say. */
  readonly verb: string | null;
  /** In another container, or on another host: its pid means nothing here. */
  readonly isForeign: boolean;
  /** It was stopped, e.g. by SIGSTOP or Ctrl-Z, and will answer nobody before it is continued. */
  readonly isStopped: boolean;
}

/** Who holds the state folder now, found out without waiting; null: nobody, as far as can be seen. */
export async function lockHolder(
  stateDir: string,
  { beatMs }: Pick<LockTiming, 'beatMs'> = defaultTiming,
): Promise<LockHolder | null> {
  const lockPath = join(stateDir, 'lock');
  // A folder that cannot be read says nothing; whoever needs the lock is told why.
  const holder = await readHolder(lockPath).catch(() => null);
  if (holder === null || holder === 'gone') return null;
  const { pid, realm, started, verb = null } = holder;
  const isForeign = realm !== (await realmOf());
  if (isForeign) {
    const beat = await beatOf(lockPath);
    const isFresh = beat !== null && Math.abs(Date.now() - beat) <= staleBeats * beatMs;
    return isFresh ? { pid, verb, isForeign, isStopped: false } : null;
  }
  const { state, start } = await processOf(pid);
  if (!isRunning(pid) || (started !== null && started !== start)) return null;
  return { pid, verb, isForeign, isStopped: state === 'T' || state === 't' };
}

interface Attempt {
  readonly timing: LockTiming;
  readonly signal: AbortSignal | undefined;
}

/**
 * Null when the lock is ours now, else who holds it.
 *
 * RACE: several starters may find the same dead holder. Only the one that holds the claim on this very holder
 * (a lock of its own, named by the holder's token) may replace it, and it looks again once it has the claim:
 * whoever comes late finds another token there and starts over. A claim whose maker died is taken over likewise.
 */
async function acquire(lockPath: string, self: Holder, attempt: Attempt): Promise<Holder | null> {
  for (;;) {
    if (await createExclusively(lockPath, self)) return null;
    const holder = await readHolder(lockPath);
    if (holder === 'gone') continue;
    if (holder !== null && (await isAlive(lockPath, holder, self, attempt))) return holder;

    const claimPath = join(dirname(lockPath), `lock-${holder?.token ?? 'unreadable'}`);
    const rival = await acquire(claimPath, self, attempt);
    if (rival !== null) return rival;
    try {
      const now = await readHolder(lockPath);
      if (now === 'gone' || now?.token !== holder?.token) continue;
      await replaceAtomically(lockPath, self);
      return null;
    } finally {
      await rm(claimPath, { force: true });
    }
  }
}

async function createExclusively(lockPath: string, self: Holder): Promise<boolean> {
  return withHolderFile(lockPath, self, async (whole) => {
    try {
      await link(whole, lockPath);
      return true;
    } catch (error) {
      if (isErrno(error) && error.code === 'EEXIST') return false;
      throw error;
    }
  });
}

async function replaceAtomically(lockPath: string, self: Holder): Promise<void> {
  await withHolderFile(lockPath, self, (whole) => rename(whole, lockPath));
}

/** Makes the file under a name of its own first, so that nobody ever reads half of it. */
async function withHolderFile<T>(
  lockPath: string,
  self: Holder,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const whole = join(dirname(lockPath), `.${basename(lockPath)}-${self.token}.tmp`);
  try {
    await writeFile(whole, `${JSON.stringify(self)}\n`, { mode: 0o600 });
    return await use(whole);
  } finally {
    await rm(whole, { force: true });
  }
}

/** Null: no holder can be made out, e.g. after a power cut emptied the file. No live holder leaves that. */
async function readHolder(lockPath: string): Promise<Holder | null | 'gone'> {
  try {
    return holderIn(await readFile(lockPath, 'utf8'));
  } catch (error) {
    if (isErrno(error) && error.code === 'ENOENT') return 'gone';
    throw error;
  }
}

/** The same in this turn of the loop. Whatever else keeps it from being read, to all who see the process it is held. */
function readHolderNow(lockPath: string): Holder | null | 'gone' {
  try {
    return holderIn(readFileSync(lockPath, 'utf8'));
  } catch (error) {
    return isErrno(error) && error.code === 'ENOENT' ? 'gone' : null;
  }
}

function holderIn(text: string): Holder | null {
  return holderSchema.safeParse(jsonOrNull(text)).data ?? null;
}

async function isAlive(lockPath: string, holder: Holder, self: Holder, attempt: Attempt): Promise<boolean> {
  if (holder.realm !== self.realm) return beats(lockPath, attempt);
  return (
    isRunning(holder.pid) &&
    (holder.started === null || holder.started === (await processOf(holder.pid)).start)
  );
}

/** Watches a holder whose process cannot be seen from here. One that has not beaten for long is not waited for. */
async function beats(lockPath: string, { timing, signal }: Attempt): Promise<boolean> {
  const before = await beatOf(lockPath);
  if (before === null || Math.abs(Date.now() - before) > staleBeats * timing.beatMs) return false;
  await delay(timing.watchMs, undefined, signal === undefined ? {} : { signal });
  const after = await beatOf(lockPath);
  return after !== null && after !== before;
}

async function beatOf(lockPath: string): Promise<number | null> {
  const { mtimeMs } = await stat(lockPath).catch(() => ({ mtimeMs: null }));
  return mtimeMs;
}

function heldLock(lockPath: string, self: Holder, { beatMs }: LockTiming): StateLock {
  let lost: Fault | null = null;
  let lastBeat = instant();
  const beat = setInterval(() => {
    // A lock that cannot be read or touched (full or read-only disk) is still a lock to all who can see the process.
    beatOnce().catch(() => {});
  }, beatMs);
  beat.unref();

  function judge(holder: Holder | null | 'gone'): void {
    if (holder === 'gone') {
      // Taken away by hand, or another came and went while this process was taken for dead.
      if (elapsedMs(lastBeat) > 2 * beatMs) lost ??= perhapsLocked(dirname(lockPath));
    } else if (holder !== null && holder.token !== self.token) {
      lost ??= lockedBy(holder.pid, dirname(lockPath), holder.realm !== self.realm);
    }
  }

  async function beatOnce(): Promise<void> {
    const now = instant();
    judge(await readHolder(lockPath));
    // INVARIANT: another's lock is never touched, or that one would seem alive for as long as this process is.
    if (lost !== null) return clearInterval(beat);
    lastBeat = now;
    await utimes(lockPath, now.wallMs / 1000, now.wallMs / 1000);
  }

  return {
    assertHeld() {
      judge(readHolderNow(lockPath));
      if (lost !== null) throw lost;
    },
    async close() {
      clearInterval(beat);
      const holder = await readHolder(lockPath);
      if (holder !== 'gone' && holder?.token === self.token) await rm(lockPath, { force: true });
    },
  };
}

type Instant = Readonly<Record<'wallMs' | 'monotonicMs', number>>;

function instant(): Instant {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}

/** QUIRK: the monotonic clock stands still while the whole machine is suspended, and the other one may be set. */
function elapsedMs(since: Instant): number {
  const now = instant();
  return Math.max(Math.abs(now.wallMs - since.wallMs), now.monotonicMs - since.monotonicMs);
}

function perhapsLocked(stateDir: string): Fault {
  const message = `another files-mirror may have worked on ${stateDir} while this one was suspended; start this one again`;
  return fatalFault('locked', message);
}

async function describeSelf(verb: string | undefined): Promise<Holder> {
  return {
    pid: process.pid,
    token: randomUUID(),
    realm: await realmOf(),
    started: (await processOf(process.pid)).start,
    ...(verb === undefined ? {} : { verb }),
  };
}
