import { skipText } from '../judge/skip-text.ts';
import { needOfSkip } from '../../contract/attention.ts';
import { survivable } from '../../contract/faults.ts';
import { type DeleteVerdict, guardDeletes, holds, tally, type WaitingDelete } from '../judge/guards.ts';
import { IdentityIndex } from '../memory/identity-index.ts';
import type { LetGo } from '../judge/let-go.ts';
import { countInFolder, folderOf, isWithinAny } from '../../contract/mirror-path.ts';
import { findMovedFrom } from '../acts/moved-from.ts';
import { isAtRest } from '../judge/expiry.ts';
import { plan, type Situation } from '../judge/plan.ts';
import { plannedDelete, plannedFor, plannedProblem, type PlannedAction } from '../judge/planned.ts';
import type { LocalTree } from '../../contract/ports.ts';
import { rootTrouble } from '../judge/root-trouble.ts';
import type { MirrorSettings } from '../../contract/settings.ts';
import { situationOf } from '../judge/situation.ts';
import { deviceOf, sizeOf } from '../../contract/stat-token.ts';
import type { FolderLook, LocalLook, ManifestView, MirrorPath, ScanItem } from '../../contract/types.ts';

export interface PreviewParts {
  readonly local: LocalTree;
  readonly view: ManifestView;
  readonly settings: MirrorSettings;
  readonly letGo: LetGo;
  /** Unix seconds. */
  readonly nowSeconds: number;
}

/** What a pass would do, decided by the same `plan` and guards, with nothing sent and nothing written. */
export async function previewPlan(
  parts: PreviewParts,
  signal: AbortSignal,
): Promise<readonly PlannedAction[]> {
  return await new Preview(parts).run(signal);
}

class Preview {
  readonly #parts: PreviewParts;
  readonly #index: IdentityIndex;
  readonly #planned: PlannedAction[] = [];
  /** Paths whose file was found elsewhere, so that they are no deletes. */
  readonly #explained = new Set<MirrorPath>();

  constructor(parts: PreviewParts) {
    this.#parts = parts;
    this.#index = new IdentityIndex(parts.view, async () => {});
  }

  async run(signal: AbortSignal): Promise<readonly PlannedAction[]> {
    const { local, view } = this.#parts;
    const trouble = rootTrouble(await local.lookRoot(view.mirrorId), view);
    if (trouble !== null) return [plannedProblem(this.#parts.settings.root, trouble)];
    const seen = new Set<MirrorPath>();
    const unlistable = new Set<MirrorPath>();
    for await (const items of local.scan(null, signal)) {
      for (const item of items) {
        seen.add(item.path);
        if (item.kind === 'unlistable') unlistable.add(item.path);
        await this.#item(item, signal);
      }
    }
    const gone = [...view.files.keys()].filter(
      (path) => !seen.has(path) && !this.#explained.has(path) && !isWithinAny(path, unlistable),
    );
    await this.#absent(gone);
    for (const [id, { path, bytes, hold }] of view.garbage) {
      if (hold || !this.#parts.settings.canDelete) continue;
      this.#planned.push(plannedDelete(path, bytes, `its former remote file ${id} is still to be deleted`));
    }
    return this.#planned.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async #item(item: ScanItem, signal: AbortSignal): Promise<void> {
    if (item.kind === 'unlistable')
      this.#planned.push(plannedProblem(item.path, skipText({ reason: 'unreadable', detail: item.reason })));
    if (item.kind === 'skipped')
      this.#planned.push(plannedProblem(item.path, skipText(item), needOfSkip(item.reason)));
    if (item.kind === 'file' && !this.#isAtRest(item.path, item.stat))
      await this.#present(item.path, item.stat, signal);
  }

  #isAtRest(path: MirrorPath, stat: string): boolean {
    const { view, settings, nowSeconds } = this.#parts;
    const entry = view.files.get(path);
    return (
      entry !== undefined &&
      isAtRest(path, entry, stat, settings.folders.get(folderOf(path)) ?? null, nowSeconds)
    );
  }

  async #present(path: MirrorPath, stat: string, signal: AbortSignal): Promise<void> {
    const { local, view } = this.#parts;
    const seen = await local.look(path);
    // A file that still changes will be uploaded once it has settled: it is planned as what it is now.
    const look: LocalLook = seen.kind === 'changing' ? { kind: 'file', stat, sizeBytes: sizeOf(stat) } : seen;
    const movedFrom = await findMovedFrom({ view, local, index: this.#index }, path, stat);
    let action = plan(this.#situation(path, look, movedFrom, null));
    const rules = this.#parts.settings.folders.get(folderOf(path));
    if (action.kind === 'inspect' && rules !== undefined) {
      try {
        action = plan(this.#situation(path, look, movedFrom, await local.inspect(path, stat, rules, signal)));
      } catch (error) {
        signal.throwIfAborted();
        this.#planned.push(plannedProblem(path, survivable(error).message));
        return;
      }
    }
    if (movedFrom !== null && (action.kind === 'upload' || action.kind === 'move'))
      this.#explained.add(movedFrom.path);
    const planned = plannedFor(path, action, sizeOf(stat), view.files.has(path));
    if (planned !== null) this.#planned.push(planned);
  }

  async #absent(gone: readonly MirrorPath[]): Promise<void> {
    const { local, view } = this.#parts;
    const waiting: WaitingDelete[] = [];
    const folders = new Map<string, FolderLook>();
    for (const path of gone) {
      const look = await local.look(path);
      const entry = view.files.get(path);
      if (entry === undefined || look.kind !== 'absent') continue;
      const action = plan(this.#situation(path, look, null, null));
      if (action.kind === 'forget')
        this.#planned.push(plannedDelete(path, null, 'expired and removed locally'));
      if (action.kind !== 'missing') continue;
      const folder = folderOf(path);
      if (!folders.has(folder)) folders.set(folder, await local.lookFolder(folder));
      const otherDevice = look.onDevice !== deviceOf(entry.stat);
      waiting.push({ path, folder, approved: false, trip: null, otherDevice });
    }
    const verdict = this.#guard(waiting, folders);
    for (const each of waiting) {
      const bytes = view.files.get(each.path)?.bytes ?? null;
      this.#planned.push(
        holds(verdict, each)
          ? plannedProblem(each.path, 'removed locally; its delete would wait for approval (mass-delete)')
          : plannedDelete(each.path, bytes, 'removed locally'),
      );
    }
  }

  #guard(waiting: readonly WaitingDelete[], folders: ReadonlyMap<string, FolderLook>): DeleteVerdict {
    const { view, settings, letGo } = this.#parts;
    return guardDeletes({
      folders: tally(waiting),
      entriesTotal: view.files.size,
      entriesInFolder: (folder) => countInFolder(view.files.keys(), folder),
      lookOfFolder: (folder) => folders.get(folder) ?? null,
      letGoTotal: letGo.total(),
      letGoInFolder: (folder) => letGo.ofFolder(folder),
      maxFraction: settings.maxFraction,
      minCount: settings.minCount,
    });
  }

  #situation(
    path: MirrorPath,
    look: LocalLook,
    movedFrom: Situation['movedFrom'],
    inspection: Situation['inspection'],
  ): Situation {
    const { view, local, settings, nowSeconds } = this.#parts;
    const facts = { movedFrom, inspection, lost: false, nowSeconds, trusted: settings.trustReply };
    return situationOf({ view, local, folders: settings.folders }, path, look, facts);
  }
}
