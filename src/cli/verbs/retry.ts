import { counted } from '../../contract/quantities.ts';
import type { Config } from '../../config/config.ts';
import type { MirrorPath } from '../../contract/types.ts';
import type { Context } from '../context.ts';
import { exitCode } from '../exit-code.ts';
import { printFacts } from '../io.ts';
import { oneShotListener } from '../one-shot.ts';
import { mirrorPathOf } from '../path-argument.ts';
import { defineVerb, jsonOption } from '../verb.ts';

/** What `retry --json` prints. */
interface Retry {
  readonly version: 1;
  /** Files that were rejected, or failed, and are tried again. */
  readonly retried: readonly MirrorPath[];
  /** Whether a daemon does so now; otherwise the next `sync` or `run` will. */
  readonly running: boolean;
}

/** Exit code: 1 if paths are named and nothing at or below them was rejected or failed. */
export const verb = defineVerb({
  operands: '[path..]',
  positionals: {
    path: {
      type: 'string',
      array: true,
      describe: 'Rejected files, or folders of them; without, all that the API has refused',
    },
  },
  options: jsonOption,
  async run({ path: named = [], json }, context) {
    const { config } = await context.loadConfig();
    const wanted = named.length === 0 ? null : named.map((path) => pathOrFolder(path, config, context));
    const retry = await retryThem(wanted, config, context);
    await printFacts(context.io, json, retry, retryText(retry, wanted === null));
    return wanted !== null && retry.retried.length === 0 ? exitCode.someFailed : exitCode.done;
  },
});

/** `batch` and `batch/` are the folder itself. */
function pathOrFolder(argument: string, config: Config, context: Context): MirrorPath {
  const path = argument.replace(/\/+$/, '');
  const isFolder = config.folders.some(({ folder }) => folder === path);
  return isFolder ? path : mirrorPathOf(path, config, context.io.cwd);
}

async function retryThem(
  wanted: readonly MirrorPath[] | null,
  config: Config,
  context: Context,
): Promise<Retry> {
  const daemon = await context.findDaemon(config);
  if (daemon !== null) return { version: 1, retried: await daemon.retry(wanted), running: true };
  const listener = await oneShotListener(context, null);
  const { retryRejected } = await context.compose();
  const retried = await retryRejected({ config, listener, verb: context.verb }, wanted);
  return { version: 1, retried, running: false };
}

/** `isAll`: no path was named. What our own checks refuse is only tried again when it is named. */
function retryText({ retried, running }: Retry, isAll: boolean): string {
  if (retried.length === 0) return isAll ? 'the API has refused nothing\n' : 'nothing there is rejected\n';
  const files = counted(retried.length, 'file');
  return running ? `trying ${files} again\n` : `the next sync or run tries ${files} again\n`;
}
