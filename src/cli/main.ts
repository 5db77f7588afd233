/** The command line: one file a verb below `verbs/`. Verbs know the parts that `compose` gives them, and none of the engine's acts. */
import yargs, { type Argv } from 'yargs';
import { didYouMean } from '../contract/nearest-name.ts';
import { plainInvocation, withCommands, type Invocation } from '../contract/command.ts';
import { Fault } from '../contract/faults.ts';
import type { LogLevel } from '../service/logger.ts';
import { printable, redactor } from '../contract/shown-text.ts';
import { ownPackage } from '../service/own-package.ts';
import { StopRequest } from '../service/signals.ts';
import { createContext, type Compose, type Context } from './context.ts';
import { exitCode, exitCodeOf } from './exit-code.ts';
import { hasPrinted, print, tell, type Io, printJson } from './io.ts';
import { type Verb, UsageError } from './verb.ts';
import { verbs } from './verbs.ts';

const globalOptions = {
  config: {
    type: 'string',
    requiresArg: true,
    describe: 'Configuration file (default: ./files-mirror.json, if there)',
  },
  root: { type: 'string', requiresArg: true, describe: 'The mirrored folder' },
  'state-dir': { type: 'string', requiresArg: true, describe: 'Where the manifest lives' },
  'log-level': {
    choices: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    requiresArg: true,
    describe: 'How much is logged',
  },
} as const;

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
    const { args, output } = await parse(argv, name, verb);
    if (output !== '') {
      await print(io, `${output}\n`);
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

interface Parsed {
  readonly args: Readonly<Record<string, unknown>>;
  /** What `--help` and `--version` print. */
  readonly output: string;
}

/** Throws `UsageError`. */
async function parse(argv: readonly string[], name: string | null, verb: Verb | null): Promise<Parsed> {
  const parser = yargs()
    .scriptName('files-mirror')
    .locale('en')
    .usage('$0 <verb> [options]\n\nKeeps a local folder and the OpenAI Files API the same.')
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    })
    .options(globalOptions)
    .version(ownPackage().version)
    .alias('help', 'h')
    .epilogue('A file that is dropped into batch/ is uploaded with purpose batch, and so on; see the README.')
    .wrap(110)
    .strict()
    .fail((message: string | null, error: Error | undefined) => {
      const help = name === null ? 'files-mirror --help' : `files-mirror ${name} --help`;
      const hint = usageMessage(message ?? error?.message ?? 'bad arguments', argv, verb);
      throw new UsageError(hint.endsWith('?') ? hint : `${hint}; see: ${help}`);
    });
  for (const [other, { summary }] of verbs) {
    if (other === name && verb !== null)
      parser.command(`${other} ${verb.operands}`.trim(), summary, (builder) => withOptions(builder, verb));
    else parser.command(other, summary);
  }
  let output = '';
  const args = await parser.parseAsync([...argv], {}, (_error, _args, text) => {
    output = text;
  });
  return { args: withoutRepeats(args, verb), output };
}

/**
 * Of an option that was given twice the last one counts, as everywhere. QUIRK: yargs' own setting for that
 * (`duplicate-arguments-array`) takes all but the last of a list of operands away as well.
 */
function withoutRepeats(args: Parsed['args'], verb: Verb | null): Parsed['args'] {
  return Object.fromEntries(
    Object.entries(args).map(([key, value]) => {
      const isList = key === '_' || verb?.positionals[key]?.array === true;
      return [key, Array.isArray(value) && !isList ? value.at(-1) : value];
    }),
  );
}

function withOptions(builder: Argv, verb: Verb): Argv {
  for (const [key, positional] of Object.entries(verb.positionals)) builder.positional(key, positional);
  return builder.options(verb.options);
}

/** yargs' words, on one line, in ours where theirs do not help. */
function usageMessage(message: string, argv: readonly string[], verb: Verb | null): string {
  const line = message.trim().replaceAll(/\s*\n\s*/g, ' ');
  const unknown = /^Unknown arguments?: ([^,]+)/.exec(line)?.[1];
  if (unknown !== undefined) {
    const given = argv.find((argument) => argument.replace(/^-+/, '').split('=')[0] === unknown) ?? unknown;
    if (!given.startsWith('-')) return `unexpected argument "${given}"`;
    const known = [...Object.keys(globalOptions), ...Object.keys(verb?.options ?? {}), 'help', 'version'];
    return `unknown option "${given.split('=')[0]}"${didYouMean(unknown, known, '--')}`;
  }
  if (line.startsWith('Not enough non-option arguments')) return `missing ${verb?.operands ?? 'verb'}`;
  const choice = /^Invalid values: Argument: (.+), Given: (.+), Choices: (.+)$/.exec(line);
  if (choice !== null) return `bad ${choice[1]} ${choice[2]}: expected one of ${choice[3]}`;
  return line.charAt(0).toLowerCase() + line.slice(1);
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
