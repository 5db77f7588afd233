import type { Core } from './core.ts';
import { serverNowSeconds } from './core.ts';
import { surveyRemote, type Survey } from './remote-survey.ts';
import { survivable } from './faults.ts';
import type { VerifyReport } from './report.ts';
import type { Trial } from './trial.ts';
import type { FilesApi } from './ports.ts';
import type { FileId, MirrorPath, RemoteFile } from './types.ts';

/** A file that was recorded less than this ago may not be listed yet. */
const TOO_YOUNG_SECONDS = 60;
/** Two looks this far apart must both miss a file before it counts as gone. */
const CONFIRM_AFTER_MS = 5_000;

/** Everything that the API lists, by id. */
export async function listEverything(
  api: FilesApi,
  signal: AbortSignal,
): Promise<ReadonlyMap<FileId, RemoteFile>> {
  const listed = new Map<FileId, RemoteFile>();
  for await (const page of api.list({ purpose: null, order: 'desc' }, signal)) {
    for (const file of page) listed.set(file.id, file);
  }
  return listed;
}

/**
 * Holds the manifest against the remote. A file that is gone there is confirmed by two look-ups some seconds
 * apart. Nothing is ever deleted because of what a verification finds.
 */
export class Verifier {
  readonly #core: Core;
  readonly #trial: Trial;
  readonly #onLost: (path: MirrorPath) => void;
  readonly #onSurvey: (survey: Survey) => void;

  /** `onLost`: called with `repair` for each path whose remote file is surely gone. */
  constructor(
    core: Core,
    trial: Trial,
    onLost: (path: MirrorPath) => void,
    onSurvey: (survey: Survey) => void,
  ) {
    this.#core = core;
    this.#trial = trial;
    this.#onLost = onLost;
    this.#onSurvey = onSurvey;
  }

  /** Throws `Fault`, or the signal's reason. */
  async verify(repair: boolean, signal: AbortSignal): Promise<VerifyReport> {
    const { api, view } = this.#core;
    const listed = await listEverything(api, signal);
    const survey = surveyRemote(view, listed, serverNowSeconds(this.#core));
    this.#onSurvey(survey);
    await this.#correctExpiry(survey);
    const missing = await this.#confirm(survey.unseen, signal);
    if (repair) {
      for (const { path } of missing) {
        this.#core.listener({
          kind: 'warning',
          message: `${path}: its remote file is gone; it is uploaded again`,
        });
        this.#onLost(path);
      }
    }
    return {
      version: 1,
      checked: survey.checked,
      missing,
      differing: survey.differing,
      expired: survey.expired,
      usage: survey.usage,
      repaired: repair,
    };
  }

  async #confirm(
    unseen: readonly MirrorPath[],
    signal: AbortSignal,
  ): Promise<{ path: MirrorPath; id: FileId }[]> {
    const { view, clock } = this.#core;
    const youngest = serverNowSeconds(this.#core) - TOO_YOUNG_SECONDS;
    let suspects = unseen.flatMap((path) => {
      const entry = view.files.get(path);
      return entry === undefined || entry.createdAt > youngest ? [] : [{ path, id: entry.id }];
    });
    for (const waitMs of [0, CONFIRM_AFTER_MS]) {
      if (suspects.length === 0) break;
      await clock.sleep(waitMs, signal);
      const still: typeof suspects = [];
      for (const suspect of suspects) {
        // Replaced or deleted by ourselves meanwhile: no business of a verification.
        if (view.files.get(suspect.path)?.id !== suspect.id) continue;
        if (await this.#isGone(suspect.id, signal)) still.push(suspect);
      }
      suspects = still;
    }
    return suspects;
  }

  /** An id whose look-up is refused, while others are granted, is not known to be gone. */
  async #isGone(id: FileId, signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.#core.api.retrieve(id, signal)) === null;
    } catch (error) {
      signal.throwIfAborted();
      const fault = survivable(error);
      if (fault.halt !== 'auth') throw fault;
      const judged = await this.#trial.ofId(fault);
      if (judged.disposition === 'halt') throw judged;
      return false;
    }
  }

  async #correctExpiry({ expiryCorrections }: Survey): Promise<void> {
    const { view, ledger, worklist } = this.#core;
    for (const { path, expiresAt } of expiryCorrections) {
      if (!worklist.claim(path)) continue;
      try {
        const entry = view.files.get(path);
        if (entry !== undefined) await ledger.commit({ files: { [path]: { ...entry, expiresAt } } });
      } finally {
        worklist.done(path, null);
      }
    }
  }
}
