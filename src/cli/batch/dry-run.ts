import type { DryFile, DryRun } from '../../contract/batch-report.ts';
import { counted } from '../../contract/quantities.ts';
import { printable } from '../../contract/shown-text.ts';
import type { MirrorPath } from '../../contract/types.ts';
import { aligned } from '../../service/table.ts';
import type { Context } from '../context.ts';
import { exitCode } from '../exit-code.ts';
import { printFacts, tell } from '../io.ts';
import { moneyText, requestsText } from './requests-text.ts';
import { stopOnSignals } from '../stop-signals.ts';

/** How `inputTokens` is made, in words. */
export const ESTIMATE = 'bytes of the texts in the bodies, divided by 4';

/** What `batch submit --dry-run` prints. Nothing is sent, and nothing asked of anybody. */
export async function dryRunOnly(
  paths: readonly MirrorPath[],
  json: boolean,
  context: Context,
): Promise<number> {
  const { config } = await context.loadConfig();
  const { dryRunOf, readState } = await context.compose();
  using stop = stopOnSignals();
  const run = await dryRunOf(config, await readState(config.stateDir), paths, stop.signal);
  const unread = paths.filter((path) => !run.files.some((file) => file.path === path));
  for (const path of unread)
    tell(context.io, `${printable(path)}: there is no such file, or it cannot be read`);
  const facts = { version: 1, ...run, unread, estimate: ESTIMATE };
  await printFacts(context.io, json, facts, `${dryText(run)}\n`);
  return unread.length > 0 ? exitCode.someFailed : exitCode.done;
}

function dryText({ files, total }: DryRun): string {
  const rows = files.map((file) => [printable(file.path), fileText(file)]);
  const models = total.models.length === 0 ? 'no model named' : total.models.map(printable).join(', ');
  return aligned([
    ...rows,
    [
      'in all',
      [
        counted(total.files, 'file'),
        counted(total.requests, 'request'),
        models,
        `about ${counted(total.inputTokens, 'input token')} (${ESTIMATE})`,
        total.money === null ? 'price unknown: set batches.prices for it' : moneyText(total.money),
      ].join(', '),
    ],
  ]);
}

function fileText({ submitted, file, money }: DryFile): string {
  const before = submitted ? ['submitted before'] : [];
  if (file === null) return [...before, 'its requests cannot be read'].join(', ');
  return [...before, requestsText({ ...file, money })].join(', ');
}
