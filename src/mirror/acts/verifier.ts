import type { FileUses } from '../../contract/file-uses.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import type { Questions, Clock, Listener } from '../../contract/ports.ts';
import { serverNowSeconds } from '../../contract/times.ts';
import { surveyRemote, type Survey } from '../judge/remote-survey.ts';
import { survivable } from '../../contract/faults.ts';
import type { VerifyReport } from '../../contract/report.ts';
import type { ScopeGuard } from './scope-guard.ts';
import type { Storage } from './storage.ts';
import type { Trial } from './trial.ts';
import type { LostFiles } from '../memory/lost-files.ts';
import { doubtLines } from '../judge/list-doubts.ts';
import { listEverything } from '../../contract/whole-listing.ts';
import type { FileId, MirrorPath, ManifestView } from '../../contract/types.ts';
import { REST, type Worklist } from '../waiting/worklist.ts';

/** A file that was recorded less than this ago may not be listed yet, however soon an upload is looked for in vain. */
const TOO_YOUNG_SECONDS = 60;
/** Two looks this far apart must both miss a file before it counts as gone. */
const CONFIRM_AFTER_MS = 5_000;

interface Comparison {
  readonly survey: Survey;
  /** Surely gone. */
  readonly missing: readonly { readonly path: MirrorPath; readonly id: FileId }[];
  readonly unjudged: readonly MirrorPath[];
}

/** What it works with. */
interface Parts {
  readonly api: Questions;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly ledger: Ledger;
  readonly listener: Listener;
  readonly view: ManifestView;
  readonly worklist: Worklist;
  readonly trial: Trial;
  readonly scope: ScopeGuard;
  readonly storage: Storage;
  readonly uses: FileUses;
  readonly lost: LostFiles;
}

/**
 * Holds the manifest against the remote. A file that is gone there is confirmed by two look-ups some seconds
 * apart. Nothing is ever deleted because of what a verification finds.
 */
export class Verifier {
  readonly #parts: Parts;
  /** What was told already: an odd entry stays for as long as its owner leaves it there. */
  readonly #told = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * `wait`: what was uploaded too shortly before the call to be judged is compared once it can be. Throws `Fault`, or the
   * signal's reason.
   */
  async verify(repair: boolean, signal: AbortSignal, wait = false): Promise<VerifyReport> {
    const first = await this.#compare(signal);
    const waitMs = wait ? this.#untilJudgedMs(first.unjudged) : 0;
    if (waitMs > 0) await this.#parts.clock.sleep(waitMs, signal);
    const { survey, missing, unjudged } = waitMs > 0 ? await this.#compare(signal) : first;
    if (repair) {
      for (const { path, id } of missing) {
        this.#parts.listener({
          kind: 'warning',
          message: `${path}: its remote file is gone; it is uploaded again`,
        });
        this.#parts.lost.note(id);
        this.#parts.worklist.mark(path);
      }
    }
    return {
      version: 1,
      checked: survey.checked - unjudged.length,
      unjudged,
      missing,
      differing: survey.differing,
      expired: survey.expired,
      usage: survey.usage,
      repaired: repair,
    };
  }

  #tell(lines: readonly string[]): void {
    for (const message of lines) {
      if (this.#told.has(message)) continue;
      this.#told.add(message);
      this.#parts.listener({ kind: 'warning', message });
    }
  }

  async #compare(signal: AbortSignal): Promise<Comparison> {
    const { api, view, uses } = this.#parts;
    const { settings } = this.#parts.config;
    if (!(await this.#parts.scope.admits())) throw this.#parts.scope.refusal();
    const { files: listed, doubts } = await listEverything(api, signal);
    this.#tell(doubtLines(doubts));
    const survey = surveyRemote(
      view,
      listed,
      serverNowSeconds(this.#parts),
      settings.trustReply,
      uses.made(),
    );
    this.#parts.storage.surveyed(survey);
    await this.#correctExpiry(survey);
    // A list that shows none of our files is rather one of another project than one from which all were deleted.
    if (survey.unseen.length + survey.expired.length === survey.checked && survey.unseen.length > 0) {
      if (!(await this.#parts.scope.believesAbsence())) throw this.#parts.scope.refusal();
    }
    return { survey, ...(await this.#judge(survey.unseen, signal)) };
  }

  /** As long as a lost upload is looked for: new files may take that long to show up. */
  #tooYoungSeconds(): number {
    return Math.max(TOO_YOUNG_SECONDS, this.#parts.config.settings.lookMs / 1000);
  }

  /** How long until none of these is too young any more; 0 when that is not why they cannot be judged. */
  #untilJudgedMs(paths: readonly MirrorPath[]): number {
    const now = serverNowSeconds(this.#parts);
    const created = paths.map((path) => this.#parts.view.files.get(path)?.createdAt ?? 0);
    const oldEnoughAt = Math.max(0, ...created) + this.#tooYoungSeconds() + 1;
    return Math.max(0, oldEnoughAt - now) * 1000;
  }

  /** What became of entries that the listing does not show. */
  async #judge(
    unseen: readonly MirrorPath[],
    signal: AbortSignal,
  ): Promise<Pick<Comparison, 'missing' | 'unjudged'>> {
    const { view, clock } = this.#parts;
    const unjudged: MirrorPath[] = [];
    let suspects = unseen.flatMap((path) => {
      const entry = view.files.get(path);
      return entry === undefined ? [] : [{ path, id: entry.id, createdAt: entry.createdAt }];
    });
    for (const waitMs of [0, CONFIRM_AFTER_MS]) {
      if (suspects.length === 0) break;
      await clock.sleep(waitMs, signal);
      const still: typeof suspects = [];
      for (const suspect of suspects) {
        // Replaced or deleted by ourselves meanwhile: no business of a verification.
        if (view.files.get(suspect.path)?.id !== suspect.id) continue;
        const found = await this.#find(suspect.id, signal);
        if (found === 'there') continue;
        // A new file may be missing from look-ups as from lists.
        const isYoung = suspect.createdAt > serverNowSeconds(this.#parts) - this.#tooYoungSeconds();
        if (found === 'unknown' || isYoung) unjudged.push(suspect.path);
        else still.push(suspect);
      }
      suspects = still;
    }
    return { missing: suspects.map(({ path, id }) => ({ path, id })), unjudged };
  }

  /** `unknown`: the look-up of this id is refused, while others are granted. */
  async #find(id: FileId, signal: AbortSignal): Promise<'there' | 'gone' | 'unknown'> {
    try {
      return (await this.#parts.api.retrieve(id, signal)) === null ? 'gone' : 'there';
    } catch (error) {
      signal.throwIfAborted();
      const fault = survivable(error);
      if (fault.halt !== 'auth') throw fault;
      const judged = await this.#parts.trial.ofId(fault);
      if (judged.disposition === 'halt') throw judged;
      return 'unknown';
    }
  }

  async #correctExpiry({ expiryCorrections }: Survey): Promise<void> {
    const { view, ledger, worklist } = this.#parts;
    for (const { path, id, expiresAt } of expiryCorrections) {
      if (!worklist.claim(path)) continue;
      try {
        const entry = view.files.get(path);
        // RACE: it may have been replaced since it was listed, or since the first of these was recorded.
        if (entry?.id === id) await ledger.commit({ files: { [path]: { ...entry, expiresAt } } });
      } finally {
        worklist.done(path, REST);
      }
    }
  }
}
