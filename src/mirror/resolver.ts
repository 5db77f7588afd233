import { ignoredExpiry } from './asked-expiry.ts';
import type { Core, Next } from './core.ts';
import { again, nowSeconds, rulesOf } from './core.ts';
import {
  describedOr,
  discarded,
  discardedAndRejected,
  intentCleared,
  type Sent,
  type Superseded,
} from './fold.ts';
import { recordUpload, withGarbage } from './record-upload.ts';
import { sameRemoteName } from './remote-name.ts';
import { sameVersionByStat } from './stat-token.ts';
import type { FileId, Garbage, Intent, MirrorPath, RemoteFile } from './types.ts';

/** `Date` headers and `created_at` are whole seconds, and a request takes its time. */
const KNOWN_CLOCK_SLACK_MS = 5_000;
/** Before any reply, the server's clock is only known to be about ours. */
const UNKNOWN_CLOCK_SLACK_MS = 900_000;
/** A file of which the disk cannot tell anything is asked for again after this long. */
const UNTOLD_MS = 5_000;

interface Listing {
  sinceMs: number;
  readonly files: Promise<readonly RemoteFile[]>;
}

/**
 * Finds out what became of uploads whose outcome is unknown: lists their purpose, newest first, back to before
 * their start, and looks for a file of that name and size that we do not own. One listing serves all who wait.
 */
export class Resolver {
  readonly #core: Core;
  /** Per path: how often it was looked for, and when that began. */
  readonly #looks = new Map<MirrorPath, { readonly count: number; readonly firstAtMs: number }>();
  /** Per path: the hash of what was sent, if that is known. */
  readonly #hashes = new Map<MirrorPath, string>();
  /** Per purpose: the listing that has not begun yet and may still be joined. */
  readonly #joinable = new Map<string, Listing>();
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** The outcome of this path's attempt became unknown now. `sha256`: the hash of what was sent, if it is known. */
  begin(path: MirrorPath, sha256: string | null): void {
    this.#looks.delete(path);
    if (sha256 !== null) this.#hashes.set(path, sha256);
  }

  /**
   * One look for the upload that `intent` stands for. When it is decided, the intent is gone and the path is to
   * be looked at again at once. `movedFrom`: the entry whose file was renamed to here.
   */
  async look(
    path: MirrorPath,
    intent: Intent,
    movedFrom: Superseded | null,
    signal: AbortSignal,
  ): Promise<Next> {
    const { clock, settings } = this.#core;
    const looks = this.#looks.get(path) ?? { count: 0, firstAtMs: clock.monotonicMs() };
    const dueInMs = looks.firstAtMs + (settings.resolveLooksMs[looks.count] ?? 0) - clock.monotonicMs();
    if (dueInMs > 0) {
      this.#looks.set(path, looks);
      return again(dueInMs);
    }
    const sinceMs = startOf(intent);
    const found = (await this.#listSince(intent.purpose, sinceMs, signal)).filter(
      (file) => this.#matches(intent, file) && mayBeSince(file, sinceMs) && !this.#isTaken(file.id, path),
    );
    const count = looks.count + 1;
    this.#looks.set(path, { ...looks, count });
    const [newest, ...others] = await this.#confirmed(found, signal);
    if (newest !== undefined) {
      const isDecided = await this.#take(path, intent, newest, others, movedFrom, signal);
      if (!isDecided) {
        this.#looks.set(path, looks);
        return again(UNTOLD_MS);
      }
    } else if (count < settings.resolveLooksMs.length) {
      return again((settings.resolveLooksMs[count] ?? 0) - (clock.monotonicMs() - looks.firstAtMs));
    } else {
      // Nothing was stored, as far as any listing tells: the upload may be sent anew.
      await this.#core.ledger.record(intentCleared(path), signal);
    }
    this.#forget(path);
    return again(0);
  }

