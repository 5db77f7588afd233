import { withCommands, withCommandsIn } from '../../contract/command.ts';
import type { BatchView } from '../../contract/batch-report.ts';
import { printable } from '../../contract/shown-text.ts';
import { batchText } from '../../service/batch-text.ts';
import { aligned } from '../../service/table.ts';
import type { Context } from '../context.ts';
import { exitCode } from '../exit-code.ts';
import { print, printJsonList, tell } from '../io.ts';
import type { BatchAction } from './action.ts';
import { batchViews } from './recorded.ts';

export const list: BatchAction = {
  paths: 'none',
  options: [],
  async run(_paths, { json }, context) {
    const views = await batchViews(context, json);
    await printViews(views, json, context);
    if (!json && views.length === 0) tell(context.io, 'no batches');
    return exitCode.done;
  },
};

async function printViews(views: readonly BatchView[], json: boolean, context: Context): Promise<void> {
  const invocation = await context.invocation();
  if (json) {
    await printJsonList(
      context.io,
      views.map((view) => withCommandsIn(view, invocation)),
    );
  } else if (views.length > 0)
    await print(context.io, withCommands(`${viewLines(views, Date.now() / 1_000)}\n`, invocation));
}

/** One line each. */
export function viewLines(views: readonly BatchView[], nowSeconds: number): string {
  return aligned(
    views.map((view) => [
      view.state,
      printable(view.batch ?? '-'),
      printable(view.path),
      batchText(view, nowSeconds),
    ]),
  );
}
