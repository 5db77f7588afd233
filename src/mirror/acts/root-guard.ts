import type { ManifestView } from '../../contract/types.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import type { Clock } from '../../contract/ports.ts';
import { nowSeconds } from '../../contract/times.ts';
import { survivable } from '../../contract/faults.ts';
import { rootTrouble } from '../judge/root-trouble.ts';

/** What it works with. */
interface Parts {
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly view: ManifestView;
}

/**
 * Watches over the root: missing, not a directory, without its marker, or another mirror's. While it is bad,
 * nothing is sent and nothing is concluded from absence. INVARIANT: the marker is only ever written while the
 * manifest is empty, so an unmounted root with entries never gets one.
 */
export class RootGuard {
  readonly #parts: Parts;
  readonly #whenBack: (() => void)[] = [];
  #device: string | null = null;
  #wasBad = false;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #good = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `told`: called each time when a bad root is good again, or another disk appeared in its place. */
  whenBack(told: () => void): void {
    this.#whenBack.push(told);
  }

  /** Is the root the right one? `maxAgeMs`: how old the answer may be; 0 looks now. */
  async check(maxAgeMs: number): Promise<boolean> {
    // RACE: two at once would both find no marker, and the second one's would be in the way of the first's.
    const turn = this.#turn.then(() => this.#check(maxAgeMs));
    this.#turn = turn.then(
      () => {},
      () => {},
    );
    return await turn;
  }

  async #check(maxAgeMs: number): Promise<boolean> {
    const now = this.#parts.clock.monotonicMs();
    if (now - this.#checkedAtMs < maxAgeMs) return this.#good;
    const cause = await this.#look();
    this.#checkedAtMs = this.#parts.clock.monotonicMs();
    this.#good = cause === null;
    if (cause !== null) {
      this.#wasBad = true;
      this.#raise(cause);
    } else if (this.#wasBad) {
      this.#wasBad = false;
      this.#parts.halts.end('root');
      for (const told of this.#whenBack) told();
    }
    return this.#good;
  }

  /** Null: good. Otherwise what is wrong. */
  async #look(): Promise<string | null> {
    const { view } = this.#parts;
    const { local } = this.#parts.config;
    const look = await local.lookRoot(view.mirrorId);
    const trouble = rootTrouble(look, view);
    if (look.kind === 'bad' || trouble !== null) return trouble;
    if (look.kind === 'unmarked') {
      try {
        await local.markRoot(view.mirrorId);
      } catch (error) {
        return survivable(error).message;
      }
    }
    if (this.#device !== null && this.#device !== look.device) {
      // The right marker on another device: a remount. Everything is looked at again; deletes below it are
      // held by the folder guard until the files were seen on the new device.
      this.#wasBad = true;
    }
    this.#device = look.device;
    return null;
  }

  #raise(cause: string): void {
    this.#parts.halts.raise({
      name: 'root',
      since: nowSeconds(this.#parts),
      cause: `${this.#parts.config.settings.root}: ${cause}`,
      held: 'nothing is uploaded and nothing is deleted',
      folder: null,
    });
  }
}
