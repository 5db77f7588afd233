import { UsageError, type Described, type Operands, type Options, type Values } from './arguments.ts';
import type { Context } from './context.ts';

export { UsageError };

/** One verb: what may stand on its command line, and what it does. */
export interface Verb extends Described {
  /** Returns the exit code; nothing: all went well. */
  run(args: Readonly<Record<string, unknown>>, context: Context): Promise<number | void>;
}

interface VerbDefinition<P extends Operands, O extends Options> {
  readonly operands?: P;
  readonly options?: O;
  run(args: Values<P> & Values<O>, context: Context): Promise<number | void>;
}

/** Gives `run` arguments of the types that operands and options have. */
export function defineVerb<const P extends Operands = {}, const O extends Options = {}>(
  definition: VerbDefinition<P, O>,
): Verb {
  return {
    operands: definition.operands ?? {},
    options: definition.options ?? {},
    // `readArguments` has read them by these very descriptions.
    run: (args, context) => definition.run(args as Values<P> & Values<O>, context),
  };
}

/** `--json`, for every verb that prints facts. */
export const jsonOption = {
  json: { type: 'boolean', default: false, describe: 'Print JSON, for scripts' },
} as const satisfies Options;

/** `--timeout S`, for every verb that waits. */
export const timeoutOption = {
  timeout: { type: 'number', describe: 'Wait at most this many seconds' },
} as const satisfies Options;

/** `--timeout S` in milliseconds; null when there is none. Throws `UsageError`. */
export function timeoutMsOf(seconds: number | undefined): number | null {
  if (seconds === undefined) return null;
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new UsageError('--timeout wants a number of seconds, e.g. --timeout 30');
  return seconds * 1000;
}
