import type { PathNotes } from '../memory/path-notes.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import { command } from '../../contract/command.ts';
import { ignoredExpiry } from '../judge/asked-expiry.ts';
import { completed } from '../judge/belief.ts';
import { nowSeconds, serverNowSeconds } from '../memory/times.ts';
import { type Reloadable, rulesOf } from '../memory/reloadable.ts';
import {
  discarded,
  discardedAndRejected,
  intentCleared,
  intentLookedFor,
  versionHeld,
  type Superseded,
} from '../judge/fold.ts';
import { lookTimesMs, searchedMs } from '../judge/look-times.ts';
import { remoteNameOf } from '../../contract/mirror-path.ts';
import { isHold, type HoldRule } from '../judge/plan.ts';
import type { ListDoubt, FilesApi, Clock, Listener } from '../../contract/ports.ts';
import { recordUpload } from './record-upload.ts';
import { SeenFiles } from '../memory/seen-files.ts';
import { sameVersionByStat, sizeOf } from '../../contract/stat-token.ts';
import type {
  FileId,
  FolderRules,
  Intent,
  MirrorPath,
  Rejection,
  RemoteFile,
  StatToken,
  ManifestView,
} from '../../contract/types.ts';
import { earliestCreationMs, findingOf, fitOf, mayBeSince, type Finding } from '../judge/whose-file.ts';
import { again, type Next, type Worklist } from '../waiting/worklist.ts';

/** A file of which the disk cannot tell anything is asked for again after this long. */
const UNTOLD_MS = 5_000;
/** Ids that one message names. */
const IDS_TO_NAME = 5;

/** What a listing showed and what it left open. */
interface Listed {
  readonly files: readonly RemoteFile[];
  readonly doubts: readonly ListDoubt[];
}

interface Listing {
  sinceMs: number;
  readonly listed: Promise<Listed>;
}

/** How often a path's upload was looked for, and since when. */
interface Looks {
  readonly count: number;
  readonly firstAtMs: number;
  readonly firstWallMs: number;
}

/** What is known of an attempt whose outcome became unknown in this run. */
interface Attempt {
  /** The hash of what was sent, if that is known. */
  readonly sha256: string | null;
  /** Why its outcome is unknown, in one line. */
  readonly why: string;
  /** When it was sent, monotonic. */
  readonly startedMs: number;
}

/** The local side of an attempt, as it is now. */
type Local =
  | { readonly kind: 'untold' }
  | { readonly kind: 'other' }
  | {
      readonly kind: 'same';
      readonly stat: StatToken;
      readonly rules: FolderRules;
      readonly sha256: string;
    };

/** What it works with. */
interface Parts {
  readonly api: FilesApi;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly index: IdentityIndex;
  readonly ledger: Ledger;
  readonly listener: Listener;
  readonly notes: PathNotes;
  readonly view: ManifestView;
  readonly worklist: Worklist;
}

/**
 * Finds out what became of uploads whose outcome is unknown: lists their purpose, newest first, back to before
 * their start, and looks for the one file that can be theirs (`whose-file.ts`). One listing serves all who wait.
 */
