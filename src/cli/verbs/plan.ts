import { formatBytes } from '../../contract/quantities.ts';
import { checkRoot } from '../../config/root-folder.ts';
import { withCommands, withCommandsIn } from '../../contract/command.ts';
import type { PlannedBatch } from '../../compose.ts';
import type { PlannedAction } from '../../mirror/judge/planned.ts';
import { printable } from '../../contract/shown-text.ts';
import { usedApi } from '../asked-api.ts';
import type { Context } from '../context.ts';
import { exitCode } from '../exit-code.ts';
import { printJson, printLines, tell } from '../io.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { defineVerb, jsonOption } from '../verb.ts';

/** What a pass does about batches besides asking. */
const DUE: ReadonlySet<PlannedBatch['op']> = new Set<PlannedBatch['op']>(['submit', 'look-up', 'fetch']);

export const verb = defineVerb({
  options: jsonOption,
  run: ({ json }, context) => printPlan(json, context),
});

/** Exit code: 2 if there is anything to do, 1 if there is only something that a person must solve, 0 if there is nothing. */
export async function printPlan(json: boolean, context: Context): Promise<number> {
  await checkRoot((await context.loadConfig()).config.root);
  const { config, isEmulator } = await usedApi(context);
  const { planMirror, plannedBatches, readState } = await context.compose();
  using stop = stopOnSignals();
  const actions = await planMirror({ config, isEmulator }, stop.signal);
  const invocation = await context.invocation();
  const uploads = actions.filter(({ op }) => op === '+' || op === '*').map(({ path }) => path);
  const batches = plannedBatches(await readState(config.stateDir), uploads, config.batches.submitFolders);
  if (json) {
    const told = {
      actions: withCommandsIn(actions, invocation),
      batches: withCommandsIn(batches, invocation),
    };
    await printJson(context.io, { version: 1, ...told });
  } else if (actions.length + batches.length === 0) tell(context.io, 'nothing to do');
  else {
    await printLines(context.io, actions, (action) => withCommands(planLine(action), invocation));
    await printLines(context.io, batches, (batch) => withCommands(batchLine(batch), invocation));
  }
  if (batches.some(({ op }) => DUE.has(op))) return exitCode.pending;
  if (actions.some(({ op, needs }) => op !== '!' || needs === 'time')) return exitCode.pending;
  return actions.some(({ needs }) => needs === 'person') ? exitCode.someFailed : exitCode.done;
}

function batchLine({ op, path, reason }: PlannedBatch): string {
  return `batch ${op} ${printable(path)}: ${printable(reason)}\n`;
}

function planLine({ op, path, from, bytes, reason }: PlannedAction): string {
  const source = from === null ? '' : `${printable(from)} -> `;
  const size = bytes === null ? '' : ` (${formatBytes(bytes)})`;
  return `${op} ${source}${printable(path)}${size}${reason === '' ? '' : `: ${printable(reason)}`}\n`;
}
