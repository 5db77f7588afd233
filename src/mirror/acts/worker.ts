import type { PathNotes } from '../memory/path-notes.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { ApiHalts } from './api-halts.ts';
import { claimMoved } from './claim-moved.ts';
import { nowSeconds, serverNowSeconds } from '../memory/times.ts';
import { movedUnderReader } from './moved-under-reader.ts';
import { type Reloadable, rulesOf } from '../memory/reloadable.ts';
import type { Deleter } from './deleter.ts';
import type { Failures } from '../memory/failures.ts';
import { type Fault, survivable } from '../../contract/faults.ts';
import {
  forgotten,
  holdRefreshed,
  moved,
  refreshed,
  rejected,
  rejectionForgotten,
  uploaded,
} from '../judge/fold.ts';
import { findMovedFrom } from './moved-from.ts';
import { isExpired, plan, type Action, type Situation } from '../judge/plan.ts';
import type { Inspection, FilesApi, Clock, Listener, SendQueue } from '../../contract/ports.ts';
import type { Resolver } from './resolver.ts';
import type { RootGuard } from './root-guard.ts';
import type { ScopeGuard } from './scope-guard.ts';
import { Semaphore } from '../waiting/semaphore.ts';
import { situationOf } from '../judge/situation.ts';
import { sizeOf } from '../../contract/stat-token.ts';
import type { Storage } from './storage.ts';
import type {
  Entry,
  FileId,
  FolderRules,
  LocalLook,
  MirrorPath,
  StatToken,
  ManifestView,
} from '../../contract/types.ts';
import type { Trial } from './trial.ts';
import type { Uploader } from './uploader.ts';
import { placeTopic, type SendingRoom } from '../waiting/sending-room.ts';
import { again, on, REST, type Next, type Worklist } from '../waiting/worklist.ts';

/** Files read at a time for hashing and checking; more only makes a disk seek. */
const CONCURRENT_READS = 4;
const RELOOK_MS = 5_000;
const CLAIM_RETRY_MS = 50;
const EXPIRED_AND_GONE = 'expired and removed locally; it is forgotten when the API confirms that';

/** What it works with. */
interface Parts {
  readonly api: FilesApi;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly index: IdentityIndex;
  readonly ledger: Ledger;
  readonly listener: Listener;
  readonly notes: PathNotes;
  readonly queue: SendQueue;
  readonly sendingRoom: SendingRoom;
  readonly view: ManifestView;
  readonly worklist: Worklist;
  readonly uploader: Uploader;
  readonly resolver: Resolver;
  readonly deleter: Deleter;
  readonly apiHalts: ApiHalts;
  readonly failures: Failures;
  readonly root: RootGuard;
  readonly storage: Storage;
  readonly trial: Trial;
  readonly scope: ScopeGuard;
}

/** Looks at one path, plans, and does what was planned. One worker at a time has a path. */
export class Worker {
  readonly #parts: Parts;
  /** Which version of a path was warned about. */
  readonly #warned = new Map<MirrorPath, StatToken>();
  /** Ids whose remote file was found to be gone, for as long as an entry has them: under whatever path. */
  readonly #lost = new Set<FileId>();
  readonly #reads = new Semaphore(CONCURRENT_READS);
  /** What was read of versions that are still to be sent: however often one is looked at or tried, it is read once. */
  readonly #read = new Map<MirrorPath, { stat: StatToken; rules: FolderRules; inspection: Inspection }>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The remote file of this id, which the path's entry has, is gone: it is to be uploaded again. */
  noteLost(path: MirrorPath, id: FileId): void {
    this.#lost.add(id);
    this.#parts.worklist.mark(path);
  }

  /** Whether something that was found lost still waits to be uploaded again. */
  hasLost(): boolean {
    for (const id of this.#lost) if (this.#parts.index.ownerOf(id) === null) this.#lost.delete(id);
    return this.#lost.size > 0;
  }

  #isLost(path: MirrorPath): boolean {
    const entry = this.#parts.view.files.get(path);
    return entry !== undefined && this.#lost.has(entry.id);
  }

