import { withCommands, withCommandsIn } from '../../contract/command.ts';
import type { BatchView } from '../../contract/batch-report.ts';
import { skipFault } from '../../contract/faults.ts';
import { counted } from '../../contract/quantities.ts';
import { printable } from '../../contract/shown-text.ts';
import { batchText } from '../../service/batch-text.ts';
import { aligned, type Row } from '../../service/table.ts';
import { exitCode } from '../exit-code.ts';
import { printFacts } from '../io.ts';
import type { BatchAction } from './action.ts';
import { batchViews, latestByPath } from './recorded.ts';

export const show: BatchAction = {
  paths: 'one',
  options: [],
  async run([path = ''], { json }, context) {
    const { config } = await context.loadConfig();
    const daemon = await context.findDaemon(config);
    const view =
      daemon === null
        ? (latestByPath(await batchViews(context, json)).get(path) ?? null)
        : await daemon.batches.show(path);
    if (view === null) throw skipFault('no-entry', `no batch of ${path}`);
    const invocation = await context.invocation();
    const text = withCommands(`${aligned(factsOf(view, Date.now() / 1_000))}\n`, invocation);
    await printFacts(context.io, json, { version: 1, ...withCommandsIn(view, invocation) }, text);
    return exitCode.done;
  },
};

function factsOf(view: BatchView, nowSeconds: number): readonly Row[] {
  const { results, generation, attempt, twins } = view;
  const facts: readonly (readonly [string, string | null])[] = [
    ['path', view.path],
    ['state', `${view.state}: ${batchText(view, nowSeconds)}`],
    ['batch', view.batch],
    ['status', view.status],
    ['input', view.inputFileId],
    ['requests', requestsText(view)],
    ['submission', view.submission],
    ['tried', generation + attempt > 1 ? `generation ${generation}, attempt ${attempt}` : null],
    ['wanted', view.wantedAt],
    ['created', view.createdAt],
    ['expires', view.expiresAt],
    ['answers', results?.output ?? null],
    ['errors', results?.errors ?? null],
    ['summary', results?.summary ?? null],
    ['problem', view.problem],
    ['twins', twins.length === 0 ? null : twins.join(', ')],
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [[name, printable(value)]]));
}

function requestsText({ requests, endpoint, model, inputTokens }: BatchView): string | null {
  if (requests === null) return null;
  return [
    counted(requests, 'request'),
    ...(endpoint === null ? [] : [endpoint]),
    ...(model === null ? [] : [model]),
    ...(inputTokens === null ? [] : [`about ${counted(inputTokens, 'input token')}`]),
  ].join(', ');
}
