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
import { stateFilesIn, type StateFiles } from './state-files.ts';

/** `api.json` as the engine uses it: what the recorded ids belong to, and how the API was asked. */
export class RecordedApi implements ApiMemory {
  readonly #files: StateFiles;
  /** Null: nothing may be written, since nothing is recorded yet, or this is a dry run. */
  readonly #identity: ApiIdentity | null;
  #fingerprints: Fingerprints;
  #scope: ApiScope;
  /** Asked before every request. */
  #changes: readonly string[];
  #writing: Promise<void> = Promise.resolve();

  constructor(files: StateFiles, identity: ApiIdentity | null, fingerprints: Fingerprints, scope: ApiScope) {
    this.#files = files;
    this.#identity = identity;
    this.#fingerprints = fingerprints;
    this.#scope = scope;
    this.#changes = changesSince(fingerprints, scope);
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
      writeApiRecord(this.#files, { identity, fingerprints: this.#fingerprints }),
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
): Promise<RecordedApi> {
  const files = stateFilesIn(stateDir);
  const record = await readApiRecord(files);
  const identity = isDry ? null : (record?.identity ?? null);
  return new RecordedApi(files, identity, record?.fingerprints ?? noFingerprints(), scope);
}
