import type { PathNotes } from '../memory/path-notes.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import type { HaltBoard } from '../memory/halts.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import type { ApiHalts } from './api-halts.ts';
import { command } from '../../contract/command.ts';
import { ignoredExpiry } from '../judge/asked-expiry.ts';
import { completed, contradictionOf, type Contradiction } from '../judge/belief.ts';
import { nowSeconds, serverNowSeconds } from '../memory/times.ts';
import { movedUnderReader } from './moved-under-reader.ts';
import type { Failures } from '../memory/failures.ts';
import { type Fault, survivable } from '../../contract/faults.ts';
import {
  discardedAndRejected,
  intentAnswered,
  intentCleared,
  intentOpened,
  intentSent,
  rejected,
  versionHeld,
  type Superseded,
} from '../judge/fold.ts';
import { recordUpload } from './record-upload.ts';
import type { LaneGovernor } from './lane-governor.ts';
import { remoteNameOf } from '../../contract/mirror-path.ts';
import type { HoldRule } from '../judge/plan.ts';
import type { OpenVersion, FilesApi, Clock, Listener, SendQueue } from '../../contract/ports.ts';
import { sameRemoteName } from '../../contract/remote-name.ts';
import type { Resolver } from './resolver.ts';
import type { RootGuard } from './root-guard.ts';
import { type ScopeGuard, UNSURE_MS } from './scope-guard.ts';
import { SentMark } from './sent-mark.ts';
import { sizeOf } from '../../contract/stat-token.ts';
import type { Trial } from './trial.ts';
import type {
  FileId,
  FolderRules,
  Intent,
  MirrorPath,
  RemoteFile,
  ReplyField,
  StatToken,
  ManifestView,
} from '../../contract/types.ts';
import { earliestCreationMs, mayBeSince } from '../judge/whose-file.ts';
import { UploadKeys } from '../waiting/upload-keys.ts';
import { again, on, REST, type Next, type Topic, type Worklist } from '../waiting/worklist.ts';

const CONTRADICTS: HoldRule = 'reply-contradicts';
/** A root that another disk took the place of is found out this late at most before an upload. */
const ROOT_MAX_AGE_MS = 50;

export interface UploadJob {
  readonly path: MirrorPath;
  readonly stat: StatToken;
  readonly rules: FolderRules;
  /** The entry whose file was renamed to here: it becomes garbage when this upload is recorded. */
  readonly supersedes: Superseded | null;
}

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
  readonly view: ManifestView;
  readonly worklist: Worklist;
  readonly resolver: Resolver;
  readonly governor: LaneGovernor;
  readonly apiHalts: ApiHalts;
  readonly trial: Trial;
  readonly scope: ScopeGuard;
  readonly root: RootGuard;
  readonly failures: Failures;
}

/**
 * The upload protocol (`src/README.md`): intent, POST, record. Each call of `run` is at most one attempt.
 *
 * INVARIANT: an intent is durable before its POST begins, and is cleared only by a record that says what became
 * of the attempt.
 * INVARIANT: two uploads with equal (purpose, remote name, bytes) are never in flight together, nor is one sent
 * while another's outcome is unknown, so that a listing can tell whose file it shows.
 */
