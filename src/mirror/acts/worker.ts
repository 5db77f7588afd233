import type { PathNotes } from '../memory/path-notes.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { LostFiles } from '../memory/lost-files.ts';
import type { Inquiry } from './inquiry.ts';
import type { ApiHalts } from './api-halts.ts';
import { claimMoved } from './claim-moved.ts';
import { nowSeconds, serverNowSeconds } from '../../contract/times.ts';
import { movedUnderReader } from './moved-under-reader.ts';
import { type Reloadable, rulesOf } from '../memory/reloadable.ts';
import type { Deleter } from './deleter.ts';
import type { Failures } from '../memory/failures.ts';
import { type Fault, survivable } from '../../contract/faults.ts';
import { holdRefreshed, moved, refreshed, rejected, rejectionForgotten, uploaded } from '../judge/fold.ts';
import { findMovedFrom } from './moved-from.ts';
import { plan, type Action, type Situation } from '../judge/plan.ts';
import type { Inspection, Questions, Clock, Listener, SendQueue } from '../../contract/ports.ts';
import { noteFailure } from './note-failure.ts';
import type { Reader } from './reader.ts';
import type { RootGuard } from './root-guard.ts';
import { situationOf } from '../judge/situation.ts';
import { sizeOf } from '../../contract/stat-token.ts';
import type { Storage } from './storage.ts';
import type { LocalLook, MirrorPath, StatToken, ManifestView } from '../../contract/types.ts';
import type { Trial } from './trial.ts';
import type { Uploader } from './uploader.ts';
import { placeTopic, type SendingRoom } from '../waiting/sending-room.ts';
import { endOf, STORAGE } from '../waiting/topics.ts';
import { again, on, REST, type Next, type Worklist } from '../waiting/worklist.ts';

/** Stands for a version of which there is no stat. */
const NO_STAT: StatToken = '0 0 0 0 0';
const CLAIM_RETRY_MS = 50;
/** What it works with. */
interface Parts {
  readonly api: Questions;
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
  readonly inquiry: Inquiry;
  readonly lost: LostFiles;
  readonly reader: Reader;
  readonly deleter: Deleter;
  readonly apiHalts: ApiHalts;
  readonly failures: Failures;
  readonly root: RootGuard;
  readonly storage: Storage;
  readonly trial: Trial;
}

