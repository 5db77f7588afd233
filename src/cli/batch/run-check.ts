import { describeError, errnoOf, isMissing } from '../../contract/errno.ts';
import { counted } from '../../contract/quantities.ts';
import { printable } from '../../contract/shown-text.ts';
import { skipFault } from '../../contract/faults.ts';
import { printJson, tell } from '../io.ts';
import { shown, type Run } from './run-parts.ts';

/** Before anything is sent: says which lines the API would refuse, and why. Throws `Fault` when it cannot be read. */
export async function isRefused(run: Run): Promise<boolean> {
  const { args, context, compose, files, signal } = run;
  const { config } = await context.loadConfig();
  const name = shown(run, files.file);
  const checked = await compose
    .checkFile(files.file, compose.batchRules(config), signal)
    .catch((error: unknown) => {
      if (errnoOf(error) === '') throw error;
      const why = isMissing(error) ? 'there is no such file' : describeError(error);
      throw skipFault('unreadable', `${name}: ${why}`);
    });
  const { findings, findingsTotal, warnings } = checked;
  if (!args.json) for (const warning of warnings) tell(context.io, `${name}: warning: ${printable(warning)}`);
  if (findings.length === 0) return false;
  if (args.json) {
    const report = { version: 1, path: files.file, state: 'refused', findings, findingsTotal };
    await printJson(context.io, report);
    return true;
  }
  for (const { line, rule, message } of findings)
    tell(context.io, `${name}${line === null ? '' : `:${line}`}: ${rule}: ${printable(message)}`);
  const more = findingsTotal - findings.length;
  const rest = more > 0 ? `, ${counted(more, 'more finding')} not shown` : '';
  tell(context.io, `${name} is refused${rest}; nothing was sent`);
  return true;
}
