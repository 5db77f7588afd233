import type { BatchAction, BatchArgs } from '../batch/action.ts';
import { cancel, retry, submit } from '../batch/change.ts';
import { list } from '../batch/list.ts';
import { resolve } from '../batch/resolve.ts';
import { run } from '../batch/run.ts';
import { show } from '../batch/show.ts';
import { wait } from '../batch/wait.ts';
import { mirrorPathOf } from '../path-argument.ts';
import { defineVerb, jsonOption, timeoutOption, UsageError } from '../verb.ts';

const actions = { list, show, submit, cancel, retry, resolve, wait, run } satisfies Record<
  string,
  BatchAction
>;

/** Exit code of what changes something: 0 done, 1 for some path nothing was; of `wait`: 0 all answered, 1 some failed, 5 halted. */
export const verb = defineVerb({
  operands: '<action> [path..]',
  positionals: {
    action: {
      choices: Object.keys(actions) as readonly (keyof typeof actions)[],
      demandOption: true,
      describe:
        'list, show PATH: what became of them. submit, cancel, retry PATH…: by hand; without a daemon in one pass, as sync. resolve PATH: what became of a submission whose reply was lost. wait [PATH…]: until they have ended. run FILE: this one file from its requests to its answers, without folder and daemon',
    },
    path: { type: 'string', array: true, describe: 'batch/a.jsonl, or a file below the root' },
  },
  options: {
    ...jsonOption,
    ...timeoutOption,
    again: { type: 'boolean', default: false, describe: 'submit: also what was submitted before' },
    'dry-run': {
      type: 'boolean',
      default: false,
      describe: 'submit: only say how many requests and tokens; send nothing',
    },
    batch: { type: 'string', requiresArg: true, describe: 'resolve: this is its batch' },
    none: { type: 'boolean', default: false, describe: 'resolve: it has none; it is submitted again' },
    output: {
      type: 'string',
      alias: 'o',
      requiresArg: true,
      describe: 'run: where the answers go (default: FILE with .output.jsonl)',
    },
    force: { type: 'boolean', default: false, describe: 'run: replace what lies where the answers go' },
    resume: {
      type: 'boolean',
      default: false,
      describe: 'run: finish what was begun, although the file has changed since',
    },
    cancel: {
      type: 'boolean',
      default: false,
      describe: 'run: end what was begun, and take what it answered',
    },
  },
  async run({ action: name, path: named = [], ...args }, context) {
    const action: BatchAction = actions[name];
    requireOperands(name, action, named.length);
    requireOptions(name, action, args);
    if (action.paths === 'file') return await action.run(named, args, context);
    const { config } = await context.loadConfig();
    const paths = named.map((path) => mirrorPathOf(path, config, context.io.cwd));
    return await action.run([...new Set(paths)], args, context);
  },
});

function requireOperands(name: string, { paths }: BatchAction, count: number): void {
  if (paths === 'none' && count > 0) throw new UsageError(`batch ${name} takes no path`);
  if (paths === 'one' && count !== 1) throw new UsageError(`batch ${name} wants one path`);
  if (paths === 'file' && count !== 1) throw new UsageError(`batch ${name} wants one file`);
  if (paths === 'some' && count === 0) throw new UsageError(`batch ${name} wants at least one path`);
}

const OPTIONS = [
  ...(['again', 'dry-run', 'batch', 'none', 'timeout'] as const),
  ...(['output', 'force', 'resume', 'cancel'] as const),
];

function requireOptions(name: string, { options }: BatchAction, args: Omit<BatchArgs, 'json'>): void {
  for (const option of OPTIONS) {
    const isGiven = args[option] !== undefined && args[option] !== false;
    if (isGiven && !options.includes(option)) throw new UsageError(`batch ${name} has no option --${option}`);
  }
}
