import type { HaltBoard } from '../memory/halts.ts';
import type { Pause } from '../memory/following.ts';
import type { Missing, MissingFiles } from '../memory/missing-files.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import { nowSeconds } from '../../contract/times.ts';
import type { Totals } from '../memory/totals.ts';
import type { Clock } from '../../contract/ports.ts';
import { counted } from '../../contract/quantities.ts';
import type { FolderLook, ManifestView, MirrorPath } from '../../contract/types.ts';
import { guardDeletes, holds, NOTHING_HELD, type DeleteVerdict } from '../judge/guards.ts';
import type { LetGo } from '../judge/let-go.ts';

/** Missing files that are gone through in one turn of the loop. */
const PATHS_PER_TURN = 2_000;
/** What is said of a path that is held. */
export const HELD = 'its delete waits for approval (mass-delete)';

/** What it works with. */
interface Parts {
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly halts: HaltBoard;
  readonly letGo: LetGo;
  readonly notes: PathNotes;
  readonly pause: Pause;
  readonly totals: Totals;
  readonly view: ManifestView;
}

/** Holds deletes that a person must approve, as halts and as what is said of each path; `guardDeletes` decides which. */
export class DeleteGuard {
  readonly #parts: Parts;
  readonly #missing: MissingFiles;
  #verdict: DeleteVerdict = NOTHING_HELD;
  #looks: ReadonlyMap<string, FolderLook> = new Map();

  constructor(parts: Parts, missing: MissingFiles) {
    this.#parts = parts;
    this.#missing = missing;
  }

  /** May not go. */
  holds(missing: Missing): boolean {
    return holds(this.#verdict, missing);
  }

  /** May not go, and that is said of it. */
  isHeld(missing: Missing): boolean {
    return missing.isTold && this.holds(missing);
  }

  /**
   * Releases what the `mass-delete` halts hold. Returns how many deletes that were. What was let go before is approved
   * with them: it was a part of what the person was shown.
   */
  async approve(folder: string | null): Promise<number> {
    const { letGo, notes, pause } = this.#parts;
    const isAll = folder === null && this.#verdict.halts.some((halt) => halt.folder === null);
    const folders = new Set<string>();
    let count = 0;
    for (const missing of this.#missing.values()) {
      if ((folder !== null && missing.folder !== folder) || !this.isHeld(missing)) continue;
      this.#missing.set(missing.path, { approved: true });
      // Who waits for it must not take it for held any more.
      notes.set(missing.path, 'deleting', 'its delete is approved');
      folders.add(missing.folder);
      count += 1;
      if (count % PATHS_PER_TURN === 0) await pause();
    }
    for (const each of folders) letGo.forgive(isAll ? null : each);
    return count;
  }

  /** Looks at the folders of what is missing: what it sees is what `judge` knows of them. */
  async look(): Promise<void> {
    const looks = new Map<string, FolderLook>();
    for (const folder of this.#missing.folders())
      looks.set(folder, await this.#parts.config.local.lookFolder(folder));
    this.#looks = looks;
  }

  /** Decides over all that wait, if any is due, or held. */
  async judge(isAnyDue: boolean): Promise<void> {
    const { view, halts, letGo, totals, config } = this.#parts;
    const missing = this.#missing;
    const before = this.#verdict.halts;
    if (!isAnyDue && before.length === 0) {
      this.#verdict = NOTHING_HELD;
      return;
    }
    const { maxFraction, minCount } = config.settings;
    this.#verdict = guardDeletes({
      folders: missing.counts(),
      entriesTotal: view.files.size - missing.newcomers,
      entriesInFolder: (folder) => totals.entriesWithin(folder) - missing.newcomersIn(folder),
      lookOfFolder: (folder) => this.#looks.get(folder) ?? null,
      letGoTotal: letGo.total(),
      letGoInFolder: (folder) => letGo.ofFolder(folder),
      maxFraction,
      minCount,
    });
    const { halts: now } = this.#verdict;
    await this.#tellHeld(this.#verdict);
    for (const { folder } of before)
      if (!now.some((halt) => halt.folder === folder)) halts.end('mass-delete', folder);
    for (const { folder, cause, count, of, waiting } of now) {
      halts.raise({
        name: 'mass-delete',
        since: nowSeconds(this.#parts),
        cause: `${cause} (${count}/${of})`,
        held: `${counted(waiting, 'delete waits', 'deletes wait')}; uploads go on`,
        folder,
      });
    }
  }

  async #tellHeld({ trips, heldFolders }: DeleteVerdict): Promise<void> {
    for (const trip of trips) {
      const folders = trip.folder === null ? this.#missing.folders() : [trip.folder];
      for (const folder of folders) await this.#tell(this.#missing.open(folder, 'all'), { trip });
    }
    for (const folder of heldFolders) await this.#tell(this.#missing.open(folder, 'untold'), {});
  }

  async #tell(paths: Iterable<MirrorPath>, facts: Partial<Pick<Missing, 'trip'>>): Promise<void> {
    let count = 0;
    for (const path of paths) {
      this.#missing.set(path, { ...facts, isTold: true });
      this.#parts.notes.set(path, 'held', HELD);
      count += 1;
      if (count % PATHS_PER_TURN === 0) await this.#parts.pause();
    }
  }
}
