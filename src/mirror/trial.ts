import type { Core } from './core.ts';
import { type Fault, survivable } from './faults.ts';
import { asOneOnly, judgeRefusal, type Blame } from './refusal.ts';
import { sameVersionByStat } from './stat-token.ts';
import type { MirrorPath, StatToken } from './types.ts';

/**
 * A request that was granted this long before a refusal shows that the refusal was not everybody's. Longer, and a
 * trouble of all that lasts a few seconds could lie between the two.
 */
const WITNESS_MS = 1_000;

/** No probe is under way. */
const NONE: Promise<Fault | null> = Promise.resolve(null);

/** Finds out whose a refusal is, by a request that concerns no file. */
export class Trial {
  readonly #core: Core;
  readonly #signal: AbortSignal;
  /** Versions that were refused once while the probe was granted. */
  readonly #refusedOnce = new Map<MirrorPath, StatToken>();
  #grantedAtMs = Number.NEGATIVE_INFINITY;
  #mayUpload = false;
  /** The probe that has not begun yet and may still be joined. */
  #joinable: Promise<Fault | null> | null = null;
  #running: Promise<Fault | null> = NONE;

  /** `signal` breaks off what is under way. One probe serves several, so it is not for one of them to end it. */
  constructor(core: Core, signal: AbortSignal) {
    this.#core = core;
    this.#signal = signal;
  }

  /** To be called when the API has granted a request. */
  granted(): void {
    this.#grantedAtMs = this.#core.clock.monotonicMs();
  }

  /** To be called when the API has granted an upload. */
  uploadGranted(): void {
    this.granted();
    this.#mayUpload = true;
  }

  /** To be called when the key may be another one: what that may do is not known. */
  keyChanged(): void {
    this.#mayUpload = false;
  }

  /** Whose is the refusal that the upload of this version has just met? Throws the signal's reason. */
  async ofUpload(path: MirrorPath, stat: StatToken, fault: Fault): Promise<Blame> {
    // What was under way together is refused together; the first of them has been judged.
    if (fault.halt === 'auth' && this.#core.halts.has('auth')) return { kind: 'lane', fault };
    const before = this.#refusedOnce.get(path);
    const hasWitness =
      this.#core.clock.monotonicMs() - this.#grantedAtMs <= WITNESS_MS ||
      (before !== undefined && sameVersionByStat(before, stat));
    const isAboutRights = fault.halt === 'auth';
    const probe = await this.#probe();
    const blame = judgeRefusal(fault, { probe, hasWitness, isAboutRights, mayUpload: this.#mayUpload });
    if (blame.kind === 'unproven') this.#refusedOnce.set(path, stat);
    else if (blame.kind === 'own') this.#refusedOnce.delete(path);
    return blame;
  }

  /**
   * What a failed DELETE or look-up of one id means: a refusal of the key only when a request that concerns no file
   * is refused too. Returns the `Fault` to go by. Throws the signal's reason.
   */
  async ofId(fault: Fault): Promise<Fault> {
    if (fault.halt !== 'auth' || this.#core.halts.has('auth')) return fault;
    return (await this.#probe()) ?? asOneOnly(fault);
  }

  /**
   * Joins a probe that has not begun yet: one that has begun may have been granted before the refusal. One that is
   * refused answers those too who came meanwhile.
   */
  #probe(): Promise<Fault | null> {
    if (this.#joinable !== null) return this.#joinable;
    const probe = this.#running.then(async (refused) => {
      this.#joinable = null;
      if (refused !== null) return refused;
      const asked = this.#ask();
      this.#running = asked.catch(() => null);
      const fault = await asked;
      this.#running = NONE;
      return fault;
    });
    this.#joinable = probe;
    return probe;
  }

  async #ask(): Promise<Fault | null> {
    try {
      await this.#core.api.probe(this.#signal);
      this.granted();
      return null;
    } catch (error) {
      this.#signal.throwIfAborted();
      return survivable(error);
    }
  }
}
