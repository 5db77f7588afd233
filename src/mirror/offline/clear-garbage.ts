import { requireOwnScope } from '../acts/ask-scope.ts';
import { type Fault, survivable } from '../../contract/faults.ts';
import { NO_USES, type FileUses } from '../../contract/file-uses.ts';
import { garbageDeleted, isSurelyOurs } from '../judge/fold.ts';
import { asOneOnly } from '../judge/refusal.ts';
import { requireOwnRoot } from '../acts/own-root.ts';
import type { ApiMemory, Clock, FilesApi, LocalTree, Manifest } from '../../contract/ports.ts';
import type { FileId } from '../../contract/types.ts';

/** How often every id is tried. */
const ROUNDS = 3;
const BETWEEN_ROUNDS_MS = 1_000;

export interface ClearGarbageParts {
  readonly local: LocalTree;
  readonly api: FilesApi;
  readonly manifest: Manifest;
  readonly apiMemory: ApiMemory;
  readonly clock: Clock;
  readonly uses?: FileUses;
}

/**
 * Deletes, without an engine, the ids that the garbage list holds, those kept aside included as far as they are surely
 * ours, and nothing else. Returns how many are gone now. Throws `Fault`: with halt `root` when the root is not this
 * mirror's, with halt `scope` when the ids are of another project; the API's last word when an id could not be
 * deleted; or the signal's reason.
 */
export async function clearGarbage(parts: ClearGarbageParts, signal: AbortSignal): Promise<number> {
  const { local, manifest, clock, uses = NO_USES } = parts;
  await requireOwnRoot(local, manifest);
  await requireKnownScope(parts, signal);
  const owned = new Set([...manifest.files.values()].map(({ id }) => id));
  let gone = 0;
  for (let round = 1; ; round += 1) {
    let lastFault: Fault | null = null;
    for (const [id, garbage] of manifest.garbage) {
      // INVARIANT: what was only found by its looks in a listing is never deleted.
      if (!isSurelyOurs(garbage) || uses.userOf(id) !== null) continue;
      const fault = await deleteOne(parts, id, owned.has(id), signal);
      if (fault === null) gone += 1;
      else if (fault.disposition === 'halt') throw fault;
      else lastFault = fault;
    }
    if (lastFault === null) return gone;
    if (round === ROUNDS) throw lastFault;
    await clock.sleep(Math.max(BETWEEN_ROUNDS_MS * round, lastFault.retryAfterMs ?? 0), signal);
  }
}

async function requireKnownScope(parts: ClearGarbageParts, signal: AbortSignal): Promise<void> {
  const { apiMemory, manifest } = parts;
  const changes = apiMemory.changes();
  if (changes.length === 0) return;
  await requireOwnScope({ ...parts, view: manifest }, changes, signal);
  await apiMemory.confirm();
}

/** Null: it is gone, and so is its record. */
async function deleteOne(
  parts: ClearGarbageParts,
  id: FileId,
  isOwned: boolean,
  signal: AbortSignal,
): Promise<Fault | null> {
  const { api, manifest } = parts;
  try {
    // INVARIANT: what an entry has is never deleted.
    // INVARIANT: "no such file" is only believed where our other files are known.
    if (!isOwned && (await api.delete(id, signal)) === 'absent')
      await requireOwnScope({ ...parts, view: manifest }, [], signal);
  } catch (error) {
    signal.throwIfAborted();
    const fault = survivable(error);
    if (fault.halt !== 'auth') return fault;
    // The key is judged by a request that concerns no file: this throws when it is refused.
    await api.probe(signal);
    return asOneOnly(fault);
  }
  await manifest.commit(garbageDeleted(id));
  return null;
}
