import { folderOf } from '../../contract/mirror-path.ts';
import type { Change, FolderRules, ManifestView, MirrorPath, Replaced } from '../../contract/types.ts';
import { renewalDueAt } from '../judge/expiry.ts';
import { Calendar } from './calendar.ts';
import { Following, type Pause } from './following.ts';

/** When which file is to be renewed under these rules; other rules need another one of these. */
export class Renewals {
  readonly #following: Following;
  readonly #calendar = new Calendar();

  constructor(view: ManifestView, folders: ReadonlyMap<string, FolderRules>, pause: Pause, perTurn?: number) {
    const dueAt = (path: MirrorPath, entry: Parameters<typeof renewalDueAt>[1]): number | null => {
      const rules = folders.get(folderOf(path));
      const at = rules?.onExpiry === 'renew' ? renewalDueAt(path, entry, rules) : null;
      return at === null ? null : Math.ceil(at);
    };
    const follower: ConstructorParameters<typeof Following>[1] = {
      enter: (path, entry) => {
        const at = dueAt(path, entry);
        if (at !== null) this.#calendar.add(path, at);
      },
      leave: (path, entry) => {
        const at = dueAt(path, entry);
        if (at !== null) this.#calendar.delete(path, at);
      },
    };
    this.#following = new Following(view, follower, pause, perTurn);
  }

  ready(): Promise<void> {
    return this.#following.ready();
  }

  /** To be told of every change (`Recorded`). */
  apply(change: Change, replaced: Replaced): void {
    this.#following.apply(change, replaced);
  }

  /** Paths that are due after `afterSeconds` and no later than `untilSeconds`. Only once it is ready. */
  due(afterSeconds: number, untilSeconds: number): IterableIterator<MirrorPath> {
    this.#following.complete();
    return this.#calendar.between(afterSeconds, untilSeconds);
  }
}
