import type { Ledger } from '../memory/ledger.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import type { FilesApi, Clock, Listener, SendQueue } from '../../contract/ports.ts';
import type { ApiHalts } from './api-halts.ts';
import { type Fault, survivable } from '../../contract/faults.ts';
import type { FileUses } from '../../contract/file-uses.ts';
import { garbageDeleted, isSurelyOurs } from '../judge/fold.ts';
import type { LaneGovernor } from './lane-governor.ts';
import type { RootGuard } from './root-guard.ts';
import { type ScopeGuard, UNSURE_MS } from './scope-guard.ts';
import type { Trial } from './trial.ts';
import type { FileId, Garbage, ManifestView } from '../../contract/types.ts';
import { again, on, REST, Worklist, type Next, type Topic } from '../waiting/worklist.ts';

/** Deletes that wait for their turn in the lane, or are under way. */
const MAX_IN_LANE = 64;
/** From then on no more are condemned: they would not be deleted any sooner. */
const ENOUGH_FRESH = 64;
/** An id that is just being recorded is looked at again. */
const IN_USE_MS = 1_000;
/** So much more urgent that a fresh one never waits for those that were refused. */
const FRESH = 1_000_000;
/** Signalled when something that was in use may not be any more. */
const RELEASED: Topic = 'released';
const REFUSED = 0;

/** What it works with. */
interface Parts {
  readonly api: FilesApi;
  readonly broke: (error: unknown) => void;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly index: IdentityIndex;
  readonly ledger: Ledger;
  readonly listener: Listener;
  readonly queue: SendQueue;
  readonly view: ManifestView;
  readonly root: RootGuard;
  readonly governor: LaneGovernor;
  readonly apiHalts: ApiHalts;
  readonly trial: Trial;
  readonly scope: ScopeGuard;
  readonly uses: FileUses;
  /** Breaks off what is under way. */
  readonly signal: AbortSignal;
}

/**
 * Deletes, in the background, whatever lies in the garbage list. INVARIANT: nothing else is ever deleted, and what
 * is on the list is in the manifest before its DELETE begins.
 */
