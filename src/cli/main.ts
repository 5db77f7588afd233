/** The command line: one file a verb below `verbs/`. Verbs know the parts that `compose` gives them, and none of the engine's acts. */
import { optionsHelp, readArguments, verbHelp, type Options } from './arguments.ts';
import { didYouMean } from '../contract/nearest-name.ts';
import { plainInvocation, withCommands, type Invocation } from '../contract/command.ts';
import { Fault } from '../contract/faults.ts';
import type { LogLevel } from '../service/logger.ts';
import { printable, redactor } from '../contract/shown-text.ts';
import { ownPackage } from '../service/own-package.ts';
import { aligned } from '../service/table.ts';
import { StopRequest } from '../service/signals.ts';
import { createContext, type Compose, type Context } from './context.ts';
import { exitCode, exitCodeOf } from './exit-code.ts';
import { hasPrinted, print, tell, type Io, printJson } from './io.ts';
import { type Verb, UsageError } from './verb.ts';
import { verbs } from './verbs.ts';

const globalOptions = {
  config: {
    type: 'string',
    describe: 'Configuration file (default: ./files-mirror.json, if there)',
  },
  root: { type: 'string', describe: 'The mirrored folder' },
  'state-dir': { type: 'string', describe: 'Where the manifest lives' },
  'log-level': {
    type: 'string',
    choices: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    describe: 'How much is logged',
  },
} as const satisfies Options;

/**
 * Runs one command line and returns the exit code. Facts go to stdout, everything else to stderr: one line for a
 * known failure, a stack for a defect. With `--json` a failure is a fact as well.
 */
export async function main(
  argv: readonly string[],
  io: Io,
  compose: () => Promise<Compose>,
): Promise<number> {
  let verb: Verb | null = null;
  let context: Context | null = null;
  try {
    const name = verbName(argv);
    const entry = name === null ? undefined : verbs.get(name);
    if (name !== null && entry === undefined) {
      throw new UsageError(
        `unknown verb "${name}"${didYouMean(name, verbs.keys()) || '; see: files-mirror --help'}`,
      );
    }
    verb = entry === undefined ? null : (await entry.load()).verb;
    const args = parse(argv, name, verb);
    if (args['help'] === true || args['version'] === true) {
      await print(io, args['help'] === true ? helpText(name, verb) : `${ownPackage().version}\n`);
      return exitCode.done;
    }
    if (name === null || verb === null) throw new UsageError('no verb given; see: files-mirror --help');
    const flags = {
      config: args['config'] as string | undefined,
      root: args['root'] as string | undefined,
      stateDir: args['state-dir'] as string | undefined,
      logLevel: args['log-level'] as LogLevel,
    };
    context = createContext(io, name, flags, compose);
    return (await verb.run(args, context)) ?? exitCode.done;
  } catch (error) {
    const { code, message } = reportFailure(error, io, await context?.invocation());
    // Behind half a list it would not be understood either.
    if (wantsJson(argv, verb) && !hasPrinted(io))
      await printJson(io, { version: 1, error: { code, message } });
    return code;
  }
}

/** Asked of the words themselves: the command line may be what is wrong. */
function wantsJson(argv: readonly string[], verb: Verb | null): boolean {
  return verb !== null && 'json' in verb.options && argv.includes('--json');
}

/** The first argument that is neither an option nor an option's value. */
function verbName(argv: readonly string[]): string | null {
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    if (!argument.startsWith('-')) return argument;
    if (Object.keys(globalOptions).some((option) => argument === `--${option}`)) index += 1;
  }
  return null;
}

/** Throws `UsageError`, which says where the help is. */
function parse(
  argv: readonly string[],
  name: string | null,
  verb: Verb | null,
): Readonly<Record<string, unknown>> {
  try {
    const operands = verb?.operands ?? {};
    return readArguments(argv, name, { operands, options: { ...globalOptions, ...verb?.options } });
  } catch (error) {
    if (!(error instanceof UsageError) || error.message.endsWith('?')) throw error;
    const help = name === null ? 'files-mirror --help' : `files-mirror ${name} --help`;
    throw new UsageError(`${error.message}; see: ${help}`);
  }
}

function helpText(name: string | null, verb: Verb | null): string {
  if (name !== null && verb !== null) {
    const described = { operands: verb.operands, options: { ...verb.options, ...globalOptions } };
    return `${verbHelp(name, verbs.get(name)?.summary ?? '', described)}\n`;
  }
  const rows = [...verbs].map(([each, { summary }]) => [`  ${each}`, summary]);
  return `${[
    'files-mirror <verb> [options]',
    'Keeps a local folder and the OpenAI Files API the same.',
    `Verbs:\n${aligned(rows)}`,
    optionsHelp(globalOptions),
    'A file that is dropped into batch/ is uploaded with purpose batch, and so on; see the README.',
  ].join('\n\n')}\n`;
}

interface Failure {
  /** The exit code. */
  readonly code: number;
  readonly message: string;
}

/** Says on stderr what went wrong. Never shows the key. */
export function reportFailure(
  error: unknown,
  io: Pick<Io, 'env' | 'stderr'>,
  invocation: Invocation = plainInvocation,
): Failure {
  const redact = redactor([io.env['OPENAI_API_KEY']?.trim() ?? null]);
  const said = error instanceof Error ? error.message : String(error);
  const message = redact(error instanceof Fault ? withCommands(said, invocation) : said);
  if (error instanceof Fault || error instanceof UsageError || error instanceof StopRequest) {
    for (const line of message.split('\n')) tell(io, `files-mirror: ${printable(line)}`);
  } else {
    const stack = error instanceof Error ? redact(error.stack ?? error.message) : message;
    tell(io, `files-mirror: internal error, please report it\n${stack}`);
  }
  return { code: exitCodeOf(error), message };
}
