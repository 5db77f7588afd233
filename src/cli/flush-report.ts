import type { FlushResult } from '../mirror/report.ts';
import { renderHalt, renderProblems } from '../service/status-text.ts';
import { tell, type Io } from './io.ts';
import { printJson } from './json-output.ts';

/** `{ version, problems, halts }`, or for people what is not mirrored and why. */
export async function printFlushResult(io: Io, result: FlushResult, json: boolean): Promise<void> {
  if (json) {
    await printJson(io, { version: 1, ...result });
    return;
  }
  const nowSeconds = Date.now() / 1000;
  for (const halt of result.halts) tell(io, renderHalt(halt, nowSeconds));
  const problems = renderProblems(result.problems);
  if (problems !== '') tell(io, problems);
}
