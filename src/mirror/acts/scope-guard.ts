import type { ManifestView } from '../../contract/types.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { ApiHalts } from './api-halts.ts';
import { askScope, foreignScope, scopeFault, unsureScope } from './ask-scope.ts';
import { nowSeconds, serverNowSeconds } from '../../contract/times.ts';
import { type Fault, survivable } from '../../contract/faults.ts';
import type { ApiTrouble } from './lane-governor.ts';
import type { ApiMemory, Questions, Clock, Listener, SendQueue } from '../../contract/ports.ts';
import { WHOSE_IDS } from '../waiting/topics.ts';
import type { Worklist } from '../waiting/worklist.ts';

/** An id for which it is not known yet whether it may be deleted is looked at again after this long. */
export const UNSURE_MS = 5_000;
/** How often it is asked again whether a foreign scope has become that of the recorded ids. */
const RECHECK_MS = 60_000;
/** A look-up that found an id answers for this long whether a 404 can be believed. */
const BELIEVED_MS = 10_000;

/** What it works with. */
interface Parts {
  readonly api: Questions;
  readonly broke: (error: unknown) => void;
  readonly clock: Clock;
  readonly halts: HaltBoard;
  readonly listener: Listener;
  readonly queue: SendQueue;
  readonly view: ManifestView;
  readonly worklist: Pick<Worklist, 'nextTurnMs' | 'signal'>;
  readonly memory: ApiMemory;
  readonly apiHalts: ApiHalts;
  /** Breaks off what is under way. One question serves several, so it is not for one of them to end it. */
  readonly signal: AbortSignal;
}

/**
 * Makes sure that the recorded ids are of the project that requests are made in. A key of another project gets 404
 * for them, which must not be taken for "deleted". INVARIANT: while what the ids belong to has changed, nothing is
 * sent, and no id is forgotten because it is unknown, before one of them was found. The guard asks by itself, also
 * when nothing waits to be sent; while nothing has changed, nothing is asked.
 */
