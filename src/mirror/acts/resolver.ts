import { sameVersionByStat } from '../../contract/stat-token.ts';
import type { Questions } from '../../contract/ports.ts';
import type { FileId, FolderRules, Intent, MirrorPath, RemoteFile, StatToken } from '../../contract/types.ts';
import { completed, ignoredExpiry } from '../judge/belief.ts';
import { discarded, intentCleared, intentSearchedFor, type Superseded } from '../judge/fold.ts';
import {
  answeredMessage,
  judgeSearch,
  rivalsOf,
  searchTimesMs,
  searchedMs,
  unclearMessage,
  type SearchVerdict,
} from '../judge/lost-upload.ts';
import type { HoldRule } from '../judge/rejections.ts';
import { earliestCreationMs, findingOf, fitOf, type Finding } from '../judge/whose-file.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import { type Reloadable, rulesOf } from '../memory/reloadable.ts';
import { SeenFiles } from '../memory/seen-files.ts';
import { nowSeconds } from '../../contract/times.ts';
import { again, type Next } from '../waiting/worklist.ts';
import { recordDiscarded, recordHeld, recordStored, type RecordParts } from './record-stored.ts';
import { SharedListings } from './shared-listings.ts';

/** A file of which the disk cannot tell anything is asked for again after this long. */
const UNTOLD_MS = 5_000;

/** The search for one path's upload: how often its purpose was listed, and when the search began. */
interface Search {
  readonly listings: number;
  readonly beganAtMs: number;
  readonly beganWallMs: number;
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
type Local = { readonly kind: 'untold' } | Told;

type Told =
  | { readonly kind: 'other' }
  | {
      readonly kind: 'same';
      readonly stat: StatToken;
      readonly rules: FolderRules;
      readonly sha256: string;
    };

/** A search that is over. `movedFrom`: the entry whose file was renamed to here. */
interface Decided {
  readonly path: MirrorPath;
  readonly intent: Intent;
  readonly finding: Finding;
  readonly verdict: Exclude<SearchVerdict, { kind: 'list-again' }>;
  readonly movedFrom: Superseded | null;
}

/** What it works with. */
interface Parts extends RecordParts {
  readonly api: Questions;
  readonly config: Reloadable;
  readonly index: IdentityIndex;
}

/**
 * Finds out what became of uploads whose outcome is unknown: lists their purpose, newest first, back to before
 * their start, and looks for the one file that can be theirs (`whose-file.ts`).
 */
export class Resolver {
  readonly #parts: Parts;
  readonly #searches = new Map<MirrorPath, Search>();
  readonly #attempts = new Map<MirrorPath, Attempt>();
  readonly #seen = new SeenFiles();
  readonly #listings: SharedListings;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#listings = new SharedListings(parts, this.#seen);
  }

  /** The outcome of this path's attempt became unknown now. */
  begin(path: MirrorPath, attempt: Attempt): void {
    this.#searches.delete(path);
    this.#attempts.set(path, attempt);
  }

  /**
   * Goes on with the search for the upload that `intent` stands for. When it is decided, the intent is gone and the path
   * is to be looked at again at once. `movedFrom`: the entry whose file was renamed to here.
   */
  async search(
    path: MirrorPath,
    intent: Intent,
    movedFrom: Superseded | null,
    signal: AbortSignal,
  ): Promise<Next> {
    const { clock, ledger } = this.#parts;
    const { settings } = this.#parts.config;
    if (intent.sent === false) {
      // This run or an earlier one broke the upload off before the server had the whole body.
      await ledger.record(intentCleared(path), signal);
      this.#attempts.delete(path);
      return again(0);
    }
    const times = searchTimesMs(settings.lookMs);
    const search = this.#searches.get(path) ?? (await this.#beginSearch(path, intent, times, signal));
    this.#searches.set(path, search);
    this.#tell(path, intent, search);
    const dueInMs = search.beganAtMs + (times[search.listings] ?? 0) - clock.monotonicMs();
    if (dueInMs > 0) return again(dueInMs);
    const finding = await this.#find(path, intent, signal);
    const listings = search.listings + 1;
    const nextMs = times[listings];
    const verdict = judgeSearch(finding, intent.answered !== undefined, nextMs === undefined);
    if (verdict.kind === 'list-again') {
      this.#searches.set(path, { ...search, listings });
      return again(Math.max(0, search.beganAtMs + (nextMs ?? 0) - clock.monotonicMs()));
    }
    if (!(await this.#carryOut({ path, intent, finding, verdict, movedFrom }, signal)))
      return again(UNTOLD_MS);
    this.#searches.delete(path);
    this.#attempts.delete(path);
    return again(0);
  }

  /** What the listing says about the upload. */
  async #find(path: MirrorPath, intent: Intent, signal: AbortSignal): Promise<Finding> {
    const { view, config } = this.#parts;
    const { trustReply } = config.settings;
    const purpose = trustReply.has('purpose') ? intent.purpose : null;
    const listed = await this.#listings.since(earliestCreationMs(intent), purpose, signal);
    return findingOf(
      intent,
      rivalsOf(view, path, intent.purpose, purpose === null),
      await this.#confirmed(path, intent, listed.files, signal),
      listed.doubts,
      trustReply,
      (id) => this.#seen.isDisputed(id),
    );
  }

  /** False: the disk cannot tell at the moment whether the local file still is what was sent. */
  async #carryOut(decided: Decided, signal: AbortSignal): Promise<boolean> {
    const { path, intent, verdict } = decided;
    if (verdict.kind === 'send-anew') {
      await this.#parts.ledger.record(intentCleared(path), signal);
      return true;
    }
    const local = await this.#localOf(path, intent, signal);
    if (local.kind === 'untold') return false;
    if (verdict.kind === 'hold') {
      await this.#hold(decided, verdict.rule, local, signal);
      return true;
    }
    return await this.#adopt(decided, verdict.file, local, signal);
  }

