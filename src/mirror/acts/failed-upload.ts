import type { Fault } from '../../contract/faults.ts';
import type { SendQueue } from '../../contract/ports.ts';
import { intentAnswered, intentCleared, intentSent, type UploadJob } from '../judge/fold.ts';
import { afterFault } from '../judge/upload-fault.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import { again, REST, type Next } from '../waiting/worklist.ts';
import { movedUnderReader } from './moved-under-reader.ts';
import { recordRefused, type RecordParts } from './record-stored.ts';
import type { Resolver } from './resolver.ts';
import { waitForApi, type AdmissionParts } from './upload-admission.ts';
import type { FileId } from '../../contract/types.ts';

/** What it works with. */
export interface FailedUploadParts extends RecordParts, Omit<AdmissionParts, 'api'> {
  readonly index: IdentityIndex;
  readonly queue: SendQueue;
  readonly resolver: Resolver;
}

/** One attempt, and when it was sent, monotonic. */
export interface Attempt {
  readonly job: UploadJob;
  readonly startedMs: number;
}

/** What is done about attempts that did not end with a reply that is believed. */
export class FailedUploads {
  readonly #parts: FailedUploadParts;

  constructor(parts: FailedUploadParts) {
    this.#parts = parts;
  }

  /** The request failed. */
  async failed({ job, startedMs }: Attempt, fault: Fault, signal: AbortSignal): Promise<Next> {
    const { ledger, view, resolver, governor } = this.#parts;
    const { path } = job;
    const then = afterFault(fault);
    if (then === 'trial') return await this.#tried(job, fault, signal);
    if (then !== 'search') await ledger.record(intentCleared(path), signal);
    switch (then) {
      case 'search': {
        // QUIRK: some answer before they have read everything, and may have stored what they have.
        const intent = view.intents.get(path);
        if (intent?.sent === false) await ledger.record(intentSent(path, intent), signal);
        resolver.begin(path, { sha256: null, why: fault.message, startedMs });
        governor.failed(fault, path);
        this.#restAndTell(job, fault);
        return again(0);
      }
      case 'read-anew':
        return this.notRead(job, fault);
      case 'lane-waits':
        waitForApi(this.#parts, path, fault);
        return again(0);
      case 'file-waits':
        governor.failed(fault, path);
        return again(this.#restAndTell(job, fault));
    }
  }

  /** The reply names a file that is not this one. The true one is looked for, but the version is not sent again. */
  async answeredWith(
    { job, startedMs }: Attempt,
    id: FileId,
    sha256: string,
    signal: AbortSignal,
  ): Promise<Next> {
    const { index, view, ledger, resolver, failures } = this.#parts;
    const { path, stat } = job;
    const intent = view.intents.get(path);
    if (intent !== undefined) await ledger.record(intentAnswered(path, intent, id), signal);
    const owner = index.ownerOf(id) ?? view.garbage.get(id)?.path ?? 'another file';
    const message = `the server replied with the id ${id}, which already belongs to ${owner}`;
    resolver.begin(path, { sha256, why: message, startedMs });
    this.#tell(job, { message, status: null, requestId: null }, 0, failures.add(path, stat));
    return again(0);
  }

  /** The file could not be read as announced: what is there now is looked at afresh. */
  notRead(job: UploadJob, fault: Fault): Next {
    if (fault.rule === 'moved') return movedUnderReader(this.#parts, job.path);
    const failures = this.#parts.failures.add(job.path, job.stat);
    const waitMs = this.#parts.queue.backoffMs(failures);
    this.#tell(job, fault, waitMs, failures);
    return again(waitMs);
  }

  /**
   * Refused, and nothing was stored. INVARIANT: a version is rejected for good only when the refusal is its own; what
   * every request meets is no fault of the file's.
   */
  async #tried(job: UploadJob, fault: Fault, signal: AbortSignal): Promise<Next> {
    const { ledger, trial, governor, apiHalts } = this.#parts;
    const { path, stat, rules } = job;
    const blame = await trial.ofUpload(path, stat, fault);
    if (blame.kind === 'own') {
      const { rule, message } = fault;
      await recordRefused(this.#parts, { path, stat, rules, rule, message }, signal);
      governor.works();
      apiHalts.uploadWorks();
      return REST;
    }
    // The halt comes first, so that uploads which are refused meanwhile find it and ask no more.
    if (blame.kind === 'lane') waitForApi(this.#parts, path, blame.fault);
    await ledger.record(intentCleared(path), signal);
    if (blame.kind !== 'lane' || blame.fault.disposition === 'halt') return again(0);
    // Others go first: one of them may be granted, and show that this one is refused for itself.
    return again(this.#rest(job, 0));
  }

  /** This version rests; returns for how long. */
  #restAndTell(job: UploadJob, fault: Fault): number {
    const waitMs = this.#rest(job, fault.retryAfterMs ?? 0);
    this.#tell(job, fault, waitMs, this.#parts.failures.countOf(job.path, job.stat));
    return waitMs;
  }

  #rest({ path, stat }: UploadJob, leastMs: number): number {
    const { failures, queue, clock } = this.#parts;
    const waitMs = Math.max(leastMs, queue.backoffMs(failures.add(path, stat)));
    failures.holdUntil(path, clock.monotonicMs() + waitMs);
    return waitMs;
  }

  #tell(
    { path }: UploadJob,
    { message, status, requestId }: Pick<Fault, 'message' | 'status' | 'requestId'>,
    retryInMs: number,
    failures: number,
  ): void {
    this.#parts.notes.set(path, 'failed', message);
    this.#parts.listener({ kind: 'failed', path, message, retryInMs, failures, status, requestId });
  }
}