export class ScopeGuard {
  readonly #parts: Parts;
  #believedUntilMs = Number.NEGATIVE_INFINITY;
  #nextAskMs = 0;
  /** Look-ups of our own in a row that the API did not answer. */
  #failures = 0;
  #lastMessage = '';
  #hasToldUnsure = false;
  /** Raised by each new configuration: what was found out before is about another one. */
  #epoch = 0;
  #running: Promise<boolean> | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Whether files may be sent and ids deleted. False: not now; the halt says why, or it will be seen soon.
   * Throws `Fault` when the API does not tell, or the signal's reason.
   */
  async admits(): Promise<boolean> {
    if (this.#parts.halts.has('scope')) return false;
    return this.#parts.memory.changes().length === 0 || (await this.#ask());
  }

  /** An id that is recorded was unknown (404): whether that can be believed. Else as `admits`. */
  async believesAbsence(): Promise<boolean> {
    if (!(await this.admits())) return false;
    return this.#parts.clock.monotonicMs() < this.#believedUntilMs || (await this.#ask());
  }

  /**
   * What the recorded ids belong to has changed, and it is neither known whose they are, nor does a halt stand in the
   * way of asking: until then nobody can say that all is well.
   */
  isUnproven(): boolean {
    const { halts, view } = this.#parts;
    if (halts.holdsEverything() || this.#parts.memory.changes().length === 0) return false;
    return view.files.size > 0 || view.garbage.size > 0;
  }

  /** Consecutive look-ups that failed while it is not known whose the ids are, and the last one's message. */
  trouble(): ApiTrouble | null {
    if (this.#failures === 0 || !this.isUnproven()) return null;
    return { failures: this.#failures, message: this.#lastMessage };
  }

  /** Why `admits` said no. */
  refusal(): Fault {
    const halt = this.#parts.halts.all().find(({ name }) => name === 'scope');
    return halt === undefined ? unsureScope() : scopeFault(halt.cause);
  }

  /** The API has shown one of the recorded ids. */
  sawOwnId(): void {
    this.#believedUntilMs = this.#parts.clock.monotonicMs() + BELIEVED_MS;
  }

  /** The configuration or the key may have changed: whose the ids are is asked afresh. */
  reconsider(): void {
    this.#epoch += 1;
    this.#nextAskMs = 0;
    this.#failures = 0;
    this.#hasToldUnsure = false;
    this.#believedUntilMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * To be called now and then: asks whose the ids are when that may have changed, and ends the halt when they are known
   * again. Returns the monotonic time at which it wants to be called again, or null.
   */
  tick(): number | null {
    const { clock, halts } = this.#parts;
    const isHalted = halts.has('scope');
    const isWanted = this.isUnproven() || this.#isAwaited();
    if (!isHalted && (!isWanted || this.#running !== null)) return null;
    if (clock.monotonicMs() < this.#nextAskMs) return this.#nextAskMs;
    this.#nextAskMs = clock.monotonicMs() + (isHalted ? RECHECK_MS : UNSURE_MS);
    // Not waited for: an API that does not answer would hold up whoever calls this for minutes.
    this.#askAgain().catch((error: unknown) => this.#parts.broke(error));
    return this.#nextAskMs;
  }

  /** Resolves when no question is under way any more, and what it found is written. To be called after the signal. */
  async stopped(): Promise<void> {
    await this.#running?.catch(() => {});
  }

  /** Paths wait for the answer, and no halt stands in the way of asking. */
  #isAwaited(): boolean {
    const { halts, worklist } = this.#parts;
    return worklist.nextTurnMs(WHOSE_IDS) !== null && !halts.holdsEverything();
  }

  /** A question that is not answered is asked again: soon at first, or in a minute during the halt. */
  async #askAgain(): Promise<void> {
    try {
      if ((await this.#ask()) || this.#hasToldUnsure || !this.isUnproven()) return;
      this.#hasToldUnsure = true;
      this.#parts.listener({ kind: 'warning', message: unsureScope().message });
    } catch (error) {
      if (!this.#parts.signal.aborted) this.#failed(survivable(error));
    }
  }

  #failed(fault: Fault): void {
    const { clock, halts, listener, queue } = this.#parts;
    if (halts.has('scope')) return;
    this.#failures += 1;
    this.#lastMessage = fault.message;
    this.#nextAskMs = clock.monotonicMs() + (fault.retryAfterMs ?? queue.backoffMs(this.#failures));
    if (fault.disposition === 'halt') this.#parts.apiHalts.raise(fault);
    // Said at the first trouble, and then ever more seldom.
    if (!this.isUnproven() || !Number.isInteger(Math.log2(this.#failures))) return;
    const message = `it is not known yet whether the recorded ids are of this project: ${fault.message}`;
    listener({ kind: 'warning', message });
  }

  #ask(): Promise<boolean> {
    this.#running ??= this.#askOnce().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #askOnce(): Promise<boolean> {
    const { api, view, halts } = this.#parts;
    const epoch = this.#epoch;
    const changes = this.#parts.memory.changes();
    const { verdict, unknown } = await askScope(
      { api, view, nowSeconds: serverNowSeconds(this.#parts), hasChanged: changes.length > 0 },
      this.#parts.signal,
    );
    this.#failures = 0;
    // RACE: the key may have been exchanged meanwhile; some of the ids may have been looked up with the old one.
    if (epoch !== this.#epoch || verdict === 'unsure') return false;
    if (verdict === 'foreign') {
      this.#raise(foreignScope(unknown, changes));
      return false;
    }
    this.sawOwnId();
    if (changes.length > 0) await this.#remember();
    halts.end('scope');
    this.#parts.worklist.signal(WHOSE_IDS);
    return epoch === this.#epoch;
  }

  /** What cannot be written is found out anew at the next start. */
  async #remember(): Promise<void> {
    try {
      await this.#parts.memory.confirm();
    } catch (error) {
      this.#parts.listener({ kind: 'warning', message: survivable(error).message });
    }
  }

  #raise(fault: Fault): void {
    const { clock, halts } = this.#parts;
    this.#nextAskMs = clock.monotonicMs() + RECHECK_MS;
    halts.raise({
      name: 'scope',
      since: nowSeconds(this.#parts),
      cause: fault.message,
      held: 'nothing is sent, and no id is forgotten',
      folder: null,
    });
  }
}
