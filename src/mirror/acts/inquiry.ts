import { type Fault, survivable } from '../../contract/faults.ts';
import type { Clock, Listener, Questions, SendQueue } from '../../contract/ports.ts';
import type { Halt, HaltName, ManifestView, MirrorPath, StatToken } from '../../contract/types.ts';
import { forgotten, type Superseded } from '../judge/fold.ts';
import { afterExpiry, isExpired } from '../judge/expiry.ts';
import type { Failures } from '../memory/failures.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import { serverNowSeconds } from '../../contract/times.ts';
import type { AskingRoom } from '../waiting/asking-room.ts';
import { ANSWER, endOf, WHOSE_IDS } from '../waiting/topics.ts';
import { again, on, type Next } from '../waiting/worklist.ts';
import type { ApiHalts } from './api-halts.ts';
import { HALTED } from './asker.ts';
import { noteFailure } from './note-failure.ts';
import type { Resolver } from './resolver.ts';
import type { ScopeGuard } from './scope-guard.ts';
import type { Trial } from './trial.ts';
import type { Uploader } from './uploader.ts';

const FOUND_OUT_LATER = 'whether an earlier upload of it arrived is found out later';
const EXPIRED_AND_GONE = 'expired and removed locally; it is forgotten when the API confirms that';

/** What it works with. */
interface Parts {
  readonly api: Questions;
  readonly apiHalts: ApiHalts;
  readonly askingRoom: AskingRoom;
  readonly clock: Clock;
  readonly failures: Failures;
  readonly halts: HaltBoard;
  readonly ledger: Ledger;
  readonly listener: Listener;
  readonly notes: PathNotes;
  readonly queue: SendQueue;
  readonly resolver: Resolver;
  readonly scope: ScopeGuard;
  readonly trial: Trial;
  readonly uploader: Pick<Uploader, 'intentEnded'>;
  readonly view: ManifestView;
}

/**
 * The steps of a path that needs an answer of the API before anything else. While it waits for one it holds no look, and
 * what it asks waits for its turn among all questions.
 */
export class Inquiry {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Finds out what became of the path's upload of unknown outcome. Throws only the signal's reason, or as `survivable`. */
  async resolve(
    path: MirrorPath,
    stat: StatToken,
    movedFrom: Superseded | null,
    signal: AbortSignal,
  ): Promise<Next> {
    const { resolver, scope, uploader, view } = this.#parts;
    return await this.#asking(path, stat, FOUND_OUT_LATER, signal, async () => {
      const intent = view.intents.get(path);
      if (intent === undefined) return again(0);
      // In another project's list it is not, wherever it arrived.
      if (!(await scope.admits())) return this.#waits(path, FOUND_OUT_LATER, WHOSE_IDS);
      const next = await resolver.search(path, intent, movedFrom, signal);
      if (!view.intents.has(path)) uploader.intentEnded(path);
      return next;
    });
  }

  /** The time of the path's entry is over and its file is gone; the API must agree before the id is forgotten. */
  async forgetExpired(path: MirrorPath, stat: StatToken, signal: AbortSignal): Promise<Next> {
    return await this.#asking(path, stat, EXPIRED_AND_GONE, signal, async () => {
      const refusal = await this.#parts.trial.beforeMany();
      if (refusal !== null) return this.#failed(path, stat, EXPIRED_AND_GONE, refusal);
      return await this.#forgetIfGone(path, signal);
    });
  }

  async #forgetIfGone(path: MirrorPath, signal: AbortSignal): Promise<Next> {
    const { api, view, ledger, listener, scope, trial } = this.#parts;
    const entry = view.files.get(path);
    // Before the first reply of a run the server's clock is not known: by its own clock it may not be expired at all.
    if (entry === undefined || !isExpired(entry, serverNowSeconds(this.#parts))) return again(0);
    const remote = await api.retrieve(entry.id, signal);
    trial.granted();
    const after = afterExpiry(remote, serverNowSeconds(this.#parts));
    if (after.kind === 'lives') {
      await ledger.commit({ files: { [path]: { ...entry, expiresAt: after.expiresAt } } });
      return again(0);
    }
    if (after.kind === 'forget-if-believed' && !(await scope.believesAbsence()))
      return this.#waits(path, EXPIRED_AND_GONE, WHOSE_IDS);
    await ledger.commit(forgotten(view, path));
    listener({ kind: 'expired', path, id: entry.id });
    return again(0);
  }

  /** `why`: what is said of the path as long as nothing may be asked. */
  async #asking(
    path: MirrorPath,
    stat: StatToken,
    why: string,
    signal: AbortSignal,
    ask: () => Promise<Next>,
  ): Promise<Next> {
    const { askingRoom, clock, failures, halts } = this.#parts;
    const halt = halts.ofEverything();
    if (halt !== null) return this.#waitsForEnd(path, why, halt);
    const waitMs = failures.askAgainInMs(path, clock.monotonicMs());
    if (waitMs > 0) return again(waitMs);
    if (!askingRoom.enter(path)) return this.#waits(path, why, ANSWER);
    try {
      const next = await ask();
      failures.answered(path);
      return next;
    } catch (error) {
      signal.throwIfAborted();
      return this.#failed(path, stat, why, await this.#parts.trial.ofId(survivable(error)));
    }
  }

  #failed(path: MirrorPath, stat: StatToken, why: string, fault: Fault): Next {
    const { apiHalts, clock, failures, halts } = this.#parts;
    if (fault.disposition === 'halt') apiHalts.raise(fault);
    const halt = halts.ofEverything();
    if (halt !== null) return this.#waitsForEnd(path, why, halt);
    if (fault.rule === HALTED) return again(0);
    const retryInMs = noteFailure(this.#parts, path, stat, fault);
    failures.askNotBefore(path, clock.monotonicMs() + retryInMs);
    return again(retryInMs);
  }

  #waitsForEnd(path: MirrorPath, why: string, { name }: Halt<HaltName>): Next {
    return this.#waits(path, why, endOf(name));
  }

  #waits(path: MirrorPath, why: string, topic: string): Next {
    const { notes } = this.#parts;
    if (topic !== ANSWER || notes.stateOf(path) !== 'failed') notes.set(path, 'pending', why);
    return on(topic);
  }
}
