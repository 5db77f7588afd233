import type { MirrorPath } from '../../contract/types.ts';
import type { Context } from '../context.ts';

/** The options of `batch`, whichever action it is. */
export interface BatchArgs {
  readonly json: boolean;
  readonly again: boolean;
  readonly 'dry-run': boolean;
  readonly batch: string | undefined;
  readonly none: boolean;
  readonly timeout: number | undefined;
  readonly output: string | undefined;
  readonly force: boolean;
  readonly resume: boolean;
  readonly cancel: boolean;
}

/** What `batch ACTION` is. */
export interface BatchAction {
  /** How many paths it wants. `file`: one file anywhere, as it was named. */
  readonly paths: 'none' | 'one' | 'some' | 'any' | 'file';
  /** Its options, besides `--json`. */
  readonly options: readonly (keyof BatchArgs)[];
  /** Returns the exit code. */
  run(paths: readonly MirrorPath[], args: BatchArgs, context: Context): Promise<number>;
}
