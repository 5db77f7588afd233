import type { Core } from './core.ts';
import { nowSeconds } from './core.ts';
import { survivable } from '../../contract/faults.ts';
import { remembersNothing } from '../../contract/remembers-nothing.ts';

/**
 * Watches over the root: missing, not a directory, without its marker, or another mirror's. While it is bad,
 * nothing is sent and nothing is concluded from absence. INVARIANT: the marker is only ever written while the
 * manifest is empty, so an unmounted root with entries never gets one.
 */
export class RootGuard {
  readonly #core: Core;
  readonly #onBack: () => void;
  #device: string | null = null;
  #wasBad = false;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #good = false;
  #turn: Promise<void> = Promise.resolve();

  /** `onBack`: called when a bad root is good again, or another disk appeared in its place. */
  constructor(core: Core, onBack: () => void) {
    this.#core = core;
    this.#onBack = onBack;
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
    const now = this.#core.clock.monotonicMs();
    if (now - this.#checkedAtMs < maxAgeMs) return this.#good;
    const cause = await this.#look();
    this.#checkedAtMs = this.#core.clock.monotonicMs();
    this.#good = cause === null;
    if (cause !== null) {
      this.#wasBad = true;
      this.#raise(cause);
    } else if (this.#wasBad) {
      this.#wasBad = false;
      this.#core.halts.end('root');
      this.#onBack();
    }
    return this.#good;
  }

  /** Null: good. Otherwise what is wrong. */
  async #look(): Promise<string | null> {
    const { local, view } = this.#core;
    const look = await local.lookRoot(view.mirrorId);
    if (look.kind === 'bad') return look.reason;
    if (look.kind === 'unmarked') {
      if (!remembersNothing(this.#core.view))
        return 'its marker .files-mirror.json is missing; the disk may not be mounted';
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
    this.#core.halts.raise({
      name: 'root',
      since: nowSeconds(this.#core),
      cause: `${this.#core.settings.root}: ${cause}`,
      held: 'nothing is uploaded and nothing is deleted',
      folder: null,
    });
  }
}
