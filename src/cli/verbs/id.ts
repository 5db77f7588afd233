import type { Config } from '../../config/config.ts';
import { type Fault, skipFault } from '../../contract/faults.ts';
import type { PathReport } from '../../contract/report.ts';
import type { DaemonClient } from '../../service/control-client.ts';
import type { Context } from '../context.ts';
import type { BatchView } from '../../contract/batch-report.ts';
import { latestByPath } from '../batch/recorded.ts';
import { runningText } from '../found-process.ts';
import { printFacts, tell } from '../io.ts';
import { lastKnownReport } from '../last-known.ts';
import { mirrorPathOf } from '../path-argument.ts';
import { notMirroredText, stateText, untilTimeIsUp } from '../time-is-up.ts';
import { defineVerb, jsonOption, timeoutOption, timeoutMsOf } from '../verb.ts';

export const verb = defineVerb({
  operands: '<path>',
  positionals: {
    path: { type: 'string', demandOption: true, describe: 'batch/a.jsonl, or a file below the root' },
  },
  options: {
    ...jsonOption,
    ...timeoutOption,
    wait: { type: 'boolean', default: false, describe: 'Wait until the file as it is now is mirrored' },
  },
  async run(args, context) {
    const { config } = await context.loadConfig();
    const path = mirrorPathOf(args.path, config, context.io.cwd);
    const report = args.wait
      ? await waitedReport(path, timeoutMsOf(args.timeout), await context.daemon())
      : await currentReport(path, config, context);
    // Without --wait the id of the last mirrored version will do, whatever has become of the file since.
    if (report === null || report.id === null || (args.wait && report.state !== 'synced'))
      throw noEntry(path, report);
    const batch = args.json ? await batchOf(path, config, context) : null;
    await printFacts(context.io, args.json, { version: 1, ...report, batch }, `${report.id}\n`);
  },
});

async function waitedReport(
  path: string,
  timeoutMs: number | null,
  daemon: DaemonClient,
): Promise<PathReport> {
  return await untilTimeIsUp(timeoutMs, daemon.waitFor(path, timeoutMs), async (ms) =>
    notMirroredText(path, await daemon.report(path), ms),
  );
}

async function currentReport(path: string, config: Config, context: Context): Promise<PathReport | null> {
  const found = await context.findProcess(config);
  if (found.kind === 'daemon') return found.daemon.report(path);
  if (found.kind === 'silent') tell(context.io, `${runningText(found)}; this is what was recorded last`);
  const { readState } = await context.compose();
  return lastKnownReport(await readState(config.stateDir), path, Date.now() / 1000);
}

async function batchOf(path: string, config: Config, context: Context): Promise<BatchView | null> {
  const daemon = await context.findDaemon(config);
  if (daemon !== null) return await daemon.batches.show(path);
  const { readState, recordedViews } = await context.compose();
  return latestByPath(recordedViews((await readState(config.stateDir)).batches)).get(path) ?? null;
}

function noEntry(path: string, report: PathReport | null): Fault {
  return skipFault('no-entry', `no id for ${path}: ${stateText(report)}`);
}
