/** `submit`, `cancel` and `retry`: one wish for each path, and one line on what became of it. */
import type { VerbReply } from '../../contract/batch-report.ts';
import { command, withCommands, withCommandsIn } from '../../contract/command.ts';
import { folderOf } from '../../contract/mirror-path.ts';
import { printable } from '../../contract/shown-text.ts';
import type { Halt, MirrorPath } from '../../contract/types.ts';
import { batchText } from '../../service/batch-text.ts';
import type { Context } from '../context.ts';
import { exitCode, exitCodeOfHalts } from '../exit-code.ts';
import { print, printJson, tell } from '../io.ts';
import { stateText } from '../time-is-up.ts';
import type { BatchAction, BatchArgs } from './action.ts';
import { dryRunOnly } from './dry-run.ts';
import { askBatches, type Asked, type Told } from './whom.ts';

type Wish = (asked: Asked, paths: readonly MirrorPath[], args: BatchArgs) => Promise<readonly VerbReply[]>;

export const submit: BatchAction = {
  paths: 'some',
  options: ['again', 'dry-run'],
  async run(paths, args, context) {
    if (args['dry-run']) return await dryRunOnly(paths, args.json, context);
    return await change(paths, args, context, 'before', submitThem);
  },
};

export const cancel: BatchAction = {
  paths: 'some',
  options: [],
  run: (paths, args, context) => change(paths, args, context, 'after', (asked, some) => asked.cancel(some)),
};

export const retry: BatchAction = {
  paths: 'some',
  options: [],
  run: (paths, args, context) => change(paths, args, context, 'after', (asked, some) => asked.retry(some)),
};

async function submitThem(
  asked: Asked,
  paths: readonly MirrorPath[],
  { again }: BatchArgs,
): Promise<readonly VerbReply[]> {
  const replies = await asked.submit(paths, { again });
  return await Promise.all(
    replies.map(async (reply) => {
      if (reply.done) return reply;
      if (asked.isBegunHere(reply.path)) return { ...reply, done: true };
      const report = await asked.report(reply.path);
      // The state says it better than "not mirrored".
      return (report?.id ?? null) !== null
        ? reply
        : { ...reply, text: `it is not mirrored: ${stateText(report)}` };
    }),
  );
}

async function change(
  paths: readonly MirrorPath[],
  args: BatchArgs,
  context: Context,
  order: 'before' | 'after',
  wish: Wish,
): Promise<number> {
  const { config } = await context.loadConfig();
  const refused = paths.flatMap((path): readonly VerbReply[] => {
    const rules = config.folders.find(({ folder }) => folder === folderOf(path));
    if (rules === undefined || rules.purpose === 'batch') return [];
    return [{ path, done: false, text: `its purpose is ${rules.purpose}, not batch` }];
  });
  const others = paths.filter((path) => !refused.some((reply) => reply.path === path));
  const told: Told<readonly VerbReply[]> =
    others.length === 0
      ? { value: [], isDaemon: true, latest: () => null, halts: [] }
      : await askBatches(context, order, (asked) => wish(asked, others, args));
  const replies = [...refused, ...told.value.map((reply) => outcomeOf(reply, told))];
  await printReplies(replies, told, args.json, context);
  return exitCodeOfReplies(replies, told.halts);
}

/** After a pass it is known what became of the wish; also of what the pass began by itself. */
function outcomeOf(reply: VerbReply, { isDaemon, latest }: Told<unknown>): VerbReply {
  const view = isDaemon || !reply.done ? null : latest(reply.path);
  if (view === null) return reply;
  return { ...reply, text: `${view.state}: ${batchText(view, Date.now() / 1_000)}` };
}

async function printReplies(
  replies: readonly VerbReply[],
  { isDaemon }: Told<unknown>,
  json: boolean,
  context: Context,
): Promise<void> {
  const invocation = await context.invocation();
  if (json) {
    await printJson(context.io, {
      version: 1,
      replies: withCommandsIn(replies, invocation).map((reply) => ({
        ...reply,
        text: withCommands(reply.text, invocation),
      })),
      running: isDaemon,
    });
    return;
  }
  for (const { path, done, text } of replies) {
    const line = withCommands(`${printable(path)}: ${text}`, invocation);
    if (done) await print(context.io, `${line}\n`);
    else tell(context.io, line);
  }
  if (isDaemon || !replies.some(({ done }) => done)) return;
  const next = `no daemon runs; what is left is done by ${command('run')}, ${command('sync')}, or now, until it has ended, by ${command('batch', 'wait')}`;
  tell(context.io, withCommands(next, invocation));
}

function exitCodeOfReplies(replies: readonly VerbReply[], halts: readonly Halt[]): number {
  const code = exitCodeOfHalts(halts);
  return code || (replies.every(({ done }) => done) ? exitCode.done : exitCode.someFailed);
}
