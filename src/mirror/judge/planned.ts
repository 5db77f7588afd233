import type { Need } from '../../contract/attention.ts';
import type { MirrorPath } from '../../contract/types.ts';

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