  /** Begins a search, or goes on with one that a restart has broken off. */
  async #beginSearch(
    path: MirrorPath,
    intent: Intent,
    times: readonly number[],
    signal: AbortSignal,
  ): Promise<Search> {
    const { api, clock, ledger } = this.#parts;
    const serverNowMs = api.serverNowMs();
    const elapsedMs = searchedMs(intent.lookedSinceMs ?? null, serverNowMs);
    if (intent.lookedSinceMs === undefined && serverNowMs !== null)
      await ledger.record(intentSearchedFor(path, intent, Math.floor(serverNowMs)), signal);
    // At least one listing of this run decides.
    const listings = times.slice(0, -1).filter((atMs) => atMs < elapsedMs).length;
    return {
      listings,
      beganAtMs: clock.monotonicMs() - elapsedMs,
      beganWallMs: clock.wallMs() - elapsedMs,
    };
  }

  /** It was stored as `remote`. False: that id is somebody's by now. */
  async #adopt(
    { path, intent, movedFrom }: Decided,
    remote: RemoteFile,
    local: Told,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { ledger, config, index } = this.#parts;
    // RACE: while the content was read, another path may have adopted this remote file, or given it up.
    if (this.#isKnown(remote.id)) return false;
    using _ours = index.reserveId(remote.id);
    if (local.kind === 'other') {
      await ledger.record(discarded(path, remote, intent, 'void', nowSeconds(this.#parts)), signal);
      return true;
    }
    const { stat, rules, sha256 } = local;
    const ignored = ignoredExpiry(rules, remote, config.settings.trustReply);
    if (ignored === null) {
      const version = { path, stat, sha256, remote, rules, supersedes: movedFrom };
      await recordStored(this.#parts, version, null, signal);
    } else {
      await recordDiscarded(this.#parts, { path, stat, rules }, remote, ignored, signal);
    }
    return true;
  }

  /** Another copy would be one too many: the version is not sent anew, nor is any look-alike used or deleted. */
  async #hold(
    { path, intent, finding }: Decided,
    rule: HoldRule,
    local: Told,
    signal: AbortSignal,
  ): Promise<void> {
    const { ledger, listener, index } = this.#parts;
    const { answered } = intent;
    if (finding.kind === 'unclear') this.#seen.dispute(finding.files.map(({ id }) => id));
    const message =
      finding.kind === 'unclear'
        ? unclearMessage(path, finding)
        : answeredMessage(path, answered, index.ownerOf(answered ?? ''));
    if (local.kind === 'other') {
      listener({ kind: 'warning', message: `${path}: of an earlier version: ${message}` });
      await ledger.record(intentCleared(path), signal);
      return;
    }
    const { stat, rules, sha256 } = local;
    await recordHeld(this.#parts, { path, stat, rules, sha256, kept: null, rule, message }, signal);
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

  #tell(path: MirrorPath, intent: Intent, search: Search): void {
    const { notes } = this.#parts;
    const { settings } = this.#parts.config;
    const attempt = this.#attempts.get(path);
    const why = attempt?.why ?? 'an earlier upload of it may have arrived';
    const fromTo = `in the list since ${timeOf(search.beganWallMs)}, until ${timeOf(search.beganWallMs + settings.lookMs)}`;
    const then = intent.answered === undefined ? '; it is sent again then if it is not found' : '';
    notes.set(
      path,
      attempt === undefined ? 'pending' : 'failed',
      `${why}; it is looked for as "${intent.remoteName}" with ${intent.bytes} bytes ${fromTo}${then}`,
    );
  }

  /**
   * The listed files that may be the upload: without those that are known to be another's, or were there before. QUIRK: a stale listing
   * shows files that are deleted by now, and one that leaves fields out may tell more about a file alone.
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

  /** Another version has this id, or had it until lately. */
  #isKnown(id: FileId): boolean {
    const { index } = this.#parts;
    return index.isOwned(id) || index.wasOwned(id);
  }
}

/** E.g. `2026-11-25T13:45:02Z`. */
function timeOf(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
}
