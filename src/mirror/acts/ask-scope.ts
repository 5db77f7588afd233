import { Fault, survivable } from '../../contract/faults.ts';
import type { Clock, Questions } from '../../contract/ports.ts';
import { judgeScope, type ScopeVerdict, witnessesOf } from '../judge/scope.ts';
import type { FileId, ManifestView } from '../../contract/types.ts';

export interface ScopeQuestion {
  readonly api: Questions;
  readonly view: Pick<ManifestView, 'files' | 'garbage'>;
  /** By the server's clock. */
  readonly nowSeconds: number;
  readonly hasChanged: boolean;
}

export interface ScopeAnswer {
  readonly verdict: ScopeVerdict;
  /** Ids that must exist, and that the API does not know. */
  readonly unknown: number;
}

/** Looks up a few recorded ids, until one is known. Throws `Fault` when the API cannot say, or the signal's reason. */
export async function askScope(question: ScopeQuestion, signal: AbortSignal): Promise<ScopeAnswer> {
  const { api, view, nowSeconds, hasChanged } = question;
  let known = 0;
  let unknown = 0;
  let undecided = 0;
  for (const { id, mustExist } of witnessesOf(view, nowSeconds)) {
    if (await isKnown(api, id, signal)) {
      known += 1;
      break;
    }
    if (mustExist) unknown += 1;
    else undecided += 1;
  }
  return { verdict: judgeScope({ hasChanged, known, unknown, undecided }), unknown };
}

/** An id that this key may not see is not known either; a key that is accepted nowhere says nothing. */
async function isKnown(api: Questions, id: FileId, signal: AbortSignal): Promise<boolean> {
  try {
    return (await api.retrieve(id, signal)) !== null;
  } catch (error) {
    signal.throwIfAborted();
    if (survivable(error).halt !== 'auth') throw error;
    await api.probe(signal);
    return false;
  }
}

/** Why nothing is done with these ids. `changes`: what changed here, in words; empty: nothing. */
export function foreignScope(unknown: number, changes: readonly string[]): Fault {
  const since =
    changes.length === 0
      ? 'though nothing changed here: they are of another project, or everything there was deleted'
      : `and since they were recorded ${listed(changes)} changed: they are of another project`;
  return scopeFault(`the API knows none of the ${unknown} recorded ids that were looked up, ${since}`);
}

export function scopeFault(message: string): Fault {
  return new Fault(message, { disposition: 'halt', halt: 'scope', outcome: 'refused', rule: 'scope' });
}

/** It is not known yet whose the ids are. */
export function unsureScope(): Fault {
  return scopeFault('it is not known yet whether the recorded ids are of this project: they are too new');
}

/**
 * Without an engine: throws `Fault` with halt `scope` unless the recorded ids are known. `changes`: as of `ApiMemory`.
 */
export async function requireOwnScope(
  { api, view, clock }: { api: Questions; view: ScopeQuestion['view']; clock: Clock },
  changes: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const nowSeconds = Math.floor((api.serverNowMs() ?? clock.wallMs()) / 1000);
  const question = { api, view, nowSeconds, hasChanged: changes.length > 0 };
  const { verdict, unknown } = await askScope(question, signal);
  if (verdict === 'foreign') throw foreignScope(unknown, changes);
  if (verdict === 'unsure') throw unsureScope();
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
