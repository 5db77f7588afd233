import { withCommands, withCommandsIn } from '../contract/command.ts';
import type { FlushResult } from '../contract/report.ts';
import { renderHalt, renderProblems } from '../service/status-text.ts';
import type { Context } from './context.ts';
import { tell, printJson } from './io.ts';

/** `{ version, problems, halts }` and `more`, or for people what is not mirrored and why. */
export async function printFlushResult(
  context: Context,
  result: FlushResult,
  json: boolean,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { io } = context;
  const invocation = await context.invocation();
  if (json) {
    await printJson(io, { version: 1, ...withCommandsIn(result, invocation), ...more });
    return;
  }
  const nowSeconds = Date.now() / 1000;
  for (const halt of result.halts) tell(io, withCommands(renderHalt(halt, nowSeconds), invocation));
  const problems = renderProblems(result.problems);
  if (problems !== '') tell(io, withCommands(problems, invocation));
}