export class Uploader {
  readonly #parts: Parts;
  readonly #keys: UploadKeys;
  #hasProbed = false;
  #hasWarnedOfName = false;
  #probing: Promise<void> | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#keys = new UploadKeys(parts.worklist);
    for (const [path, intent] of parts.view.intents)
      this.#keys.hold(keyOf(intent, parts.config.settings.trustReply), path);
  }

  /** To be called when a path's intent was resolved. */
  intentEnded(path: MirrorPath): void {
    this.#keys.release(path);
  }

  async run(job: UploadJob, signal: AbortSignal): Promise<Next> {
    const { path, rules, stat } = job;
    const sizeBytes = sizeOf(stat);
    const wanted = { purpose: rules.purpose, remoteName: remoteNameOf(path), bytes: sizeBytes };
    const key = keyOf(wanted, this.#parts.config.settings.trustReply);
    if (!this.#keys.take(key, path)) {
      this.#parts.notes.set(
        path,
        'pending',
        'waits until another file of the same name and size is uploaded',
      );
      return on(key);
    }
    try {
      return await this.#parts.queue.upload(
        { path, sizeBytes, priority: rules.priority },
        (sending) => this.#attempt(job, sending, signal),
        signal,
      );
    } finally {
      // An open intent keeps the key: what became of the upload is found out first.
      if (!this.#parts.view.intents.has(path)) this.#keys.release(path);
    }
  }

  async #attempt(job: UploadJob, sending: () => void, signal: AbortSignal): Promise<Next> {
    const { path, stat } = job;
    let version: OpenVersion;
    try {
      version = await this.#parts.config.local.open(path, stat);
    } catch (error) {
      return this.#localFault(job, survivable(error));
    }
    try {
      // RACE: the file that is open now may lie on another disk that has just taken the root's place.
      if (!(await this.#parts.root.check(ROOT_MAX_AGE_MS))) return again(0);
      this.#parts.notes.set(path, 'uploading', null);
      return await this.#send(job, version, sending, signal);
    } finally {
      await version.close();
    }
  }

  async #send(job: UploadJob, version: OpenVersion, sending: () => void, signal: AbortSignal): Promise<Next> {
    const core = this.#parts;
    const { path, rules } = job;
    if (!this.#knowsServerClock()) {
      const silence = await this.#learnServerClock(signal);
      if (silence !== null) this.#waitForApi(path, silence);
      // Whether there is anything to send may depend on the time: an expiry that only a wrong clock sees.
      return again(0);
    }
    const notYet = await this.#unlessAdmitted(path, signal);
    if (notYet !== null) return notYet;
    if (!(await core.ledger.tryCommit(intentOpened(path, this.#intentOf(job))))) {
      core.notes.set(path, 'held', 'waits until the manifest can be written');
      return again(0);
    }
    // RACE: while the intent was written, the server may have asked everyone to wait, or a halt may have come.
    if (core.queue.holds('upload').length > 0) {
      await core.ledger.record(intentCleared(path), signal);
      core.notes.set(path, 'pending', 'waits for its turn to be uploaded');
      return again(0);
    }
    const startedMs = core.clock.monotonicMs();
    sending();
    const mark = new SentMark(core.view, core.ledger, path);
    let remote: RemoteFile;
    try {
      remote = await core.api.upload(
        {
          purpose: rules.purpose,
          remoteName: remoteNameOf(path),
          sizeBytes: version.sizeBytes,
          expiresAfterSeconds: rules.expiresAfterSeconds,
          body: () => mark.around(version.chunks(), version.sizeBytes, signal),
        },
        signal,
      );
    } catch (error) {
      await mark.over();
      // Whether the broken-off request was stored is found out at the next start: the intent stays.
      signal.throwIfAborted();
      return this.#uploadFault(job, survivable(error), startedMs, signal);
    }
    await mark.over();
    this.#parts.trial.uploadGranted();
    this.#apiWorks();
    return this.#accepted(job, version.sha256(), remote, startedMs, signal);
  }

  #knowsServerClock(): boolean {
    return this.#parts.api.serverNowMs() !== null || this.#hasProbed;
  }

  /**
   * An intent must name its start by the server's clock, or a listing could not tell its file from an older one of
   * somebody else. Before the first reply of a run that clock is unknown, so something harmless is asked first.
   * Returns why that failed; null: the clock is known now, or this server never tells it.
   */
  async #learnServerClock(signal: AbortSignal): Promise<Fault | null> {
    // One probe serves all who wait: a key that is refused is not tried eight times.
    this.#probing ??= this.#parts.api.probe(signal).finally(() => {
      this.#probing = null;
    });
    try {
      await this.#probing;
      this.#hasProbed = true;
      this.#parts.trial.granted();
      return null;
    } catch (error) {
      signal.throwIfAborted();
      return survivable(error);
    }
  }

  /** Nothing is sent to a project of which it is not known that the recorded ids are of it. */
  async #unlessAdmitted(path: MirrorPath, signal: AbortSignal): Promise<Next | null> {
    try {
      if (await this.#parts.scope.admits()) return null;
    } catch (error) {
      signal.throwIfAborted();
      this.#waitForApi(path, survivable(error));
      return again(0);
    }
    const state = this.#parts.halts.has('scope') ? 'held' : 'pending';
    this.#parts.notes.set(path, state, this.#parts.scope.refusal().message);
    return again(UNSURE_MS);
  }

  #apiWorks(): void {
    this.#parts.governor.works();
    this.#parts.apiHalts.uploadWorks();
  }

  /** Nothing is wrong with the file: it waits until the lane moves again. */
  #waitForApi(path: MirrorPath, fault: Fault): void {
    if (fault.disposition === 'halt') {
      this.#parts.apiHalts.raise(fault);
      this.#parts.notes.set(path, 'held', fault.message);
      return;
    }
    this.#parts.governor.failed(fault, null);
    this.#parts.notes.set(path, 'pending', fault.message);
  }

  /**
   * The server says that it stored the file. INVARIANT: whatever else it says, this version is not sent again because
   * of it: it is recorded, refused, held, or looked for.
   */
  async #accepted(
    job: UploadJob,
    sha256: string,
    reply: RemoteFile,
    startedMs: number,
    signal: AbortSignal,
  ): Promise<Next> {
    const { ledger, view, listener, index, clock } = this.#parts;
    const { settings } = this.#parts.config;
    const { path, stat, rules, supersedes } = job;
    const tookMs = clock.monotonicMs() - startedMs;
    if (index.isOwned(reply.id)) return await this.#ofAnother(job, sha256, reply.id, startedMs, signal);
    using _ours = index.holdId(reply.id);
    const { remote, contradiction } = await this.#judged(job, reply, signal);
    const now = nowSeconds(this.#parts);
    if (contradiction !== null) {
      const intent = view.intents.get(path);
      // It says itself that it existed before: the reply is about somebody else's file.
      if (intent !== undefined && !mayBeSince(remote, earliestCreationMs(intent)))
        return await this.#ofAnother(job, sha256, remote.id, startedMs, signal);
      const message = contradictionMessage(path, remote.id, contradiction);
      const held = { path, stat, rules, sha256, kept: remote, rule: CONTRADICTS, message, now };
      await ledger.record(versionHeld(view, held), signal);
      return this.#refused(path, CONTRADICTS, message);
    }
    const ignored = ignoredExpiry(rules, remote, settings.trustReply);
    if (ignored !== null) {
      const refusal = { path, stat, rules, rule: 'expiry-ignored', message: ignored, now };
      await ledger.record(discardedAndRejected(view, remote, refusal), signal);
      return this.#refused(path, refusal.rule, ignored);
    }
    const replaced = view.files.get(path)?.id ?? null;
    const dated = { ...remote, createdAt: remote.createdAt ?? serverNowSeconds(this.#parts) };
    await recordUpload(this.#parts, { path, stat, sha256, remote: dated, rules, supersedes, now }, signal);
    this.#warnOfOtherName(path, remote);
    this.#parts.failures.clear(path);
    this.#parts.notes.clear(path);
    listener({
      kind: 'uploaded',
      path,
      id: remote.id,
      bytes: sizeOf(stat),
      tookMs,
      replaced,
      adopted: false,
    });
    return again(0);
  }

  /**
   * The reply, and what it says against what was sent. Where it leaves out what matters, or contradicts, the server is
   * asked once more about this one file: what it says then may be the truth, and silence changes nothing.
   */
  async #judged(
    job: UploadJob,
    reply: RemoteFile,
    signal: AbortSignal,
  ): Promise<{ readonly remote: RemoteFile; readonly contradiction: Contradiction | null }> {
    const { trustReply } = this.#parts.config.settings;
    const asked = { purpose: job.rules.purpose, bytes: sizeOf(job.stat) };
    const contradiction = contradictionOf(asked, reply, trustReply);
    const lacks =
      reply.bytes === null ||
      reply.createdAt === null ||
      ignoredExpiry(job.rules, reply, trustReply) !== null;
    if (contradiction === null && !lacks) return { remote: reply, contradiction };
    const lookedUp = await this.#lookUp(reply.id, signal);
    if (lookedUp === null) return { remote: reply, contradiction };
    const agrees = contradiction !== null && contradictionOf(asked, lookedUp, trustReply) === null;
    const remote = agrees ? completed(lookedUp, reply) : completed(reply, lookedUp);
    return { remote, contradiction: contradictionOf(asked, remote, trustReply) };
  }

  /** Null: it is not shown (yet), or the question failed. */
  async #lookUp(id: FileId, signal: AbortSignal): Promise<RemoteFile | null> {
    try {
      return await this.#parts.api.retrieve(id, signal);
    } catch (error) {
      signal.throwIfAborted();
      survivable(error);
      return null;
    }
  }

  /** The reply names a file that is not this one. The true one is looked for, but the version is not sent again. */
  async #ofAnother(
    job: UploadJob,
    sha256: string,
    id: FileId,
    startedMs: number,
    signal: AbortSignal,
  ): Promise<Next> {
    const { index, view, ledger } = this.#parts;
    const { path, stat } = job;
    const intent = view.intents.get(path);
    if (intent !== undefined) await ledger.record(intentAnswered(path, intent, id), signal);
    const owner = index.ownerOf(id) ?? view.garbage.get(id)?.path ?? 'another file';
    const why = `the server replied with the id ${id}, which already belongs to ${owner}`;
    this.#parts.resolver.begin(path, { sha256, why, startedMs });
    const failures = this.#parts.failures.add(path, stat);
    this.#tellFailed(path, why, 0, failures, null);
    return again(0);
  }

  /** Once: such a server cannot be asked for a lost upload by its name. */
  #warnOfOtherName(path: MirrorPath, { filename }: RemoteFile): void {
    const { listener } = this.#parts;
    const { settings } = this.#parts.config;
    if (this.#hasWarnedOfName || filename === null || !settings.trustReply.has('filename')) return;
    if (sameRemoteName(filename) === sameRemoteName(remoteNameOf(path))) return;
    this.#hasWarnedOfName = true;
    listener({
      kind: 'warning',
      message: `${path}: the server calls it "${filename}"; if it renames every file, take "filename" out of api.trustReply, or an upload whose reply is lost cannot be found`,
    });
  }

  async #uploadFault(job: UploadJob, fault: Fault, startedMs: number, signal: AbortSignal): Promise<Next> {
    const { ledger, view } = this.#parts;
    const { path } = job;
    if (fault.outcome === 'unknown') {
      // QUIRK: some answer before they have read everything, and may have stored what they have.
      const intent = view.intents.get(path);
      if (intent?.sent === false) await ledger.record(intentSent(path, intent), signal);
      this.#parts.resolver.begin(path, { sha256: null, why: fault.message, startedMs });
      this.#parts.governor.failed(fault, path);
      this.#retryLater(job, fault);
      return again(0);
    }
    if (fault.disposition === 'skip' || fault.halt === 'auth') return await this.#onTrial(job, fault, signal);
    await ledger.record(intentCleared(path), signal);
    if (fault.rule === 'moved' || fault.rule === 'unreadable') return this.#localFault(job, fault);
    if (fault.disposition !== 'retry' || fault.scope === 'lane') {
      this.#waitForApi(path, fault);
      return again(0);
    }
    this.#parts.governor.failed(fault, path);
    return again(this.#retryLater(job, fault));
  }

  /**
   * Refused, and nothing was stored. INVARIANT: a version is rejected for good only when the refusal is its own; what
   * every request meets is no fault of the file's.
   */
  async #onTrial(job: UploadJob, fault: Fault, signal: AbortSignal): Promise<Next> {
    const { ledger, view } = this.#parts;
    const { path, stat, rules } = job;
    const blame = await this.#parts.trial.ofUpload(path, stat, fault);
    if (blame.kind === 'own') {
      const { rule, message } = fault;
      const now = nowSeconds(this.#parts);
      await ledger.record(rejected(view, { path, stat, rules, rule, message, now }), signal);
      this.#apiWorks();
      return this.#refused(path, rule, message);
    }
    // At once, so that what is refused meanwhile knows whose fault it is, and asks no more.
    if (blame.kind === 'lane') this.#waitForApi(path, blame.fault);
    await ledger.record(intentCleared(path), signal);
    if (blame.kind !== 'lane' || blame.fault.disposition === 'halt') return again(0);
    // Others go first: one of them may be granted, and show that this one is refused for itself.
    return again(this.#rest(job));
  }

  /** The file could not be read as announced: what is there now is looked at afresh. */
  #localFault({ path, stat }: UploadJob, fault: Fault): Next {
    if (fault.rule === 'moved') return movedUnderReader(this.#parts, path);
    const failures = this.#parts.failures.add(path, stat);
    const waitMs = this.#parts.queue.backoffMs(failures);
    this.#tellFailed(path, fault.message, waitMs, failures, fault);
    return again(waitMs);
  }

  /** Notes a failure of this version and returns how long it shall rest. */
  #retryLater(job: UploadJob, fault: Fault): number {
    const waitMs = this.#rest(job, fault.retryAfterMs ?? 0);
    this.#tellFailed(
      job.path,
      fault.message,
      waitMs,
      this.#parts.failures.countOf(job.path, job.stat),
      fault,
    );
    return waitMs;
  }

  #rest({ path, stat }: UploadJob, leastMs = 0): number {
    const failures = this.#parts.failures.add(path, stat);
    const waitMs = Math.max(leastMs, this.#parts.queue.backoffMs(failures));
    this.#parts.failures.holdUntil(path, this.#parts.clock.monotonicMs() + waitMs);
    return waitMs;
  }

  #tellFailed(
    path: MirrorPath,
    message: string,
    retryInMs: number,
    failures: number,
    fault: Fault | null,
  ): void {
    this.#parts.notes.set(path, 'failed', message);
    this.#parts.listener({
      kind: 'failed',
      path,
      message,
      retryInMs,
      failures,
      status: fault?.status ?? null,
      requestId: fault?.requestId ?? null,
    });
  }

  #refused(path: MirrorPath, rule: string, message: string): Next {
    this.#parts.failures.clear(path);
    this.#parts.notes.set(path, 'rejected', message);
    this.#parts.listener({ kind: 'rejected', path, rule, message });
    return REST;
  }

  #intentOf({ path, stat, rules }: UploadJob): Intent {
    const { api } = this.#parts;
    const { settings } = this.#parts.config;
    const serverNowMs = api.serverNowMs();
    return {
      purpose: rules.purpose,
      remoteName: remoteNameOf(path),
      bytes: sizeOf(stat),
      stat,
      startedAtMs: Math.floor(this.#parts.clock.wallMs()),
      serverStartedAtMs: serverNowMs === null ? null : Math.floor(serverNowMs),
      ...(sizeOf(stat) < settings.markSentFromBytes ? {} : { sent: false }),
    };
  }
}

function contradictionMessage(path: MirrorPath, id: FileId, { field, said }: Contradiction): string {
  return `stored as ${id}, but the server said ${said}; it is kept and not sent again: take "${field}" out of api.trustReply if this server rewrites files, or delete it and send the file anew with: ${command('retry', path)}`;
}

/** Equal for all that a listing cannot tell apart: what the server rewrites tells nothing. */
function keyOf(
  { purpose, remoteName, bytes }: Pick<Intent, 'purpose' | 'remoteName' | 'bytes'>,
  trusted: ReadonlySet<ReplyField>,
): Topic {
  const name = trusted.has('filename') ? sameRemoteName(remoteName) : '';
  return `${trusted.has('purpose') ? purpose : ''}\0${name}\0${trusted.has('bytes') ? bytes : ''}`;
}
