import { relative } from 'node:path';
import type { BatchView } from '../../contract/batch-report.ts';
import { printable } from '../../contract/shown-text.ts';
import type { Compose, Context } from '../context.ts';
import type { BatchArgs } from './action.ts';
import type { RunFiles } from './run-files.ts';

type RunFolder = Awaited<ReturnType<Compose['RunFolder']['open']>>;

/** What a run is made with. */
export interface Run {
  readonly args: BatchArgs;
  readonly context: Context;
  readonly compose: Compose;
  readonly folder: RunFolder;
  readonly files: RunFiles;
  readonly signal: AbortSignal;
}

/** As short as it can be from here. */
export function shown({ context }: Pick<Run, 'context'>, path: string): string {
  const fromHere = relative(context.io.cwd, path);
  return printable(fromHere === '' || fromHere.startsWith('..') ? path : fromHere);
}

/** What the records say of its batch; null: there is none. */
export async function recordedView({ compose, folder }: Run): Promise<BatchView | null> {
  const { batches } = await compose.readState(folder.stateDir);
  return compose.recordedViews(batches).at(-1) ?? null;
}
