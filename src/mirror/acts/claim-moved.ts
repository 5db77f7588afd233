import type { Reloadable } from '../memory/reloadable.ts';
import type { Superseded } from '../judge/fold.ts';
import { hasLeft } from './moved-from.ts';
import type { ManifestView } from '../../contract/types.ts';
import { REST, type Worklist } from '../waiting/worklist.ts';

export interface ClaimParts {
  readonly view: ManifestView;
  readonly worklist: Worklist;
  readonly config: Reloadable;
}

/**
 * Claims the old path of a renamed file, if manifest and disk still say that this is what it is: with `gone`, that
 * nothing is there; with `left`, that this file is not. Returns what gives the claim back; null: they do not, or the
 * path's worker is busy with it.
 *
 * RACE: between the look that found the rename and what is done because of it, content was read or sent, which takes
 * minutes. By then a new file may lie at the old path, with an entry of its own, or the old one may be back.
 */
export async function claimMoved(
  { view, worklist, config }: ClaimParts,
  from: Superseded,
  demand: 'gone' | 'left',
): Promise<(() => void) | null> {
  if (!worklist.claim(from.path)) return null;
  const release = (): void => {
    // Its state may be another one now, whatever it waited for.
    worklist.mark(from.path);
    worklist.done(from.path, REST);
  };
  const look = await config.local.look(from.path);
  const isMoved = demand === 'gone' ? look.kind === 'absent' : hasLeft(look, from.entry);
  if (isMoved && view.files.get(from.path)?.id === from.entry.id) return release;
  release();
  return null;
}
