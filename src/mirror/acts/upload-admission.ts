import { type Fault, survivable } from '../../contract/faults.ts';
import type { FilesApi } from '../../contract/ports.ts';
import type { MirrorPath } from '../../contract/types.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import { WHOSE_IDS } from '../waiting/topics.ts';
import { again, on, type Next } from '../waiting/worklist.ts';
import type { ApiHalts } from './api-halts.ts';
import type { LaneGovernor } from './lane-governor.ts';
import type { ScopeGuard } from './scope-guard.ts';
import type { Trial } from './trial.ts';

/** What it works with. */
export interface AdmissionParts {
  readonly api: FilesApi;
  readonly apiHalts: ApiHalts;
  readonly governor: LaneGovernor;
  readonly halts: HaltBoard;
  readonly notes: PathNotes;
  readonly scope: ScopeGuard;
  readonly trial: Trial;
  /** Breaks off what is under way. One probe serves several, so it is not for one of them to end it. */
  readonly signal: AbortSignal;
}

/** What must be known before anything is sent: the server's clock, and that the recorded ids are of this project. */
export class UploadAdmission {
  readonly #parts: AdmissionParts;
  #hasProbed = false;
  #probing: Promise<void> | null = null;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** Null: the path's file may be sent now. */
  async unlessAdmitted(path: MirrorPath, signal: AbortSignal): Promise<Next | null> {
    const { halts, notes, scope, api } = this.#parts;
    try {
      if (api.serverNowMs() === null && !this.#hasProbed) {
        await this.#learnServerClock();
        // Whether there is anything to send may depend on the time: by a wrong clock, an entry may only seem expired.
        return again(0);
      }
      if (await scope.admits()) return null;
    } catch (error) {
      signal.throwIfAborted();
      waitForApi(this.#parts, path, survivable(error));
      return again(0);
    }
    notes.set(path, halts.has('scope') ? 'held' : 'pending', scope.refusal().message);
    return on(WHOSE_IDS);
  }

  /**
   * An intent must name its start by the server's clock, or a listing could not tell its file from an older one of
   * somebody else. Before the first reply of a run that clock is unknown, so something harmless is asked first; some
   * servers never tell it.
   */
  async #learnServerClock(): Promise<void> {
    const { api, trial } = this.#parts;
    // One probe serves all who wait: a key that is refused is not tried eight times.
    this.#probing ??= api.probe(this.#parts.signal).finally(() => {
      this.#probing = null;
    });
    await this.#probing;
    this.#hasProbed = true;
    trial.granted();
  }
}

/** Nothing is wrong with the path's file: the path waits until the lane moves again. */
export function waitForApi(
  { apiHalts, governor, notes }: Pick<AdmissionParts, 'apiHalts' | 'governor' | 'notes'>,
  path: MirrorPath,
  fault: Fault,
): void {
  if (fault.disposition === 'halt') apiHalts.raise(fault);
  else governor.failed(fault, null);
  notes.set(path, fault.disposition === 'halt' ? 'held' : 'pending', fault.message);
}
