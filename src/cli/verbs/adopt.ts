import { printJson, printLines } from '../io.ts';
import { counted, formatBytes } from '../../contract/quantities.ts';
import { checkRoot } from '../../config/root-folder.ts';
import type { AdoptReport } from '../../mirror/offline/adopt.ts';
import type { AmbiguousMatch } from '../../mirror/judge/adoption.ts';
import { printable } from '../../contract/shown-text.ts';
import { askedApi } from '../asked-api.ts';
import { exitCode } from '../exit-code.ts';
import { oneShotListener } from '../one-shot.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { defineVerb, jsonOption } from '../verb.ts';

/** Exit code: 1 if anything was ambiguous. */
export const verb = defineVerb({
  options: {
    ...jsonOption,
    'dry-run': { type: 'boolean', default: false, describe: 'Only show what would be taken over' },
  },
  async run(args, context) {
    await checkRoot((await context.loadConfig()).config.root);
    const { config, apiKey, isEmulator } = await askedApi(context);
    const listener = await oneShotListener(context, apiKey);
    const { adoptRemote } = await context.compose();
    using stop = stopOnSignals();
    const report = await adoptRemote(
      { config, apiKey, isEmulator, listener, dryRun: args['dry-run'], verb: context.verb },
      stop.signal,
    );
    if (args.json) await printJson(context.io, report);
    else await printLines(context.io, reportLines(report), (line) => `${line}\n`);
    return report.ambiguous.length > 0 ? exitCode.someFailed : exitCode.done;
  },
});

function* reportLines(report: AdoptReport): Iterable<string> {
  const { dryRun, adopted, ambiguous, unmatched, left, doubts } = report;
  for (const { path, id } of adopted)
    yield `${dryRun ? 'would adopt' : 'adopted'}  ${printable(path)} = ${printable(id)}`;
  for (const match of ambiguous) yield ambiguousLine(match);
  yield* doubts.map(printable);
  for (const { path, reason } of left) yield `left alone  ${printable(path)}: ${printable(reason)}`;
  const parts = [
    `${adopted.length} ${dryRun ? 'to adopt' : 'adopted'}`,
    ...(ambiguous.length === 0 ? [] : [`${ambiguous.length} ambiguous`]),
    ...(left.length === 0 ? [] : [`${left.length} left alone`]),
  ];
  yield parts.join(', ');
  const uploads = unmatched.length + ambiguous.reduce((sum, { paths }) => sum + paths.length, 0);
  if (uploads === 0) return;
  const who =
    ambiguous.length > 0 ? ', the ambiguous ones among them; the remote files stay as they are' : '';
  yield `${counted(uploads, 'local file is', 'local files are')} left to the next sync, which uploads what passes its checks${who}`;
}

function ambiguousLine({ purpose, remoteName, bytes, paths, ids }: AmbiguousMatch): string {
  const list = (names: readonly string[]) => printable(names.join(', '));
  return `ambiguous  ${printable(remoteName)} (${printable(purpose)}, ${formatBytes(bytes)}): ${list(paths)} against ${list(ids)}`;
}
