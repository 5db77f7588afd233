import type { HaltBoard } from '../memory/halts.ts';
import type { FilesApi, Clock } from '../../contract/ports.ts';
import { type Fault, survivable } from '../../contract/faults.ts';
import { asOneOnly, judgeRefusal, type Blame } from '../judge/refusal.ts';
import { sameVersionByStat } from '../../contract/stat-token.ts';
import type { MirrorPath, StatToken, ManifestView } from '../../contract/types.ts';

/**
 * A request that was granted this long before a refusal shows that the refusal was not everybody's. Longer, and a
 * trouble of all that lasts a few seconds could lie between the two.
 */
const WITNESS_MS = 1_000;
/** A request that was granted this long ago at most shows that the API grants requests, so that many may follow. */
const ASSURED_MS = 10_000;

/** No probe is under way. */
const NONE: Promise<Fault | null> = Promise.resolve(null);

/** What it works with. */
interface Parts {
  readonly api: FilesApi;
  readonly clock: Clock;
  readonly halts: HaltBoard;
  readonly view: ManifestView;
  /** Breaks off what is under way. One probe serves several, so it is not for one of them to end it. */
  readonly signal: AbortSignal;
}

/** Finds out whose a refusal is, by a request that concerns no file. */
export class Trial {
  readonly #parts: Parts;
  /** Versions that were refused while the probe was granted, and how often. */
  readonly #refused = new Map<MirrorPath, { readonly stat: StatToken; readonly times: number }>();
  #grantedAtMs = Number.NEGATIVE_INFINITY;
  #mayUpload: boolean;
  /** The probe that has not begun yet and may still be joined. */
  #joinable: Promise<Fault | null> | null = null;
  #running: Promise<Fault | null> = NONE;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#mayUpload = parts.view.files.size > 0;
  }

  /** To be called when the API has granted a request. */
  granted(): void {
    this.#grantedAtMs = this.#parts.clock.monotonicMs();
  }

  /** To be called when the API has granted an upload. */
  uploadGranted(): void {
    this.granted();
    this.#mayUpload = true;
  }

  /** To be called when the key has changed: nobody knows what the new one may do. */
  keyChanged(): void {
    this.#mayUpload = false;
    this.#grantedAtMs = Number.NEGATIVE_INFINITY;
    this.#refused.clear();
  }

  /**
   * To be called before many paths ask the API at a time, each for itself. Unless something was granted lately, one
   * request is made for all of them first. Returns the fault of that request; null: they may ask. Throws the signal's reason.
   */
  async beforeMany(): Promise<Fault | null> {
    const isAssured = this.#parts.clock.monotonicMs() - this.#grantedAtMs <= ASSURED_MS;
    return isAssured ? null : await this.#probe();
  }

  /** Whose is the refusal that the upload of this version has just met? Throws the signal's reason. */
  async ofUpload(path: MirrorPath, stat: StatToken, fault: Fault): Promise<Blame> {
    // What was under way together is refused together; the first of them has been judged.
    if (fault.halt === 'auth' && this.#parts.halts.has('auth')) return { kind: 'lane', fault };
    const known = this.#refused.get(path);
    const before = known !== undefined && sameVersionByStat(known.stat, stat) ? known.times : 0;
    const wasGranted = this.#parts.clock.monotonicMs() - this.#grantedAtMs <= WITNESS_MS;
    const isAboutRights = fault.halt === 'auth';
    const probe = await this.#probe();
    const mayUpload = this.#mayUpload;
    const blame = judgeRefusal(fault, { probe, wasGranted, before, isAboutRights, mayUpload });
    if (blame.kind === 'own') this.#refused.delete(path);
    else if (probe === null) this.#refused.set(path, { stat, times: before + 1 });
    return blame;
  }

  /**
   * What a failed DELETE or look-up of one id means: a refusal of the key only when a request that concerns no file
   * is refused too. Returns the `Fault` to go by. Throws the signal's reason.
   */
  async ofId(fault: Fault): Promise<Fault> {
    if (fault.halt !== 'auth' || this.#parts.halts.has('auth')) return fault;
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
      await this.#parts.api.probe(this.#parts.signal);
      this.granted();
      return null;
    } catch (error) {
      this.#parts.signal.throwIfAborted();
      return survivable(error);
    }
  }
}
