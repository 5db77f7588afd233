import { changesNothing } from '../../../src/contract/changes-nothing.ts';
import { replacedBy } from '../../../src/contract/replaced.ts';
import { Fault } from '../../../src/contract/faults.ts';
import type { Clock, Manifest } from '../../../src/contract/ports.ts';
import { NO_MEMORY } from '../../../src/contract/types.ts';
import type {
  Change,
  Entry,
  FileId,
  Garbage,
  Intent,
  ManifestView,
  Memory as SmallMemory,
  MirrorPath,
  Recorded,
  Rejection,
} from '../../../src/contract/types.ts';
import type { Incarnation } from './sim-process.ts';
import type { SimRandom } from './sim-random.ts';

/** All that is remembered, as plain maps. */
export class Memory implements ManifestView {
  readonly mirrorId: string;
  readonly files = new Map<MirrorPath, Entry>();
  readonly intents = new Map<MirrorPath, Intent>();
  readonly garbage = new Map<FileId, Garbage>();
  readonly rejected = new Map<MirrorPath, Rejection>();

  constructor(mirrorId: string) {
    this.mirrorId = mirrorId;
  }

  apply(change: Change): void {
    merge(this.files, change.files);
    merge(this.intents, change.intents);
    merge(this.garbage, change.garbage);
    merge(this.rejected, change.rejected);
  }
}

interface Pending {
  readonly change: Change;
  readonly resolve: () => void;
  readonly reject: (fault: Fault) => void;
}

/** The state directory: what survives a process. */
export class SimStateDir {
  readonly #durable: Memory;
  readonly #random: SimRandom;
  readonly #onDurable: (change: Change) => void;
  readonly #clock: Clock;
  #endedMs: number[] = [];
  #isFull = false;

  /** `onDurable`: called with each change that will be durable, when `survivor` is still without it. */
  constructor(mirrorId: string, clock: Clock, random: SimRandom, onDurable: (change: Change) => void) {
    this.#clock = clock;
    this.#durable = new Memory(mirrorId);
    this.#random = random;
    this.#onDurable = onDurable;
  }

  /** What the next incarnation will find. */
  survivor(): ManifestView {
    return this.#durable;
  }