export class Collector {
  readonly #parts: Parts;
  /** How often each id was refused for itself in a row. */
  readonly #failures = new Map<FileId, number>();
  /** Those that were refused go last: however many they are, they keep no others waiting. */
  readonly #line: Worklist;
  #inLane = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#line = new Worklist(
      (id) => (this.#failures.has(id) ? REFUSED : FRESH),
      () => parts.clock.monotonicMs(),
    );
    for (const id of parts.view.garbage.keys()) this.#line.mark(id);
    parts.ledger.subscribe((change) => {
      for (const [id, garbage] of Object.entries(change.garbage ?? {})) if (garbage !== null) this.#add(id);
    });
  }

  /** The id was put on the garbage list, or may be deleted from now on. */
  #add(id: FileId): void {
    this.#line.mark(id);
    this.#pump();
  }

  /** Something that was in use may not be any more. */
  released(): void {
    this.#line.signal(RELEASED);
    this.#pump();
  }

  get hasEnough(): boolean {
    return this.#line.readyAt(FRESH) + this.#line.busyCount >= ENOUGH_FRESH;
  }

  get isBusy(): boolean {
    return this.#inLane > 0;
  }

  /** How often deleting this id failed in a row, for reasons of its own. */
  failuresOf(id: FileId): number {
    return this.#failures.get(id) ?? 0;
  }

  /** Starts what is due. Returns the monotonic time of the next retry, or null. */
  tick(): number | null {
    const nextMs = this.#line.wake(this.#parts.clock.monotonicMs());
    this.#pump();
    return nextMs;
  }

  #pump(): void {
    const { queue, broke } = this.#parts;
    const { settings } = this.#parts.config;
    if (!settings.canDelete) return;
    while (this.#inLane < Math.min(MAX_IN_LANE, this.#line.readyAt(FRESH) + this.#line.readyAt(REFUSED))) {
      this.#inLane += 1;
      queue
        .delete(() => this.#collectNext(), this.#parts.signal)
        .catch((error: unknown) => {
          if (!this.#parts.signal.aborted) broke(error);
        })
        .finally(() => {
          this.#inLane -= 1;
          if (!this.#parts.signal.aborted) this.#pump();
        });
    }
  }

  /** Which one it is, is only decided when its turn has come: by then another may have to go first. */
  async #collectNext(): Promise<void> {
    const id = this.#line.take();
    if (id === null) return;
    const garbage = this.#parts.view.garbage.get(id);
    // INVARIANT: what was only found by its looks in a listing is never deleted.
    const isWanted = garbage !== undefined && !garbage.hold && isSurelyOurs(garbage);
    this.#line.done(id, isWanted ? await this.#next(id, garbage) : REST);
  }

  async #next(id: FileId, garbage: Garbage): Promise<Next> {
    // INVARIANT: a file that somebody of this program still uses is not deleted.
    if (this.#parts.uses.userOf(id) !== null) return on(RELEASED);
    const waitMs = await this.#delete(id, garbage);
    return waitMs === null ? REST : again(waitMs);
  }

  /** Returns how long to wait before the next try; null: it is gone. */
  async #delete(id: FileId, garbage: Garbage): Promise<number | null> {
    const { api, ledger, listener, halts, index, view } = this.#parts;
    await index.ready();
    const notYetMs = await this.#unlessAdmitted(id, garbage);
    if (notYetMs !== null) return notYetMs;
    // RACE: a halt may have come while this waited for its place in the lane.
    if (halts.holds('delete') || !(await this.#parts.root.check(0))) return 0;
    // INVARIANT: what an entry has is never deleted. An id that was kept aside may have been adopted since.
    if (index.isReserved(id)) return IN_USE_MS;
    if (index.ownerOf(id) !== null) {
      await ledger.record(garbageDeleted(id), this.#parts.signal);
      return null;
    }
    try {
      const ended = await api.delete(id, this.#parts.signal);
      // INVARIANT: "no such file" is only believed where our other files are known.
      if (ended === 'absent' && !(await this.#parts.scope.believesAbsence())) return UNSURE_MS;
    } catch (error) {
      this.#parts.signal.throwIfAborted();
      return this.#failed(id, garbage, await this.#parts.trial.ofId(survivable(error)));
    }
    this.#parts.trial.granted();
    this.#parts.governor.works();
    await ledger.record(garbageDeleted(id), this.#parts.signal);
    this.#failures.delete(id);
    const isRenamed = garbage.reason === 'replaced' && !view.files.has(garbage.path);
    listener({ kind: 'deleted', path: garbage.path, id, why: isRenamed ? 'renamed' : garbage.reason });
    return null;
  }

  /** With a key of another project nothing is deleted. Returns how long to wait; null: it may be. */
  async #unlessAdmitted(id: FileId, garbage: Garbage): Promise<number | null> {
    if (this.#parts.halts.holds('delete')) return 0;
    try {
      if (await this.#parts.scope.admits()) return null;
      return this.#parts.halts.holds('delete') ? 0 : UNSURE_MS;
    } catch (error) {
      this.#parts.signal.throwIfAborted();
      return this.#failed(id, garbage, survivable(error));
    }
  }

  #failed(id: FileId, { path }: Garbage, fault: Fault): number {
    const { listener, queue, halts } = this.#parts;
    if (fault.disposition === 'halt') {
      this.#parts.apiHalts.raise(fault);
      if (halts.holds('delete')) return 0;
    }
    // Refused, and not with all others: the API has judged this id alone.
    const isOwn = fault.scope === 'file' && fault.outcome === 'refused';
    const isApi = !isOwn && this.#parts.governor.failed(fault, id);
    if (fault.scope === 'lane') return 0;
    const failures = this.failuresOf(id) + 1;
    this.#failures.set(id, failures);
    const retryInMs = Math.max(fault.retryAfterMs ?? 0, queue.backoffMs(failures));
    // Said at the first failure, and then ever more seldom.
    if (!isApi && Number.isInteger(Math.log2(failures))) {
      const { status, requestId } = fault;
      const message = `deleting ${id}: ${fault.message}`;
      listener({ kind: 'failed', path, message, retryInMs, failures, status, requestId });
    }
    return retryInMs;
  }
}