  /**
   * The path's attempt was stored as `remote`: adopts it if the local file still is that version. False: the disk
   * cannot tell at the moment.
   */
  async #take(
    path: MirrorPath,
    intent: Intent,
    remote: RemoteFile,
    others: readonly RemoteFile[],
    movedFrom: Superseded | null,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { ledger, local, view, listener } = this.#core;
    const rules = rulesOf(this.#core, path);
    const stat = await local.statOf(path);
    if (stat === null && (await local.look(path)).kind === 'unknown') return false;
    const now = nowSeconds(this.#core);
    const stillThatVersion = rules !== null && stat !== null && sameVersionByStat(stat, intent.stat);
    let sha256: string | null = null;
    if (stillThatVersion && rules.purpose === intent.purpose) {
      sha256 = this.#hashes.get(path) ?? (await local.inspect(path, stat, rules, signal)).sha256;
    }
    // RACE: another path may have adopted it while the content was read.
    if (this.#isTaken(remote.id, path)) return true;
    using _ours = this.#core.index.holdId(remote.id);
    const orphans = heldAside(path, others, intent, now);
    if (sha256 === null || rules === null || stat === null) {
      await ledger.record(withGarbage(discarded(path, remote, intent, 'void', now), orphans), signal);
      return true;
    }
    const ignored = ignoredExpiry(rules, remote);
    if (ignored !== null) {
      const refusal = { path, stat, rules, rule: 'expiry-ignored', message: ignored, now };
      await ledger.record(withGarbage(discardedAndRejected(view, remote, refusal), orphans), signal);
      listener({ kind: 'rejected', path, rule: refusal.rule, message: ignored });
      return true;
    }
    const upload = { path, stat, sha256, remote, rules, supersedes: movedFrom, now };
    const replaced = view.files.get(path)?.id ?? null;
    await recordUpload(this.#core, upload, orphans, signal);
    listener({
      kind: 'uploaded',
      path,
      id: remote.id,
      bytes: intent.bytes,
      tookMs: 0,
      replaced,
      adopted: true,
    });
    return true;
  }

  #forget(path: MirrorPath): void {
    this.#looks.delete(path);
    this.#hashes.delete(path);
  }

  /** QUIRK: a stale listing shows files that are deleted by now; adopting one would leave the real one an orphan. */
  async #confirmed(found: readonly RemoteFile[], signal: AbortSignal): Promise<readonly RemoteFile[]> {
    const confirmed: RemoteFile[] = [];
    for (const file of found) {
      if (this.#core.index.wasOwned(file.id)) continue;
      if ((await this.#core.api.retrieve(file.id, signal)) !== null) confirmed.push(file);
    }
    return confirmed;
  }

  /** Somebody has this id already; but not if it was only kept aside because of what was said about this upload. */
  #isTaken(id: FileId, path: MirrorPath): boolean {
    const { index, view } = this.#core;
    const garbage = view.garbage.get(id);
    if (index.ownerOf(id) !== null || index.isHeld(id)) return true;
    return garbage !== undefined && !(garbage.hold && garbage.path === path);
  }

  #matches(intent: Intent, file: RemoteFile): boolean {
    if (file.filename === null) return false;
    const sameName = sameRemoteName(file.filename) === sameRemoteName(intent.remoteName);
    return sameName && file.bytes === intent.bytes && file.purpose === intent.purpose;
  }

  /** Joins a listing that has not begun yet: one that has begun may have passed over the file already. */
  #listSince(purpose: string, sinceMs: number, signal: AbortSignal): Promise<readonly RemoteFile[]> {
    const joinable = this.#joinable.get(purpose);
    if (joinable !== undefined) {
      joinable.sinceMs = Math.min(joinable.sinceMs, sinceMs);
      return joinable.files;
    }
    const previous = this.#running.get(purpose) ?? Promise.resolve();
    const listing: Listing = {
      sinceMs,
      files: previous.then(() => {
        this.#joinable.delete(purpose);
        return this.#list(purpose, listing.sinceMs, signal);
      }),
    };
    this.#joinable.set(purpose, listing);
    const settled = listing.files.then(
      () => {},
      () => {},
    );
    this.#running.set(purpose, settled);
    return listing.files;
  }

  async #list(purpose: string, sinceMs: number, signal: AbortSignal): Promise<readonly RemoteFile[]> {
    const found: RemoteFile[] = [];
    for await (const page of this.#core.api.list({ purpose, order: 'desc' }, signal)) {
      const recent = page.filter((file) => mayBeSince(file, sinceMs));
      found.push(...recent);
      if (recent.length === 0) break;
    }
    return found;
  }
}

function mayBeSince({ createdAt }: RemoteFile, sinceMs: number): boolean {
  return createdAt === null || createdAt * 1000 >= sinceMs;
}

/** The earliest `created_at` that an upload of this intent can have, unix milliseconds by the server's clock. */
function startOf(intent: Intent): number {
  return intent.serverStartedAtMs === null
    ? intent.startedAtMs - UNKNOWN_CLOCK_SLACK_MS
    : intent.serverStartedAtMs - KNOWN_CLOCK_SLACK_MS;
}

/** Further files that look like the same upload: one of them may be somebody else's, so a person decides. */
function heldAside(
  path: MirrorPath,
  files: readonly RemoteFile[],
  sent: Sent,
  now: number,
): Readonly<Record<FileId, Garbage>> {
  return Object.fromEntries(
    files.map((file) => [
      file.id,
      { path, ...describedOr(file, sent), since: now, reason: 'orphan', hold: true },
    ]),
  );
}
