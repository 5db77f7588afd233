/** `batch run FILE`: one file, no folder, no daemon. A mirror of its own does the work, and is gone afterwards. */
import type { MirrorApp } from '../../compose.ts';
import { runDirectory } from '../../config/state-dir.ts';
import type { BatchView } from '../../contract/batch-report.ts';
import { command, withCommands } from '../../contract/command.ts';
import { isMissing } from '../../contract/errno.ts';
import { Fault, skipFault } from '../../contract/faults.ts';
import type { FlushResult } from '../../contract/report.ts';
import { counted } from '../../contract/quantities.ts';
import { printable } from '../../contract/shown-text.ts';
import { StopRequest } from '../../service/signals.ts';
import { askedApi, type AskedApi } from '../asked-api.ts';
import { exitCode, exitCodeOfResult } from '../exit-code.ts';
import { printFlushResult } from '../flush-report.ts';
import { printJson, tell } from '../io.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { UsageError } from '../verb.ts';
import type { BatchAction } from './action.ts';
import { requirePlace, runFiles } from './run-files.ts';
import { recordedView, shown, type Run } from './run-parts.ts';
import { RunProgress } from './run-progress.ts';
import { isRefused } from './run-check.ts';
import { finish } from './run-end.ts';

export const run: BatchAction = {
  paths: 'file',
  options: ['output', 'force', 'resume', 'cancel'],
  async run([file = ''], args, context) {
    const { env, homeDir, cwd } = context.io;
    const files = runFiles(file, args.output, cwd);
    const compose = await context.compose();
    using stop = stopOnSignals();
    const folder = await compose.RunFolder.open(runDirectory(files.file, env, homeDir), files.file);
    const wanted = { args, context, compose, folder, files, signal: stop.signal };
    try {
      const isToGoOn = folder.begun !== null;
      const isClear = isToGoOn ? await goOn(wanted) : await begin(wanted);
      return isClear ? await carryOut(wanted, isToGoOn) : exitCode.someFailed;
    } finally {
      if (folder.begun === null) await folder.discard();
      await folder.close();
    }
  },
};

/** False: the file is refused. */
async function begin(run: Run): Promise<boolean> {
  const { args, context, folder, files, signal } = run;
  if (args.cancel || args.resume) throw new UsageError(`no run of ${files.file} is under way`);
  if (await isRefused(run)) return false;
  await requirePlace(files, args.force);
  // Nothing is begun that could not be sent.
  await askedApi(context);
  const { requests } = await folder.begin({ ...files, force: args.force }, signal);
  if (!args.json) tell(context.io, `${shown(run, files.file)}: ${counted(requests, 'request')}, checked`);
  return true;
}

/** What was begun by the same command. Throws `Fault` when the file is another version by now. */
async function goOn({ args, context, compose, folder, files, signal }: Run): Promise<boolean> {
  const { begun } = folder;
  if (begun === null) return false;
  const { file, output, force } = begun;
  const isElsewhere = args.output !== undefined && files.output !== output;
  if (isElsewhere || args.force !== force) {
    const places = isElsewhere ? { output: files.output, errors: files.errors } : {};
    await folder.keep({ ...begun, ...places, force: force || args.force });
  }
  if (args.cancel) return true;
  const now = await compose.readRequestsFile(file, signal).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (now !== null && now.sha256 !== begun.sha256 && !args.resume) throw changed(file);
  if (!args.json) tell(context.io, `going on with the run of ${printable(file)} that was begun before`);
  return true;
}

function changed(file: string): Fault {
  const resume = command('batch', 'run', file, '--resume');
  const cancel = command('batch', 'run', file, '--cancel');
  return skipFault(
    'changed',
    `${file} has changed since its run began, which is not finished: ${resume} finishes that one, with the requests as they were; ${cancel} ends it, and then the new ones can be run`,
  );
}