  /**
   * When upload attempts of the last 61 s ended, unix milliseconds by the local wall clock. One that is not known to
   * have ended ends now; so does one that the wall clock, set back since, places in the future.
   */
  recentAttemptsMs(): readonly number[] {
    const nowMs = this.#clock.wallMs();
    const recent = this.#endedMs
      .filter((endedMs) => endedMs > nowMs - 61_000)
      .map((endedMs) => Math.min(endedMs, nowMs));
    return [...recent, ...Array.from(this.#durable.intents, () => nowMs)];
  }

  /** What was remembered besides the manifest. */
  memory: SmallMemory = NO_MEMORY;

  get isFull(): boolean {
    return this.#isFull;
  }

  /** ENOSPC from now on, or no longer. */
  setFull(isFull: boolean): void {
    this.#isFull = isFull;
  }

  /** Loads the manifest for one incarnation. */
  open(incarnation: Incarnation): SimManifest {
    return new SimManifest(this, incarnation, this.#random);
  }

  /** The write reached the disk. False, and nothing changes, when there is no room. */
  write(change: Change): boolean {
    if (this.#isFull) return false;
    this.#noteEnds(change);
    this.#onDurable(change);
    this.#durable.apply(change);
    return true;
  }

  /** An intent that is cleared, or replaced by a later one, was an attempt that has ended by now. */
  #noteEnds(change: Change): void {
    const nowMs = this.#clock.wallMs();
    for (const [path, next] of Object.entries(change.intents ?? {})) {
      const open = this.#durable.intents.get(path);
      if (open === undefined || open.startedAtMs === next?.startedAtMs) continue;
      // What a wall clock that was set back since places in the future ended now, and ages from now on.
      this.#endedMs = [...this.#endedMs.map((endedMs) => Math.min(endedMs, nowMs)), nowMs];
    }
    if (this.#endedMs.length > 1_000) this.#endedMs = this.#endedMs.slice(-500);
  }
}

/** `Manifest` with group commit: memory changes when the change is durable, and not before. */
export class SimManifest implements Manifest {
  readonly #memory: Memory;
  readonly #stateDir: SimStateDir;
  readonly #incarnation: Incarnation;
  readonly #random: SimRandom;
  readonly #subscribers: Recorded[] = [];
  #waiting: Pending[] = [];
  #flushing: readonly Pending[] = [];
  /** Ends when the memory is written: one at a time, in the order in which they were asked for. */
  #remembering: Promise<unknown> = Promise.resolve();

  constructor(stateDir: SimStateDir, incarnation: Incarnation, random: SimRandom) {
    const survivor = stateDir.survivor();
    this.#memory = new Memory(survivor.mirrorId);
    this.#memory.apply({
      files: Object.fromEntries(survivor.files),
      intents: Object.fromEntries(survivor.intents),
      garbage: Object.fromEntries(survivor.garbage),
      rejected: Object.fromEntries(survivor.rejected),
    });
    this.#stateDir = stateDir;
    this.#incarnation = incarnation;
    this.#random = random;
    incarnation.onDeath(() => this.#die());
  }

  get mirrorId(): string {
    return this.#memory.mirrorId;
  }

  get files(): ReadonlyMap<MirrorPath, Entry> {
    return this.#memory.files;
  }

  get intents(): ReadonlyMap<MirrorPath, Intent> {
    return this.#memory.intents;
  }

  get garbage(): ReadonlyMap<FileId, Garbage> {
    return this.#memory.garbage;
  }

  get rejected(): ReadonlyMap<MirrorPath, Rejection> {
    return this.#memory.rejected;
  }

  get memory(): SmallMemory {
    return this.#stateDir.memory;
  }

  /** Either the one before or the new one survives a death: a file is replaced as a whole. */
  remember(memory: SmallMemory): Promise<void> {
    const written = serialised(memory);
    return this.#incarnation.call('manifest.remember', async () => {
      const turn = this.#remembering.then(async () => {
        await this.#incarnation.sleep(this.#random.int(1, 5));
        if (this.#stateDir.isFull) throw fullFault();
        this.#stateDir.memory = written;
      });
      this.#remembering = turn.catch(() => {});
      await turn;
    });
  }

  subscribe(told: Recorded): void {
    this.#subscribers.push(told);
  }

  commit(change: Change): Promise<void> {
    if (changesNothing(change)) return Promise.resolve();
    const written = serialised(change);
    return this.#incarnation.call('manifest.commit', () => {
      return new Promise((resolve, reject) => {
        this.#waiting.push({ change: written, resolve, reject });
        if (this.#flushing.length === 0) void this.#flush();
      });
    });
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#flushing = this.#waiting;
      this.#waiting = [];
      await this.#incarnation.sleep(
        this.#random.chance(0.05) ? this.#random.int(20, 150) : this.#random.int(1, 3),
      );
      for (const { change, resolve, reject } of this.#flushing) {
        if (this.#stateDir.write(change)) {
          const replaced = replacedBy(this.#memory, change);
          this.#memory.apply(change);
          for (const told of this.#subscribers) told(change, replaced);
          resolve();
        } else {
          reject(fullFault());
        }
      }
      this.#flushing = [];
    }
  }

  /** Of what was written and not yet acknowledged, the journal keeps a prefix. */
  #die(): void {
    const unacknowledged = this.#flushing;
    const kept = this.#random.int(0, unacknowledged.length);
    for (const { change } of unacknowledged.slice(0, kept)) this.#stateDir.write(change);
  }
}

function merge<V>(map: Map<string, V>, patch: Readonly<Record<string, V | null>> | undefined): void {
  for (const [key, value] of Object.entries(patch ?? {})) {
    if (value === null) map.delete(key);
    else map.set(key, value);
  }
}

/** Only what JSON can carry survives the journal, and nothing that the engine still holds. */
function serialised<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function fullFault(): Fault {
  return new Fault('the state directory is full', {
    disposition: 'halt',
    halt: 'state',
    outcome: 'refused',
    rule: 'disk-full',
  });
}
