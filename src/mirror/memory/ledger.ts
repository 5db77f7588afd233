import { Fault, fatalFault, survivable } from '../../contract/faults.ts';
import type { HaltBoard } from './halts.ts';
import type { Clock, Manifest } from '../../contract/ports.ts';
import { nowSeconds } from '../../contract/times.ts';
import { doubleOwners, givenIds, type Owners } from '../judge/ownership.ts';
import type { IdentityIndex } from './identity-index.ts';
import type { Change, FileId, Memory, MirrorPath, Recorded, Replaced } from '../../contract/types.ts';

/** How long to wait before trying again to write what could not be written. */
const STATE_RETRY_MS = 5_000;
/**
 * Removes a key that no path can be, so it changes nothing, but is longer than any record. On a full disk a short
 * one still fits into the rest of the last block, when the next real one does not.
 */
const PROBE: Change = { rejected: { ['/'.padEnd(8_192, '-')]: null } };

/** The paths that were not mirrored before this change, renamed ones aside. */
export function addedBy({ files = {} }: Change, replaced: Replaced): MirrorPath[] {
  const isMove = Object.values(files).includes(null);
  return Object.keys(files).filter((path) => !isMove && !replaced.files.has(path));
}

/** The one way to change the manifest, and to hear of its changes; raises and ends the halt `state`. */
export class Ledger {
  readonly #manifest: Manifest;
  readonly #halts: HaltBoard;
  readonly #clock: Clock;
  readonly #onFatal: (fault: Fault) => void;
  readonly #index: Pick<IdentityIndex, 'ownerOf' | 'ready'>;
  /** Ids that changes on the way to the disk give to somebody. */
  readonly #beingGiven = new Set<FileId>();
  /** With what is still to be written. */
  #memory: Memory;

  /** `onFatal`: called when nothing can be recorded ever again. `index`: of what `manifest` shows. */
  constructor(
    manifest: Manifest,
    halts: HaltBoard,
    clock: Clock,
    onFatal: (fault: Fault) => void,
    index: Pick<IdentityIndex, 'ownerOf' | 'ready'>,
  ) {
    this.#manifest = manifest;
    this.#halts = halts;
    this.#clock = clock;
    this.#onFatal = onFatal;
    this.#index = index;
    this.#memory = manifest.memory;
  }

  /** See `Manifest.subscribe`. */
  subscribe(told: Recorded): void {
    this.#manifest.subscribe(told);
  }

  /** What is remembered besides the manifest, durably. */
  get memory(): Memory {
    return this.#manifest.memory;
  }

  /**
   * Resolves when the change is durable. Throws the `Fault` when it cannot be made so; nothing changed then.
   * INVARIANT: what would give an id to two (`ownership.ts`) is a defect of ours: it is not written, and ends the engine.
   */
  async commit(change: Change): Promise<void> {
    await this.#durably(async () => {
      // Nobody waits for an index of a million ids.
      if (givenIds(change, this.#manifest).size > 0) await this.#index.ready();
      const given = this.#give(change);
      try {
        await this.#manifest.commit(change);
      } finally {
        for (const id of given) this.#beingGiven.delete(id);
      }
    });
  }

  /** As `commit`, for who can wait. False: the manifest cannot be written, and nothing changed; the halt says so. */
  async tryCommit(change: Change): Promise<boolean> {
    return await this.#try(() => this.commit(change));
  }

  /** Replaces a part of what is remembered besides the manifest, durably. False: as with `tryCommit`. */
  async tryRemember(part: Partial<Memory>): Promise<boolean> {
    // RACE: two at a time replace different parts; the later write has both.
    this.#memory = { ...this.#memory, ...part };
    return await this.#try(() => this.#durably(() => this.#manifest.remember(this.#memory)));
  }

  /**
   * Records what has already happened remotely: keeps trying until it is durable, since forgetting it would lose
   * an id. When the process ends before that, the open intent on disk still leads to it.
   */
  async record(change: Change, signal: AbortSignal): Promise<void> {
    while (!(await this.tryCommit(change))) await this.#clock.sleep(STATE_RETRY_MS, signal);
  }

  /** While the halt `state` lasts: finds out whether the manifest can be written again, and ends the halt then. */
  async probe(): Promise<void> {
    if (await this.tryCommit(PROBE)) this.#halts.end('state');
  }

  /** The ids that the change gives to somebody. Throws a fatal `Fault` that names those which another has. */
  #give(change: Change): ReadonlySet<FileId> {
    const { files, garbage } = this.#manifest;
    const before: Owners = { files, garbage, ownerOf: (id) => this.#index.ownerOf(id) };
    const given = givenIds(change, before);
    const twice = [
      ...doubleOwners(change, before),
      ...[...given].filter((id) => this.#beingGiven.has(id)).map((id) => `${id} (by two changes)`),
    ];
    if (twice.length > 0) {
      const what = `a defect of this program: an id would belong to two: ${twice.join('; ')}`;
      throw fatalFault('two-owners', `${what}. Nothing was recorded, and nothing is done any more`);
    }
    for (const id of given) this.#beingGiven.add(id);
    return given;
  }

  async #try(write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      if (survivable(error).halt !== 'state') throw error;
      return false;
    }
  }

  /**
   * INVARIANT: a manifest that cannot be written is waited for; one that is another process's by now ends the engine,
   * whoever asked for the change.
   */
  async #durably(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (error instanceof Fault && error.halt === 'state') this.#raise(error);
      if (error instanceof Fault && error.disposition === 'fatal') this.#onFatal(error);
      throw error;
    }
  }

  #raise(fault: Fault): void {
    this.#halts.raise({
      name: 'state',
      since: nowSeconds({ clock: this.#clock }),
      cause: fault.message,
      held: 'nothing is uploaded and nothing is deleted, since it could not be recorded',
      folder: null,
    });
  }
}
