/** The end of a run: answers to their place, remote files away, and what it came to in a few lines. */
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BatchView } from '../../contract/batch-report.ts';
import { command } from '../../contract/command.ts';
import { skipFault } from '../../contract/faults.ts';
import { formatCount } from '../../contract/quantities.ts';
import { oneLine, printable } from '../../contract/shown-text.ts';
import { linesText } from '../../service/batch-text.ts';
import type { AskedApi } from '../asked-api.ts';
import type { Compose } from '../context.ts';
import { exitCode } from '../exit-code.ts';
import { print, printFacts, printJson, tell } from '../io.ts';
import { recordedView, shown, type Run } from './run-parts.ts';

type Summary = Awaited<ReturnType<Compose['readSummary']>>;
type NotDeleted = Awaited<ReturnType<Compose['deleteMade']>>[number];

const TWIN =
  'it was submitted twice, since the first reply was lost: should the first one appear at the API after all, within the hour, cancel it there';

async function mayHaveTwin({ compose, folder }: Run): Promise<boolean> {
  const { batches } = await compose.readState(folder.stateDir);
  return [...batches.values()].some(
    ({ twinsUntil }) => twinsUntil !== null && twinsUntil > Date.now() / 1_000,
  );
}

/** Returns the exit code. */
export async function finish(run: Run, api: AskedApi): Promise<number> {
  const { context, compose, folder, args } = run;
  const { begun } = folder;
  const view = await recordedView(run);
  const results = view?.results ?? null;
  if (begun === null) return exitCode.someFailed;
  if (results === null) return await finishEmpty(run, api, view);
  const summary = await compose.readSummary(join(folder.root, results.summary));
  const places = {
    output: await placed(run, results.output, begun.output),
    errors: await placed(run, results.errors, begun.errors),
  };
  if (await mayHaveTwin(run)) tell(context.io, TWIN);
  const left = await sweep(run, api);
  if (args.json) await printJson(context.io, reportOf(summary, begun.file, places, left));
  else await print(context.io, textOf(run, summary, places, left));
  return args.cancel || summary.state === 'done' ? exitCode.done : exitCode.someFailed;
}

/** It ran no line. */
async function finishEmpty(run: Run, api: AskedApi, view: BatchView | null): Promise<number> {
  const { args, context, files } = run;
  const left = await sweep(run, api);
  const why = view?.problem ?? 'nothing of it was submitted';
  const report = { version: 1, path: files.file, state: 'ended', problem: why, notDeleted: left };
  const lines = [`${shown(run, files.file)}: ${printable(why)}`, ...leftText(left)];
  await printFacts(context.io, args.json, report, `${lines.join('\n')}\n`);
  return args.cancel ? exitCode.done : exitCode.someFailed;
}

/** What the run made remotely, and then what it kept here, is removed. Returns what could not be. */
async function sweep({ compose, folder, signal }: Run, api: AskedApi): Promise<readonly NotDeleted[]> {
  const client = await compose.openRemote(folder.configOf(api.config), api.apiKey);
  try {
    const left = await compose.deleteMade(await compose.readState(folder.stateDir), client, signal);
    await folder.discard();
    return left;
  } finally {
    await client.close();
  }
}

/** Null: there is nothing of it. Throws `Fault` when something else lies there: what was paid for is kept here. */
async function placed({ compose, folder }: Run, result: string | null, to: string): Promise<string | null> {
  const replace = folder.begun?.force ?? false;
  if (result === null) {
    // Of an earlier run, it would be taken for this one's.
    if (replace) await rm(to, { force: true });
    return null;
  }
  const file = folder.begun?.file ?? '';
  const how = { replace, like: file };
  if ((await compose.deliver(join(folder.root, result), to, how)) === 'written') return to;
  throw skipFault(
    'taken',
    `${to} was put there meanwhile, and is not overwritten; replace it with: ${command('batch', 'run', file, '--force')}, or give another place with -o`,
  );
}

type Places = Readonly<Record<'output' | 'errors', string | null>>;

function reportOf(summary: Summary, file: string, places: Places, left: readonly NotDeleted[]): unknown {
  const withName = (part: Summary['output'], place: string | null): unknown =>
    part === null || place === null ? null : { ...part, name: basename(place) };
  return {
    ...summary,
    path: file,
    output: withName(summary.output, places.output),
    errors: withName(summary.errors, places.errors),
    outputPath: places.output,
    errorsPath: places.errors,
    notDeleted: left,
  };
}

const MOST_PROBLEMS = 20;

function textOf(run: Run, summary: Summary, places: Places, left: readonly NotDeleted[]): string {
  const tokens = summary.usage === null ? '' : `; ${tokensText(summary.usage)}`;
  const problems = summary.batches.flatMap((batch) => batch.problems);
  const lines = [
    `${linesText(summary.lines)}${tokens}`,
    ...(places.output === null ? [] : [`answers: ${shown(run, places.output)}`]),
    ...(places.errors === null ? [] : [`errors: ${shown(run, places.errors)}`]),
    ...problems
      .slice(0, MOST_PROBLEMS)
      .map(({ line, message }) => `${line === null ? 'the file' : `line ${line}`}: ${oneLine(message)}`),
    ...summary.oddities.map((oddity) => `note: ${printable(oddity)}`),
    ...leftText(left),
  ];
  return `${lines.join('\n')}\n`;
}

function tokensText(usage: { readonly inputTokens: number; readonly outputTokens: number }): string {
  return `${formatCount(usage.inputTokens)} input and ${formatCount(usage.outputTokens)} output tokens`;
}

function leftText(left: readonly NotDeleted[]): readonly string[] {
  if (left.length === 0) return ['nothing of it is left at the API'];
  return left.map(({ id, why }) => `left at the API: ${printable(id)}: ${printable(why)}`);
}
