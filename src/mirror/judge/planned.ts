import { needOf, type Need } from '../../contract/attention.ts';
import type { MirrorPath } from '../../contract/types.ts';
import type { Action } from './plan.ts';

/** `+` upload, `*` replace, `>` move, `-` delete, `!` problem. */
export type PlannedOp = '+' | '*' | '>' | '-' | '!';

/** One thing that a pass would do, as `plan` shows it. */
export interface PlannedAction {
  readonly op: PlannedOp;
  readonly path: MirrorPath;
  /** With `>`: the path it was mirrored under. */
  readonly from: MirrorPath | null;
  readonly bytes: number | null;
  readonly reason: string;
  /** `!`: who must act; all others are done by the pass (`time`). */
  readonly needs: Need;
}

const UPLOAD_REASONS = {
  new: 'new file',
  changed: 'its content changed',
  renamed: 'renamed; the old remote file is deleted afterwards',
  renewed: 'it is about to expire',
  'purpose-changed': 'its folder now has another purpose',
  lost: 'its remote file is gone',
} as const;

export function plannedDelete(path: MirrorPath, bytes: number | null, reason: string): PlannedAction {
  return { op: '-', path, from: null, bytes, reason, needs: 'time' };
}

export function plannedProblem(path: MirrorPath, reason: string, needs: Need = 'person'): PlannedAction {
  return { op: '!', path, from: null, bytes: null, reason, needs };
}

/** What a person is shown of an action for a file that is there; null: nothing. `isMirrored`: an earlier version is. */
export function plannedFor(
  path: MirrorPath,
  action: Action,
  bytes: number,
  isMirrored: boolean,
): PlannedAction | null {
  switch (action.kind) {
    case 'upload': {
      const op = isMirrored ? '*' : '+';
      return { op, path, from: null, bytes, reason: UPLOAD_REASONS[action.why], needs: 'time' };
    }
    case 'move': {
      const { from } = action;
      return { op: '>', path, from, bytes, reason: `moved from ${from}; the id stays`, needs: 'time' };
    }
    case 'reject':
      return plannedProblem(path, action.message);
    case 'resolve':
      return plannedProblem(
        path,
        'an earlier upload of it may have arrived; that is found out first',
        'time',
      );
    case 'nothing': {
      const { state, reason } = action;
      if (state !== 'rejected' && state !== 'skipped' && state !== 'held') return null;
      return plannedProblem(path, reason ?? state, action.needs ?? needOf(state));
    }
    default:
      return null;
  }
}
