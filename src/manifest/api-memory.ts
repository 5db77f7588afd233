import { Fault } from '../contract/faults.ts';
import type { ApiMemory } from '../contract/ports.ts';
import { readApiRecord, writeApiRecord, type ApiIdentity } from './api-identity.ts';
import {
  changesSince,
  isAskedAlike,
  noFingerprints,
  withAsked,
  withIdsIn,
  type ApiScope,
  type Fingerprints,
} from './api-scope.ts';
import { stateFilesIn } from './state-files.ts';
import type { StateFiles } from './state-files.ts';

/** `api.json` as the engine uses it: what the recorded ids belong to, and how the API was asked. */
export class RecordedApi implements ApiMemory {
  readonly #files: StateFiles;
  readonly #stateDir: string;
  /** Null: nothing may be written, since nothing is recorded yet, or this is a dry run. */
  readonly #identity: ApiIdentity | null;
  #fingerprints: Fingerprints;
  #scope: ApiScope;
  /** Asked before every request. */
  #changes: readonly string[];
  #writing: Promise<void> = Promise.resolve();

  constructor(
    stateDir: string,
    identity: ApiIdentity | null,
    fingerprints: Fingerprints,
    scope: ApiScope,
    files: StateFiles,
  ) {
    this.#stateDir = stateDir;
    this.#identity = identity;
    this.#fingerprints = fingerprints;
    this.#scope = scope;
    this.#changes = changesSince(fingerprints, scope);
    this.#files = files;
  }

  /** The key that requests are made with from now on; all else stays until a restart. */
  useKey(key: string | null): void {
    this.#scope = { ...this.#scope, key };
    this.#changes = changesSince(this.#fingerprints, this.#scope);
  }

  changes(): readonly string[] {
    return this.#changes;
  }

  async confirm(): Promise<void> {
    await this.#record(withIdsIn(this.#fingerprints, this.#scope));
  }

  isAskedOtherwise(): boolean {
    return !isAskedAlike(this.#fingerprints, this.#scope);
  }

  async noteAsked(): Promise<void> {
    await this.#record(withAsked(this.#fingerprints, this.#scope));
  }

  /** In force at once, whether it can be written or not. */
  async #record(fingerprints: Fingerprints): Promise<void> {
    this.#fingerprints = fingerprints;
    this.#changes = changesSince(fingerprints, this.#scope);
    const identity = this.#identity;
    if (identity === null) return;
    const written = this.#writing.then(() =>
      writeApiRecord(this.#stateDir, { identity, fingerprints: this.#fingerprints }, this.#files),
    );
    this.#writing = written.catch(() => {});
    await written.catch((error: unknown) => {
      if (!(error instanceof Fault)) throw error;
      // Nothing depends on it but what is asked at the next start.
      throw new Fault(error.message, {
        disposition: 'halt',
        halt: 'state',
        outcome: 'refused',
        rule: error.rule,
        cause: error,
      });
    });
  }
}

/** `isDry`: nothing is written. Throws `Fault` (`config`) when what is recorded cannot be understood. */
export async function openRecordedApi(
  stateDir: string,
  scope: ApiScope,
  isDry: boolean,
  files: StateFiles = stateFilesIn(stateDir),
): Promise<RecordedApi> {
  const record = await readApiRecord(stateDir, files);
  const identity = isDry ? null : (record?.identity ?? null);
  return new RecordedApi(stateDir, identity, record?.fingerprints ?? noFingerprints(), scope, files);
}
