import type { InferredOptionTypes, Options, PositionalOptions } from 'yargs';
import type { Context } from './context.ts';

/** One verb: what may stand on its command line, and what it does. */
export interface Verb {
  /** What follows the verb in yargs' notation: `<path>`, `[folder]`, or nothing. */
  readonly operands: string;
  readonly positionals: Readonly<Record<string, PositionalOptions>>;
  readonly options: Readonly<Record<string, Options>>;
  /** Returns the exit code; nothing: all went well. */
  run(args: Readonly<Record<string, unknown>>, context: Context): Promise<number | void>;
}

interface VerbDefinition<P extends Record<string, PositionalOptions>, O extends Record<string, Options>> {
  readonly operands?: string;
  readonly positionals?: P;
  readonly options?: O;
  run(
    args: Readonly<InferredOptionTypes<P> & InferredOptionTypes<O>>,
    context: Context,
  ): Promise<number | void>;
}

/** Gives `run` arguments of the types that the options have. */
export function defineVerb<
  const P extends Record<string, PositionalOptions> = Record<string, PositionalOptions>,
  const O extends Record<string, Options> = Record<string, Options>,
>(definition: VerbDefinition<P, O>): Verb {
  return {
    operands: definition.operands ?? '',
    positionals: definition.positionals ?? {},
    options: definition.options ?? {},
    // yargs has checked them against these very options.
    run: (args, context) => definition.run(args as InferredOptionTypes<P> & InferredOptionTypes<O>, context),
  };
}

/** `--json`, for every verb that prints facts. */
export const jsonOption = {
  json: { type: 'boolean', default: false, describe: 'Print JSON, for scripts' },
} as const satisfies Record<string, Options>;

/** `--timeout S`, for every verb that waits. */
export const timeoutOption = {
  timeout: { type: 'number', requiresArg: true, describe: 'Wait at most this many seconds' },
} as const satisfies Record<string, Options>;

/** `--timeout S` in milliseconds; null when there is none. Throws `UsageError`. */
export function timeoutMsOf(seconds: number | undefined): number | null {
  if (seconds === undefined) return null;
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new UsageError('--timeout wants a number of seconds, e.g. --timeout 30');
  return seconds * 1000;
}

/** The command line makes no sense. One line that says why and what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