/** Looks at one path, plans, and does what was planned. One worker at a time has a path. */
export class Worker {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** One step. Throws only the signal's reason, or what the engine does not survive. */
  async step(path: MirrorPath, signal: AbortSignal): Promise<Next> {
    // While the root is bad nothing can be learned. When it is back, everything is looked at; but of a file whose
    // remote one is gone, no look at the disk tells.
    if (this.#parts.halts.has('root')) return this.#parts.lost.isLost(path) ? on(endOf('root')) : REST;
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
      if (this.#parts.storage.stillHeld(path, look.stat) !== null) return on(STORAGE);
      const { reader, sendingRoom } = this.#parts;
      if (reader.known(path, look.stat, rules) === null) {
        if (!sendingRoom.enter(path, rules.priority, look.sizeBytes))
          return this.#waitForPlace(path, look.sizeBytes);
        await reader.read(path, look.stat, rules, signal);
      }
      const inspection = reader.known(path, look.stat, rules);
      const informed = plan(this.#situation(path, look, movedFrom, inspection));
      return await this.#act(path, look, movedFrom, informed, signal);
    } catch (error) {
      signal.throwIfAborted();
      return this.#failed(path, look, await this.#parts.trial.ofId(survivable(error)));
    }
  }

  #situation(
    path: MirrorPath,
    look: LocalLook,
    movedFrom: Situation['movedFrom'],
    inspection: Inspection | null,
  ): Situation {
    const { view } = this.#parts;
    const { local, settings } = this.#parts.config;
    const lost = this.#parts.lost.isLost(path);
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
    if (action.kind !== 'upload' && action.kind !== 'inspect') {
      this.#parts.storage.notHeld(path);
      // Whether a move is possible yet is only known when it is made: until then the content is not read again.
      if (action.kind !== 'move') this.#parts.reader.forget(path);
    }
    switch (action.kind) {
      case 'nothing':
        return this.#rest(path, action);
      case 'wait':
        this.#parts.notes.set(path, 'settling', action.reason);
        return again(action.waitMs);
      case 'inspect':
        return again(0);
      case 'resolve':
        return await this.#parts.inquiry.resolve(path, statIn(look), movedFrom, signal);
      case 'refresh':
      case 'refresh-hold':
      case 'forget-rejection':
        return await this.#correct(path, action);
      case 'believe':
        return await this.#believe(path, action);
      case 'move':
        return await this.#move(path, action, movedFrom, signal);
      case 'reject':
        return await this.#reject(path, action);
      case 'upload':
        return await this.#upload(path, action, movedFrom, signal);
      case 'missing':
        return this.#parts.deleter.handle(path, look.kind === 'absent' ? look.onDevice : '');
      case 'forget':
        return await this.#parts.inquiry.forgetExpired(path, statIn(look), signal);
    }
  }

  /** What is recorded is brought up to what was found, and the path is looked at again. */
  async #correct(
    path: MirrorPath,
    action: Extract<Action, { kind: 'refresh' | 'refresh-hold' | 'forget-rejection' }>,
  ): Promise<Next> {
    const { ledger, view } = this.#parts;
    const entry = view.files.get(path);
    const rejection = view.rejected.get(path);
    if (action.kind === 'forget-rejection') await ledger.commit(rejectionForgotten(view, path));
    else if (action.kind === 'refresh' && entry !== undefined)
      await ledger.commit(refreshed(view, path, entry, action.stat));
    else if (action.kind === 'refresh-hold' && rejection !== undefined)
      await ledger.commit(holdRefreshed(path, rejection, action.stat));
    return again(0);
  }

  async #reject(path: MirrorPath, action: Extract<Action, { kind: 'reject' }>): Promise<Next> {
    const { config, ledger, listener, notes, view } = this.#parts;
    const { stat, rule, message } = action;
    const rules = rulesOf(config, path);
    if (rules === null) return REST;
    await ledger.commit(rejected(view, { path, stat, rules, rule, message, now: nowSeconds(this.#parts) }));
    notes.set(path, 'rejected', message);
    listener({ kind: 'rejected', path, rule, message });
    return REST;
  }

  #rest(path: MirrorPath, { state, reason, needs }: Extract<Action, { kind: 'nothing' }>): Next {
    const { notes, listener } = this.#parts;
    // Its folder may have become one that keeps remote files while the delete was waiting. But a look that could tell
    // nothing ends no wait.
    if (state !== 'held') this.#parts.deleter.forget(path);
    if (state === null || state === 'synced') {
      notes.clear(path);
      this.#parts.failures.clear(path);
      this.#parts.reader.isAtRest(path);
      return REST;
    }
    const news = notes.set(path, state, reason, needs);
    if (news && state === 'skipped') listener({ kind: 'skipped', path, reason: reason ?? '' });
    if (state !== 'held') return REST;
    // What a disk does not tell it may tell a moment later, and no event says so.
    return again(this.#parts.queue.backoffMs(this.#parts.failures.add(path, NO_STAT)));
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
      this.#parts.reader.forget(path);
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
    return on(STORAGE);
  }

  #waitForPlace(path: MirrorPath, sizeBytes: number): Next {
    if (this.#parts.notes.stateOf(path) !== 'failed')
      this.#parts.notes.set(path, 'pending', 'waits for its turn');
    return on(placeTopic(sizeBytes));
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
    return again(noteFailure(this.#parts, path, statIn(look), fault));
  }
}

function statIn(look: LocalLook): StatToken {
  return 'stat' in look ? look.stat : NO_STAT;
}