export class Resolver {
  readonly #parts: Parts;
  readonly #looks = new Map<MirrorPath, Looks>();
  readonly #attempts = new Map<MirrorPath, Attempt>();
  readonly #seen = new SeenFiles();
  /** Per purpose, null for all: the listing that has not begun yet and may still be joined. */
  readonly #joinable = new Map<string | null, Listing>();
  readonly #running = new Map<string | null, Promise<unknown>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The outcome of this path's attempt became unknown now. */
  begin(path: MirrorPath, attempt: Attempt): void {
    this.#looks.delete(path);
    this.#attempts.set(path, attempt);
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
    const { clock, ledger } = this.#parts;
    const { settings } = this.#parts.config;
    if (intent.sent === false) {
      // Broken off, in this run or an earlier one, before the server had all of it.
      await ledger.record(intentCleared(path), signal);
      this.#attempts.delete(path);
      return again(0);
    }
    const times = lookTimesMs(settings.lookMs);
    const looks = this.#looks.get(path) ?? (await this.#beginLooking(path, intent, times, signal));
    this.#looks.set(path, looks);
    this.#tell(path, intent, looks);
    const dueInMs = looks.firstAtMs + (times[looks.count] ?? 0) - clock.monotonicMs();
    if (dueInMs > 0) return again(dueInMs);
    const listed = await this.#listSince(intent, signal);
    const finding = findingOf(
      intent,
      this.#rivalsOf(path, intent),
      await this.#confirmed(path, intent, listed.files, signal),
      listed.doubts,
      settings.trustReply,
      (id) => this.#seen.isDisputed(id),
    );
    const count = looks.count + 1;
    const nextMs = times[count];
    if (finding.kind !== 'ours' && nextMs !== undefined) {
      this.#looks.set(path, { ...looks, count });
      return again(Math.max(0, looks.firstAtMs + nextMs - clock.monotonicMs()));
    }
    const isDecided =
      finding.kind === 'ours'
        ? await this.#take(path, intent, finding.file, movedFrom, signal)
        : await this.#giveUp(path, intent, finding, signal);
    if (!isDecided) return again(UNTOLD_MS);
    this.#looks.delete(path);
    this.#attempts.delete(path);
    return again(0);
  }

