import { command } from '../../contract/command.ts';
import { type Fault, survivable } from '../../contract/faults.ts';
import { remoteNameOf } from '../../contract/mirror-path.ts';
import type { FilesApi, OpenVersion } from '../../contract/ports.ts';
import { sameRemoteName } from '../../contract/remote-name.ts';
import { sizeOf } from '../../contract/stat-token.ts';
import type { FileId, Intent, MirrorPath, RemoteFile, ReplyField } from '../../contract/types.ts';
import type { Contradiction } from '../judge/belief.ts';
import { intentCleared, intentOpened, type UploadJob } from '../judge/fold.ts';
import type { HoldRule } from '../judge/rejections.ts';
import { judgeReply, type ReplyEvidence } from '../judge/reply.ts';
import { earliestCreationMs } from '../judge/whose-file.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import { UploadKeys } from '../waiting/upload-keys.ts';
import { again, on, REST, type Next, type Topic } from '../waiting/worklist.ts';
import { FailedUploads, type Attempt, type FailedUploadParts } from './failed-upload.ts';
import { recordDiscarded, recordHeld, recordStored } from './record-stored.ts';
import type { RootGuard } from './root-guard.ts';
import { LastBytes } from './last-bytes.ts';
import { UploadAdmission, type AdmissionParts } from './upload-admission.ts';

/** A root that another disk took the place of is found out this late at most before an upload. */
const ROOT_MAX_AGE_MS = 50;
const CONTRADICTS: HoldRule = 'reply-contradicts';

/** What it works with. */
interface Parts extends AdmissionParts, FailedUploadParts {
  readonly api: FilesApi;
  readonly config: Reloadable;
  readonly root: RootGuard;
}

/** How an attempt ended. */
type Ending =
  | { readonly kind: 'answered'; readonly reply: RemoteFile }
  | { readonly kind: 'failed'; readonly fault: Fault };

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
  readonly #admission: UploadAdmission;
  readonly #failures: FailedUploads;
  #hasWarnedOfName = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#admission = new UploadAdmission(parts);
    this.#failures = new FailedUploads(parts);
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
      return this.#failures.notRead(job, survivable(error));
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
    const notYet =
      (await this.#admission.unlessAdmitted(job.path, signal)) ?? (await this.#unlessOpened(job, signal));
    if (notYet !== null) return notYet;
    const attempt = { job, startedMs: this.#parts.clock.monotonicMs() };
    sending();
    const ending = await this.#post(job, version, signal);
    if (ending.kind === 'failed') return await this.#failures.failed(attempt, ending.fault, signal);
    this.#parts.trial.uploadGranted();
    this.#parts.governor.works();
    this.#parts.apiHalts.uploadWorks();
    return await this.#answered(attempt, ending.reply, version.sha256(), signal);
  }

  /** Null: the intent is durable, and the upload may be sent. */
  async #unlessOpened(job: UploadJob, signal: AbortSignal): Promise<Next | null> {
    const { ledger, notes, queue } = this.#parts;
    const { path } = job;
    if (!(await ledger.tryCommit(intentOpened(path, this.#intentOf(job))))) {
      notes.set(path, 'held', 'waits until the manifest can be written');
      return again(0);
    }
    // RACE: while the intent was written, the server may have asked everyone to wait, or a halt may have come.
    if (queue.holds('upload').length === 0) return null;
    await ledger.record(intentCleared(path), signal);
    notes.set(path, 'pending', 'waits for its turn to be uploaded');
    return again(0);
  }

  async #post({ path, rules }: UploadJob, version: OpenVersion, signal: AbortSignal): Promise<Ending> {
    const lastBytes = new LastBytes(this.#parts.view, this.#parts.ledger, path);
    const upload = {
      purpose: rules.purpose,
      remoteName: remoteNameOf(path),
      sizeBytes: version.sizeBytes,
      expiresAfterSeconds: rules.expiresAfterSeconds,
      body: () => lastBytes.around(version.chunks(), version.sizeBytes, signal),
    };
    try {
      return { kind: 'answered', reply: await this.#parts.api.upload(upload, signal) };
    } catch (error) {
      // Whether the broken-off request was stored is found out at the next start: the intent stays.
      signal.throwIfAborted();
      return { kind: 'failed', fault: survivable(error) };
    } finally {
      await lastBytes.over();
    }
  }

  /** The server says that it stored the file: carries out the verdict of `judgeReply`. */
  async #answered(attempt: Attempt, reply: RemoteFile, sha256: string, signal: AbortSignal): Promise<Next> {
    const { index, clock, view, config } = this.#parts;
    const { path, stat, rules, supersedes } = attempt.job;
    const tookMs = clock.monotonicMs() - attempt.startedMs;
    const intent = view.intents.get(path);
    const evidence: ReplyEvidence = {
      rules,
      bytes: sizeOf(stat),
      reply,
      lookedUp: 'not-asked',
      isOwned: index.isOwned(reply.id),
      sinceMs: intent === undefined ? Number.NEGATIVE_INFINITY : earliestCreationMs(intent),
      trusted: config.settings.trustReply,
    };
    using _ours = evidence.isOwned ? null : index.reserveId(reply.id);
    let verdict = judgeReply(evidence);
    if (verdict.kind === 'ask')
      verdict = judgeReply({ ...evidence, lookedUp: await this.#lookUp(reply.id, signal) });
    switch (verdict.kind) {
      case 'ask':
        throw new TypeError('asked twice about one reply');
      case 'of-another':
        return await this.#failures.answeredWith(attempt, reply.id, sha256, signal);
      case 'contradicts': {
        const message = contradictionMessage(path, reply.id, verdict.contradiction);
        const held = { path, stat, rules, sha256, kept: verdict.remote, rule: CONTRADICTS, message };
        await recordHeld(this.#parts, held, signal);
        return REST;
      }
      case 'expiry-ignored':
        await recordDiscarded(this.#parts, attempt.job, verdict.remote, verdict.message, signal);
        return REST;
      case 'accepted': {
        const { remote } = verdict;
        this.#warnOfOtherName(path, remote);
        await recordStored(this.#parts, { path, stat, sha256, remote, rules, supersedes }, tookMs, signal);
        return again(0);
      }
    }
  }

  /** What the server shows of this one file; null: nothing yet, or the question failed. */
  async #lookUp(id: FileId, signal: AbortSignal): Promise<RemoteFile | null> {
    try {
      return await this.#parts.api.retrieve(id, signal);
    } catch (error) {
      signal.throwIfAborted();
      survivable(error);
      return null;
    }
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