  /** One step. Throws only the signal's reason, or what the engine does not survive. */
  async step(path: MirrorPath, signal: AbortSignal): Promise<Next> {
    // While the root is bad nothing can be learned. When it is back, everything is looked at; but of a file whose
    // remote one is gone, no look at the disk tells.
    if (this.#parts.halts.has('root')) return this.#isLost(path) ? again(RELOOK_MS) : REST;
    const look = await this.#parts.config.local.look(path);
    if (look.kind === 'unknown' && !(await this.#parts.root.check(0))) return REST;
    if (look.kind === 'unknown') this.#parts.deleter.doubt(path);
    else if (look.kind !== 'absent') this.#parts.deleter.forget(path);
    const movedFrom = 'stat' in look ? await this.#movedFrom(path, look.stat) : null;
    const action = plan(this.#situation(path, look, movedFrom, null));
    try {
      if (action.kind !== 'inspect' || look.kind !== 'file')
        return await this.#act(path, look, movedFrom, action, signal);
      const rules = rulesOf(this.#parts.config, path);
      if (rules === null) return REST;
      // It was read before it was held; to read it all again at every look would keep the disk busy for nothing.
      if (this.#parts.storage.stillHeld(path, look.stat) !== null) return again(RELOOK_MS);
      if (this.#known(path, look.stat, rules) === null) {
        if (!this.#parts.sendingRoom.enter(path, rules.priority, look.sizeBytes))
          return this.#waitForPlace(path, look.sizeBytes);
        await this.#inspect(path, look.stat, rules, signal);
      }
      const inspection = this.#known(path, look.stat, rules);
      const informed = plan(this.#situation(path, look, movedFrom, inspection));
      return await this.#act(path, look, movedFrom, informed, signal);
    } catch (error) {
      signal.throwIfAborted();
      return this.#failed(path, look, await this.#parts.trial.ofId(survivable(error)));
    }
  }

  #known(path: MirrorPath, stat: StatToken, rules: FolderRules): Inspection | null {
    const read = this.#read.get(path);
    return read?.stat === stat && read.rules === rules ? read.inspection : null;
  }

  async #inspect(path: MirrorPath, stat: StatToken, rules: FolderRules, signal: AbortSignal): Promise<void> {
    this.#parts.notes.set(path, 'pending', 'its content is being read');
    const inspection = await this.#reads.run(
      () => this.#parts.config.local.inspect(path, stat, rules, signal),
      signal,
    );
    this.#warn(path, stat, inspection);
    this.#read.set(path, { stat, rules, inspection });
  }

  /** Once a version, however often it is read. */
  #warn(path: MirrorPath, stat: StatToken, { warnings }: Inspection): void {
    if (warnings.length === 0 || this.#warned.get(path) === stat) return;
    this.#warned.set(path, stat);
    for (const message of warnings) this.#parts.listener({ kind: 'warning', message: `${path}: ${message}` });
  }

  #situation(
    path: MirrorPath,
    look: LocalLook,
    movedFrom: Situation['movedFrom'],
    inspection: Inspection | null,
  ): Situation {
    const { view } = this.#parts;
    const { local, settings } = this.#parts.config;
    const lost = this.#isLost(path);
    const nowSeconds = serverNowSeconds(this.#parts);
    return situationOf({ view, local, folders: settings.folders }, path, look, {
      movedFrom,
      inspection,
      lost,
      nowSeconds,
      trusted: settings.trustReply,
    });
  }

  async #act(
    path: MirrorPath,
    look: LocalLook,
    movedFrom: Situation['movedFrom'],
    action: Action,
    signal: AbortSignal,
  ): Promise<Next> {
    const core = this.#parts;
    const { notes, ledger, view, listener } = core;
    if (action.kind !== 'upload' && action.kind !== 'inspect') {
      this.#parts.storage.notHeld(path);
      // Whether a move is possible yet is only known when it is made: until then the content is not read again.
      if (action.kind !== 'move') this.#read.delete(path);
    }
    switch (action.kind) {
      case 'nothing':
        return this.#rest(path, action);
      case 'wait':
        notes.set(path, 'settling', action.reason);
        return again(action.waitMs);
      case 'inspect':
        return again(0);
      case 'resolve':
        return await this.#resolve(path, movedFrom, signal);
      case 'refresh': {
        const entry = view.files.get(path);
        if (entry !== undefined) await ledger.commit(refreshed(view, path, entry, action.stat));
        return again(0);
      }
      case 'refresh-hold': {
        const rejection = view.rejected.get(path);
        if (rejection !== undefined) await ledger.commit(holdRefreshed(path, rejection, action.stat));
        return again(0);
      }
      case 'believe':
        return await this.#believe(path, action);
      case 'move':
        return await this.#move(path, action, movedFrom, signal);
      case 'reject': {
        const { stat, rule, message } = action;
        const rules = rulesOf(core.config, path);
        if (rules === null) return REST;
        await ledger.commit(rejected(view, { path, stat, rules, rule, message, now: nowSeconds(core) }));
        notes.set(path, 'rejected', message);
        listener({ kind: 'rejected', path, rule, message });
        return REST;
      }
      case 'upload':
        return await this.#upload(path, action, movedFrom, signal);
      case 'missing':
        return await this.#parts.deleter.handle(path, look.kind === 'absent' ? look.onDevice : '');
      case 'forget':
        return await this.#forgetExpired(path, signal);
      case 'forget-rejection':
        await ledger.commit(rejectionForgotten(view, path));
        return again(0);
    }
  }

  #rest(path: MirrorPath, { state, reason, needs }: Extract<Action, { kind: 'nothing' }>): Next {
    const { notes, listener } = this.#parts;
    // Its folder may have become one that keeps remote files while the delete was waiting. But a look that could tell
    // nothing ends no wait.
    if (state !== 'held') this.#parts.deleter.forget(path);
    if (state === null || state === 'synced') {
      notes.clear(path);
      this.#parts.failures.clear(path);
      this.#warned.delete(path);
      return REST;
    }
    const news = notes.set(path, state, reason, needs);
    if (news && state === 'skipped') listener({ kind: 'skipped', path, reason: reason ?? '' });
    // What could not be seen may be visible again without any event (a mount, a permission).
    return state === 'held' || state === 'skipped' ? again(RELOOK_MS) : REST;
  }

  async #resolve(path: MirrorPath, movedFrom: Situation['movedFrom'], signal: AbortSignal): Promise<Next> {
    const intent = this.#parts.view.intents.get(path);
    if (intent === undefined) return again(0);
    // In another project's list it is not, wherever it arrived.
    if (this.#parts.halts.holdsEverything() || !(await this.#parts.scope.admits())) {
      this.#parts.notes.set(path, 'pending', 'whether an earlier upload of it arrived is found out later');
      return again(RELOOK_MS);
    }
    const next = await this.#parts.resolver.look(path, intent, movedFrom, signal);
    if (!this.#parts.view.intents.has(path)) this.#parts.uploader.intentEnded(path);
    return next;
  }

  /** What is believed by now was stored long ago: it is only recorded. */
  async #believe(path: MirrorPath, action: Extract<Action, { kind: 'believe' }>): Promise<Next> {
    const { ledger, view, listener } = this.#parts;
    const rules = rulesOf(this.#parts.config, path);
    if (rules === null) return REST;
    const { stat, remote, sha256 } = action;
    const replaced = view.files.get(path)?.id ?? null;
    const upload = { path, stat, sha256, remote, rules, supersedes: null, now: nowSeconds(this.#parts) };
    await ledger.commit(uploaded(view, upload));
    listener({
      kind: 'uploaded',
      path,
      id: remote.id,
      bytes: sizeOf(stat),
      tookMs: 0,
      replaced,
      adopted: true,
    });
    return again(0);
  }

  async #move(
    path: MirrorPath,
    action: Extract<Action, { kind: 'move' }>,
    movedFrom: Situation['movedFrom'],
    signal: AbortSignal,
  ): Promise<Next> {
    const { ledger, view, listener, notes } = this.#parts;
    const release = movedFrom === null ? null : await claimMoved(this.#parts, movedFrom, 'left');
    // Two that were swapped want each other's path: one of them waits longer, or neither would ever be free.
    if (movedFrom === null || release === null)
      return again(path < action.from ? CLAIM_RETRY_MS : 3 * CLAIM_RETRY_MS);
    const { path: from, entry } = movedFrom;
    try {
      await ledger.commit(moved(view, from, path, action.stat));
      this.#read.delete(path);
      signal.throwIfAborted();
      this.#parts.deleter.forget(from);
      notes.clear(from);
      listener({ kind: 'moved', path, from, id: entry.id });
      return again(0);
    } finally {
      release();
    }
  }

  async #upload(
    path: MirrorPath,
    action: Extract<Action, { kind: 'upload' }>,
    movedFrom: Situation['movedFrom'],
    signal: AbortSignal,
  ): Promise<Next> {
    const { clock, notes } = this.#parts;
    const rules = rulesOf(this.#parts.config, path);
    if (rules === null) return REST;
    const waitMs = this.#parts.failures.waitMs(path, action.stat, clock.monotonicMs());
    if (waitMs > 0) return again(waitMs);
    const sizeBytes = sizeOf(action.stat);
    if (!this.#parts.sendingRoom.enter(path, rules.priority, sizeBytes))
      return this.#waitForPlace(path, sizeBytes);
    const next = await this.#parts.storage.within(path, action.stat, () => {
      if (notes.stateOf(path) !== 'failed') notes.set(path, 'pending', 'waits for its turn to be uploaded');
      return this.#parts.uploader.run({ path, stat: action.stat, rules, supersedes: movedFrom }, signal);
    });
    if (!('refused' in next)) return next;
    notes.set(path, 'held', next.refused);
    return again(RELOOK_MS);
  }

  #waitForPlace(path: MirrorPath, sizeBytes: number): Next {
    if (this.#parts.notes.stateOf(path) !== 'failed')
      this.#parts.notes.set(path, 'pending', 'waits for its turn');
    return on(placeTopic(sizeBytes));
  }

  /** Its time is over and its file is gone; the API must agree before the id is forgotten. */
  async #forgetExpired(path: MirrorPath, signal: AbortSignal): Promise<Next> {
    const { api, view, ledger, listener, notes, halts } = this.#parts;
    const entry = view.files.get(path);
    if (entry === undefined) return again(0);
    if (halts.holdsEverything()) {
      notes.set(path, 'pending', EXPIRED_AND_GONE);
      return again(RELOOK_MS);
    }
    const refusal = await this.#parts.trial.beforeMany();
    if (refusal !== null) {
      if (refusal.disposition !== 'halt') throw refusal;
      this.#parts.apiHalts.raise(refusal);
      notes.set(path, 'pending', EXPIRED_AND_GONE);
      return again(RELOOK_MS);
    }
    // Before the first reply of a run the server's clock is not known: by its own clock it may not be expired at all.
    if (!isExpired(entry, serverNowSeconds(this.#parts))) return again(0);
    const remote = await api.retrieve(entry.id, signal);
    this.#parts.trial.granted();
    if (remote !== null && (remote.expiresAt === null || remote.expiresAt > serverNowSeconds(this.#parts))) {
      const corrected: Entry = { ...entry, expiresAt: remote.expiresAt };
      await ledger.commit({ files: { [path]: corrected } });
      return again(0);
    }
    if (remote === null && !(await this.#parts.scope.believesAbsence())) return again(RELOOK_MS);
    await ledger.commit(forgotten(view, path));
    listener({ kind: 'expired', path, id: entry.id });
    return again(0);
  }

  async #movedFrom(path: MirrorPath, stat: StatToken): Promise<Situation['movedFrom']> {
    const { view, index, config } = this.#parts;
    const movedFrom = await findMovedFrom({ view, index, local: config.local }, path, stat);
    if (movedFrom !== null) this.#parts.deleter.noteSuccessor(movedFrom.path, path);
    return movedFrom;
  }

  #failed(path: MirrorPath, look: LocalLook, fault: Fault): Next {
    if (fault.rule === 'moved') return movedUnderReader(this.#parts, path);
    if (fault.disposition === 'halt') this.#parts.apiHalts.raise(fault);
    const stat = 'stat' in look ? look.stat : '0 0 0 0 0';
    const failures = this.#parts.failures.add(path, stat);
    const retryInMs = Math.max(fault.retryAfterMs ?? 0, this.#parts.queue.backoffMs(failures));
    const { message, status, requestId } = fault;
    if (this.#parts.notes.set(path, 'failed', message) || failures % 10 === 0) {
      this.#parts.listener({ kind: 'failed', path, message, retryInMs, failures, status, requestId });
    }
    return again(retryInMs);
  }
}