  /** A search that a restart has broken off goes on where it was. */
  async #beginLooking(
    path: MirrorPath,
    intent: Intent,
    times: readonly number[],
    signal: AbortSignal,
  ): Promise<Looks> {
    const { api, clock, ledger } = this.#parts;
    const serverNowMs = api.serverNowMs();
    const elapsedMs = searchedMs(intent.lookedSinceMs ?? null, serverNowMs);
    if (intent.lookedSinceMs === undefined && serverNowMs !== null)
      await ledger.record(intentLookedFor(path, intent, Math.floor(serverNowMs)), signal);
    // At least one look of this run decides.
    const count = times.slice(0, -1).filter((atMs) => atMs < elapsedMs).length;
    return {
      count,
      firstAtMs: clock.monotonicMs() - elapsedMs,
      firstWallMs: clock.wallMs() - elapsedMs,
    };
  }

  /**
   * The path's attempt was stored as `remote`: adopts it if the local file still is that version. False: the disk
   * cannot tell at the moment.
   */
  async #take(
    path: MirrorPath,
    intent: Intent,
    remote: RemoteFile,
    movedFrom: Superseded | null,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { ledger, view, listener } = this.#parts;
    const { settings } = this.#parts.config;
    const local = await this.#localOf(path, intent, signal);
    if (local.kind === 'untold') return false;
    // RACE: another path may have adopted it while the content was read, or given it up.
    if (this.#isKnown(remote.id)) return false;
    const now = nowSeconds(this.#parts);
    using _ours = this.#parts.index.holdId(remote.id);
    if (local.kind === 'other') {
      await ledger.record(discarded(path, remote, intent, 'void', now), signal);
      return true;
    }
    const { stat, rules, sha256 } = local;
    const ignored = ignoredExpiry(rules, remote, settings.trustReply);
    if (ignored !== null) {
      const refusal = { path, stat, rules, rule: 'expiry-ignored', message: ignored, now };
      await ledger.record(discardedAndRejected(view, remote, refusal), signal);
      listener({ kind: 'rejected', path, rule: refusal.rule, message: ignored });
      return true;
    }
    const dated = { ...remote, createdAt: remote.createdAt ?? serverNowSeconds(this.#parts) };
    const upload = { path, stat, sha256, remote: dated, rules, supersedes: movedFrom, now };
    const replaced = view.files.get(path)?.id ?? null;
    await recordUpload(this.#parts, upload, signal);
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

  /**
   * All of the time is over. Nothing that could be it was listed: it was not stored, as far as anything tells, and may
   * be sent anew. But where it surely was stored, or one of `lookAlikes` may be it, another copy would be one too many:
   * the version is held. False: the disk cannot tell at the moment.
   */
  async #giveUp(
    path: MirrorPath,
    intent: Intent,
    finding: Exclude<Finding, { kind: 'ours' }>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { ledger, view, listener, index } = this.#parts;
    const { answered } = intent;
    if (answered === undefined && finding.kind === 'none') {
      await ledger.record(intentCleared(path), signal);
      return true;
    }
    const local = await this.#localOf(path, intent, signal);
    if (local.kind === 'untold') return false;
    if (finding.kind === 'unclear') this.#seen.dispute(finding.files.map(({ id }) => id));
    const rule: HoldRule = finding.kind === 'unclear' ? 'look-alikes' : 'reply-of-another';
    const message =
      finding.kind === 'unclear'
        ? unclearMessage(path, finding)
        : `the server answered its upload with the id ${answered}, which belongs to ${index.ownerOf(answered ?? '') ?? 'another file'}, and does not list it; ${retryHint(path)}`;
    if (local.kind === 'other') {
      listener({ kind: 'warning', message: `${path}: of an earlier version: ${message}` });
      await ledger.record(intentCleared(path), signal);
      return true;
    }
    const { stat, rules, sha256 } = local;
    const held = { path, stat, rules, sha256, kept: null, rule, message, now: nowSeconds(this.#parts) };
    await ledger.record(versionHeld(view, held), signal);
    listener({ kind: 'rejected', path, rule, message });
    return true;
  }

  /** Whether the local file still is the version that was sent, with its hash. */
  async #localOf(path: MirrorPath, intent: Intent, signal: AbortSignal): Promise<Local> {
    const { local } = this.#parts.config;
    const rules = rulesOf(this.#parts.config, path);
    const stat = await local.statOf(path);
    if (stat === null && (await local.look(path)).kind === 'unknown') return { kind: 'untold' };
    if (rules === null || stat === null || !sameVersionByStat(stat, intent.stat)) return { kind: 'other' };
    if (rules.purpose !== intent.purpose) return { kind: 'other' };
    const sha256 =
      this.#attempts.get(path)?.sha256 ?? (await local.inspect(path, stat, rules, signal)).sha256;
    return { kind: 'same', stat, rules, sha256 };
  }

  #tell(path: MirrorPath, intent: Intent, looks: Looks): void {
    const { notes } = this.#parts;
    const { settings } = this.#parts.config;
    const attempt = this.#attempts.get(path);
    const why = attempt?.why ?? 'an earlier upload of it may have arrived';
    const fromTo = `in the list since ${timeOf(looks.firstWallMs)}, until ${timeOf(looks.firstWallMs + settings.lookMs)}`;
    const then = intent.answered === undefined ? '; it is sent again then if it is not found' : '';
    notes.set(
      path,
      attempt === undefined ? 'pending' : 'failed',
      `${why}; it is looked for as "${intent.remoteName}" with ${intent.bytes} bytes ${fromTo}${then}`,
    );
  }

  /**
   * What may be the upload, without what is known to be somebody's or was there before it. QUIRK: a stale listing shows files that are
   * deleted by now, and one that leaves fields out may tell more when it is asked for the file alone.
   */
  async #confirmed(
    path: MirrorPath,
    intent: Intent,
    listed: readonly RemoteFile[],
    signal: AbortSignal,
  ): Promise<readonly RemoteFile[]> {
    const { api } = this.#parts;
    const { settings } = this.#parts.config;
    const startedMs = this.#attempts.get(path)?.startedMs ?? null;
    const confirmed: RemoteFile[] = [];
    for (const file of listed) {
      if (this.#isKnown(file.id) || this.#seen.isOlderThan(file.id, startedMs)) continue;
      if (fitOf(intent, file, settings.trustReply) === 'other') continue;
      const lookedUp = await api.retrieve(file.id, signal);
      if (lookedUp !== null) confirmed.push(completed(file, lookedUp));
    }
    return confirmed;
  }

  /**
   * The uploads of other paths whose outcome is not known, and which the same listing would show: those that are still
   * looked for, and those of which nobody could tell.
   */
  #rivalsOf(path: MirrorPath, { purpose }: Intent): readonly Intent[] {
    const { view } = this.#parts;
    const { settings } = this.#parts.config;
    const oneList = !settings.trustReply.has('purpose');
    const rivals = new Map<MirrorPath, Intent>();
    for (const [other, rejection] of view.rejected)
      if (isLost(rejection)) rivals.set(other, lostUpload(other, rejection));
    for (const [other, intent] of view.intents) rivals.set(other, intent);
    return [...rivals].flatMap(([other, intent]) =>
      other !== path && (oneList || intent.purpose === purpose) ? [intent] : [],
    );
  }

  /** Another version has this id, or had it until lately. */
  #isKnown(id: FileId): boolean {
    const { index } = this.#parts;
    return index.isOwned(id) || index.wasOwned(id);
  }

  /** Joins a listing that has not begun yet: one that has begun may have passed over the file already. */
  #listSince(intent: Intent, signal: AbortSignal): Promise<Listed> {
    const purpose = this.#parts.config.settings.trustReply.has('purpose') ? intent.purpose : null;
    const sinceMs = earliestCreationMs(intent);
    const joinable = this.#joinable.get(purpose);
    if (joinable !== undefined) {
      joinable.sinceMs = Math.min(joinable.sinceMs, sinceMs);
      return joinable.listed;
    }
    const previous = this.#running.get(purpose) ?? Promise.resolve();
    const listing: Listing = {
      sinceMs,
      listed: previous.then(() => {
        this.#joinable.delete(purpose);
        return this.#list(purpose, listing.sinceMs, signal);
      }),
    };
    this.#joinable.set(purpose, listing);
    const settled = listing.listed.then(
      () => {},
      () => {},
    );
    this.#running.set(purpose, settled);
    return listing.listed;
  }

  async #list(purpose: string | null, sinceMs: number, signal: AbortSignal): Promise<Listed> {
    const files: RemoteFile[] = [];
    const doubts: ListDoubt[] = [];
    const request = { purpose, order: 'desc', onDoubt: (doubt: ListDoubt) => doubts.push(doubt) } as const;
    for await (const page of this.#parts.api.list(request, signal)) {
      const recent = page.filter((file) => mayBeSince(file, sinceMs));
      this.#seen.note(
        recent.map(({ id }) => id),
        this.#parts.clock.monotonicMs(),
      );
      files.push(...recent);
      if (recent.length === 0) break;
    }
    return { files, doubts };
  }
}