async function carryOut(run: Run, isToGoOn: boolean): Promise<number> {
  try {
    const api = await askedApi(run.context);
    if (isToGoOn) await requireAnswer(run, api);
    // Then nothing is sent for it any more.
    if (run.args.cancel && (await nothingSubmitted(run))) await run.folder.takeInput();
    return (await work(run, api)) ?? (await finish(run, api));
  } catch (error) {
    if (error instanceof StopRequest || error instanceof Fault) await tellHowToGoOn(run);
    throw error;
  }
}

/**
 * Throws `Fault` when the API does not answer, or not to this key: a batch that runs already is watched through all of
 * that, and whoever waits would not be told.
 */
async function requireAnswer({ compose, folder, signal }: Run, api: AskedApi): Promise<void> {
  const client = await compose.openRemote(folder.configOf(api.config), api.apiKey);
  try {
    await client.probe(signal);
  } finally {
    await client.close();
  }
}

/** Until the batch is over. Returns the exit code when that will not be by itself; null: it is over. */
async function work(run: Run, api: AskedApi): Promise<number | null> {
  const { args, context, compose, folder, signal } = run;
  const { path } = folder;
  const config = folder.configOf(api.config);
  let mirror: MirrorApp | null = null;
  const look = (): BatchView | null => mirror?.batches.show(path) ?? null;
  using progress = new RunProgress(context.io, shown(run, run.files.file), args.json, look);
  mirror = await compose.openMirror({ ...api, config, listener: progress.listener, verb: 'batch run' });
  try {
    if (args.cancel) await mirror.batches.cancel([path]);
    const result = await mirror.converge(signal);
    const view = look();
    if (view === null || view.hold?.why === 'off') {
      if (args.cancel) return null;
      if (result.problems.length > 0 || result.halts.length > 0) {
        progress[Symbol.dispose]();
        return await notMirrored(run, result);
      }
      await mirror.batches.submit([path]);
    }
    const outcome = await mirror.waitForBatches(signal);
    const last = look();
    if (outcome !== 'halted') return null;
    progress[Symbol.dispose]();
    return await halted(run, last);
  } finally {
    await mirror.close();
  }
}

async function notMirrored(run: Run, result: FlushResult): Promise<number> {
  const { args, context, folder } = run;
  await printFlushResult(context, result, args.json);
  // The same bytes are refused again: nothing of them is kept.
  if (result.problems.some(({ state }) => state === 'rejected')) await folder.discard();
  else await tellHowToGoOn(run);
  return exitCodeOfResult(result) || exitCode.someFailed;
}

async function halted(run: Run, view: BatchView | null): Promise<number> {
  const { args, context, files } = run;
  const why = view?.hold?.text ?? 'it waits for a person';
  const report = { version: 1, path: files.file, state: view?.state ?? null, hold: view?.hold ?? null };
  if (args.json) await printJson(context.io, report);
  else tell(context.io, `${shown(run, files.file)}: ${printable(why)}`);
  await tellHowToGoOn(run);
  return exitCode.halted;
}

async function nothingSubmitted({ compose, folder }: Run): Promise<boolean> {
  const { batches } = await compose.readState(folder.stateDir);
  return [...batches.values()].every(({ state, batch }) => state === 'wanted' && batch === null);
}

async function tellHowToGoOn(run: Run): Promise<void> {
  const { context, folder } = run;
  if (folder.begun === null) return;
  const text = `${await whereText(run)}; go on with: ${command('batch', 'run', folder.begun.file)}`;
  tell(context.io, withCommands(text, await context.invocation()));
}

async function whereText(run: Run): Promise<string> {
  const view = await recordedView(run);
  switch (view?.state) {
    case undefined:
    case 'wanted':
      return 'nothing was submitted yet';
    case 'submitting':
      return 'it was submitted, and what became of that is not known yet';
    case 'open':
      return 'the batch runs on at the API';
    default:
      return 'the batch has ended, and its answers are not at their place yet';
  }
}
