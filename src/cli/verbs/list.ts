import { formatBytes, formatDuration } from '../../contract/quantities.ts';
import type { Config } from '../../config/config.ts';
import { checkRoot } from '../../config/root-folder.ts';
import { withCommands, withCommandsIn } from '../../contract/command.ts';
import { doubtLines } from '../../mirror/judge/list-doubts.ts';
import type { ListDoubt, ListRequest } from '../../contract/ports.ts';
import type { PathReport } from '../../contract/report.ts';
import type { RemoteFile } from '../../contract/types.ts';
import { printable } from '../../contract/shown-text.ts';
import { batchText } from '../../service/batch-text.ts';
import { latestByPath, type BatchBeside } from '../batch/recorded.ts';
import { askedApi } from '../asked-api.ts';
import { runningText } from '../found-process.ts';
import type { Context } from '../context.ts';
import { printJsonList, printLines, tell } from '../io.ts';
import { lastKnownReports } from '../last-known.ts';
import { defineVerb, jsonOption } from '../verb.ts';

/** A file at the API, and what it is to this mirror. */
interface RemoteReport extends RemoteFile {
  readonly owned: boolean;
  /** The path it is the remote version of; null for garbage and for files of others. */
  readonly path: string | null;
}

export const verb = defineVerb({
  options: {
    ...jsonOption,
    remote: {
      type: 'boolean',
      default: false,
      describe: "List the API's files instead, and mark owned ones",
    },
  },
  async run({ json, remote }, context) {
    const { config } = await context.loadConfig();
    if (remote) {
      const files = remoteReports(context);
      await (json ? printJsonList(context.io, files) : printLines(context.io, files, remoteLine));
    } else {
      const reports = await localReports(config, context, json);
      const invocation = await context.invocation();
      const nowSeconds = Date.now() / 1000;
      if (json)
        await printJsonList(
          context.io,
          reports.map((report) => withCommandsIn(report, invocation)),
        );
      else
        await printLines(context.io, reports, (report) =>
          withCommands(localLine(report, nowSeconds), invocation),
        );
    }
  },
});

/** A file, and what became of it as a batch. */
type LocalReport = PathReport & BatchBeside;

/** In the order of paths. Throws `Fault` (`config`) when there is neither anything recorded nor a root. */
async function localReports(
  config: Config,
  context: Context,
  json: boolean,
): Promise<readonly LocalReport[]> {
  const found = await context.findProcess(config);
  if (found.kind === 'daemon') {
    const reports = await Array.fromAsync(found.daemon.list());
    const batches = latestByPath(await Array.fromAsync(found.daemon.batches.list()));
    return reports
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map((report) => ({ ...report, batch: batches.get(report.path) ?? null }));
  }
  const { readState, recordedViews } = await context.compose();
  const manifest = await readState(config.stateDir);
  if (manifest.mirrorId === '') {
    await checkRoot(config.root);
    tell(context.io, 'nothing was mirrored yet');
    return [];
  }
  if (!json || found.kind === 'silent')
    tell(context.io, `${runningText(found)}; this is what was recorded last`);
  const batches = latestByPath(recordedViews(manifest.batches));
  return Array.from(lastKnownReports(manifest, Date.now() / 1000), (report) => ({
    ...report,
    batch: batches.get(report.path) ?? null,
  }));
}

async function* remoteReports(context: Context): AsyncIterable<RemoteReport> {
  const { openRemote, readState } = await context.compose();
  const { config, apiKey } = await askedApi(context);
  const manifest = await readState(config.stateDir);
  const pathOf = new Map(Array.from(manifest.files, ([path, { id }]) => [id, path]));
  await using remote = await openRemote(config, apiKey);
  const doubts: ListDoubt[] = [];
  const request: ListRequest = { purpose: null, order: 'asc', onDoubt: (doubt) => doubts.push(doubt) };
  for await (const page of remote.list(request, new AbortController().signal)) {
    for (const file of page) {
      const path = pathOf.get(file.id) ?? null;
      yield { ...file, owned: path !== null || manifest.garbage.has(file.id), path };
    }
  }
  for (const line of doubtLines(doubts)) tell(context.io, line);
}

function localLine(
  { state, id, bytes, expiresAt, path, reason, batch }: LocalReport,
  nowSeconds: number,
): string {
  const beside = batch === null ? '' : `  [batch ${batch.state}: ${batchText(batch, nowSeconds)}]`;
  const why = reason === null ? '' : `  (${printable(reason)})`;
  const expiry = (id === null ? '-' : expiryText(expiresAt, nowSeconds)).padEnd(15);
  return `${state.padEnd(9)}  ${printable(id ?? '-').padEnd(28)}  ${sizeText(bytes)}  ${expiry}  ${printable(path)}${why}${beside}\n`;
}

function expiryText(expiresAt: number | null, nowSeconds: number): string {
  if (expiresAt === null) return 'no expiry';
  return expiresAt <= nowSeconds
    ? 'expired'
    : `expires in ${formatDuration((expiresAt - nowSeconds) * 1000)}`;
}

function remoteLine({ id, bytes, purpose, filename, owned, path }: RemoteReport): string {
  const whose = path === null ? (owned ? '  (ours, to be deleted)' : '') : `  = ${printable(path)}`;
  return `${owned ? 'owned' : '-    '}  ${printable(id).padEnd(28)}  ${sizeText(bytes)}  ${printable(purpose ?? '-').padEnd(12)}  ${printable(filename ?? '-')}${whose}\n`;
}

function sizeText(bytes: number | null): string {
  return (bytes === null ? '-' : formatBytes(bytes)).padStart(9);
}