function retryHint(path: MirrorPath): string {
  return `it is not sent again by itself: change the file, or send it anew with: ${command('retry', path)}`;
}

/** Held because one of the listed files may be it, and nobody could tell which. */
function isLost(rejection: Rejection): boolean {
  return isHold(rejection) && rejection.kept === undefined;
}

/** What is known of such an upload; of its time nothing. */
function lostUpload(path: MirrorPath, { purpose, stat }: Rejection): Intent {
  const times = { startedAtMs: 0, serverStartedAtMs: 0 };
  return { purpose, remoteName: remoteNameOf(path), bytes: sizeOf(stat), stat, ...times };
}

function unclearMessage(path: MirrorPath, { files, doubt }: Extract<Finding, { kind: 'unclear' }>): string {
  const ids = files.slice(0, IDS_TO_NAME).map(({ id }) => id);
  const more = files.length > ids.length ? `, and ${files.length - ids.length} more` : '';
  const some = files.length === 1 ? 'a listed file may be it' : 'several listed files may be it';
  const shown =
    ids.length === 0 ? null : `${some} (${ids.join(', ')}${more}), of which none is used or deleted`;
  const why = [doubt, shown].filter((each) => each !== null).join('; ');
  return `the reply to its upload was lost, and ${why}; ${retryHint(path)}`;
}

/** E.g. `2026-11-25T13:45:02Z`. */
function timeOf(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
}
