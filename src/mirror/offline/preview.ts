import { skipText } from '../judge/skip-text.ts';
import { needOf, needOfSkip, type Need } from '../../contract/attention.ts';
import { survivable } from '../../contract/faults.ts';
import { guardDeletes, type WaitingDelete } from '../judge/guards.ts';
import { IdentityIndex } from '../memory/identity-index.ts';
import type { LetGo } from '../judge/let-go.ts';
import { countInFolder, folderOf, isWithinAny } from '../../contract/mirror-path.ts';
import { findMovedFrom } from '../acts/moved-from.ts';
import { isAtRest, plan, type Action, type Situation } from '../judge/plan.ts';
import type { PlannedAction } from '../judge/planned.ts';
import type { LocalTree } from '../../contract/ports.ts';
import { rootTrouble } from '../judge/root-trouble.ts';
import type { MirrorSettings } from '../../contract/settings.ts';
import { situationOf } from '../judge/situation.ts';
import { deviceOf, sizeOf } from '../../contract/stat-token.ts';
import type { FolderLook, LocalLook, ManifestView, MirrorPath } from '../../contract/types.ts';

export interface PreviewParts {
  readonly local: LocalTree;
  readonly view: ManifestView;
  readonly settings: MirrorSettings;
  readonly letGo: LetGo;
  /** Unix seconds. */
  readonly nowSeconds: number;
}

const UPLOAD_REASONS = {
  new: 'new file',
  changed: 'its content changed',
  renamed: 'renamed; the old remote file is deleted afterwards',
  renewed: 'it is about to expire',
  'purpose-changed': 'its folder now has another purpose',
  lost: 'its remote file is gone',
} as const;

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
    if (trouble !== null) return [problem(this.#parts.settings.root, trouble)];
    const seen = new Set<MirrorPath>();
    const unlistable = new Set<MirrorPath>();
    for await (const items of local.scan(null, signal)) {
      for (const item of items) {
        seen.add(item.path);
        if (item.kind === 'unlistable') unlistable.add(item.path);
        if (item.kind === 'unlistable')
          this.#planned.push(problem(item.path, skipText({ reason: 'unreadable', detail: item.reason })));
        if (item.kind === 'skipped')
          this.#planned.push(problem(item.path, skipText(item), needOfSkip(item.reason)));
        if (item.kind !== 'file' || this.#isAtRest(item.path, item.stat)) continue;
        await this.#present(item.path, item.stat, signal);
      }
    }
    const gone = [...view.files.keys()].filter(
      (path) => !seen.has(path) && !this.#explained.has(path) && !isWithinAny(path, unlistable),
    );
    await this.#absent(gone);
    for (const [id, { path, bytes, hold }] of view.garbage) {
      if (hold || !this.#parts.settings.canDelete) continue;
      this.#planned.push({
        op: '-',
        path,
        from: null,
        bytes,
        reason: `its former remote file ${id} is still to be deleted`,
        needs: 'time',
      });
    }
    return this.#planned.sort((a, b) => (a.path < b.path ? -1 : 1));
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
        this.#planned.push(problem(path, survivable(error).message));
        return;
      }
    }
    this.#tell(path, action, sizeOf(stat), movedFrom?.path ?? null);
  }

  #tell(path: MirrorPath, action: Action, bytes: number, from: MirrorPath | null): void {
    switch (action.kind) {
      case 'upload': {
        const op = this.#parts.view.files.has(path) ? '*' : '+';
        if (from !== null) this.#explained.add(from);
        this.#planned.push({
          op,
          path,
          from: null,
          bytes,
          reason: UPLOAD_REASONS[action.why],
          needs: 'time',
        });
        return;
      }
      case 'move':
        this.#explained.add(action.from);
        this.#planned.push({
          op: '>',
          path,
          from: action.from,
          bytes,
          reason: `moved from ${action.from}; the id stays`,
          needs: 'time',
        });
        return;
      case 'reject':
        this.#planned.push(problem(path, action.message));
        return;
      case 'resolve':
        this.#planned.push(
          problem(path, 'an earlier upload of it may have arrived; that is found out first', 'time'),
        );
        return;
      case 'nothing':
        if (action.state === 'rejected' || action.state === 'skipped' || action.state === 'held') {
          const needs = action.needs ?? needOf(action.state);
          this.#planned.push(problem(path, action.reason ?? action.state, needs));
        }
        return;
      case 'wait':
      case 'inspect':
      case 'refresh':
      case 'refresh-hold':
      case 'believe':
      case 'missing':
      case 'forget':
      case 'forget-rejection':
        return;
    }
  }

  async #absent(gone: readonly MirrorPath[]): Promise<void> {
    const { local, view, settings, letGo } = this.#parts;
    const waiting: WaitingDelete[] = [];
    const folders = new Map<string, FolderLook>();
    for (const path of gone) {
      const look = await local.look(path);
      const entry = view.files.get(path);
      if (entry === undefined || look.kind !== 'absent') continue;
      const action = plan(this.#situation(path, look, null, null));
      if (action.kind === 'forget')
        this.#planned.push({
          op: '-',
          path,
          from: null,
          bytes: null,
          reason: 'expired and removed locally',
          needs: 'time',
        });
      if (action.kind !== 'missing') continue;
      const folder = folderOf(path);
      if (!folders.has(folder)) folders.set(folder, await local.lookFolder(folder));
      const otherDevice = look.onDevice !== deviceOf(entry.stat);
      waiting.push({ path, folder, due: true, approved: false, trip: null, otherDevice });
    }
    const verdict = guardDeletes({
      waiting,
      entriesTotal: view.files.size,
      entriesInFolder: (folder) => countInFolder(view.files.keys(), folder),
      lookOfFolder: (folder) => folders.get(folder) ?? null,
      letGoTotal: letGo.total(),
      letGoInFolder: (folder) => letGo.ofFolder(folder),
      maxFraction: settings.maxFraction,
      minCount: settings.minCount,
    });
    for (const { path } of waiting) {
      const bytes = view.files.get(path)?.bytes ?? null;
      if (verdict.held.has(path))
        this.#planned.push(
          problem(path, 'removed locally; its delete would wait for approval (mass-delete)'),
        );
      else this.#planned.push({ op: '-', path, from: null, bytes, reason: 'removed locally', needs: 'time' });
    }
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

function problem(path: MirrorPath, reason: string, needs: Need = 'person'): PlannedAction {
  return { op: '!', path, from: null, bytes: null, reason, needs };
}
