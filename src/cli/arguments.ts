/** What stands on a command line: read, checked against what a verb takes, and explained by the help. */
import { parseArgs } from 'node:util';
import { didYouMean } from '../contract/nearest-name.ts';
import { aligned } from '../service/table.ts';

/** The command line makes no sense. One line that says why and what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Option {
  readonly type: 'boolean' | 'number' | 'string';
  readonly default?: boolean | number | string;
  readonly choices?: readonly string[];
  /** One letter. */
  readonly alias?: string;
  /** The help does not show it. */
  readonly hidden?: boolean;
  readonly describe: string;
}

/** What follows the verb. */
export interface Operand {
  readonly choices?: readonly string[];
  readonly isRequired?: boolean;
  /** Any number of them. */
  readonly isList?: boolean;
  readonly describe: string;
}

export type Options = Readonly<Record<string, Option>>;
/** At most one. */
export type Operands = Readonly<Record<string, Operand>>;

type ValueOf<O> = O extends { choices: readonly (infer C)[] }
  ? C
  : O extends { type: 'boolean' }
    ? boolean
    : O extends { type: 'number' }
      ? number
      : O extends { isList: true }
        ? readonly string[]
        : string;
type IsThere = { readonly default: unknown } | { readonly isRequired: true } | { readonly isList: true };

/** The values of what was described like this. */
export type Values<D> = {
  readonly [K in keyof D]: ValueOf<D[K]> | (D[K] extends IsThere ? never : undefined);
};

export interface Described {
  readonly operands: Operands;
  readonly options: Options;
}

const standardOptions = {
  help: { type: 'boolean', alias: 'h', describe: 'Show help' },
  version: { type: 'boolean', describe: 'Show version number' },
} as const satisfies Options;

/**
 * The values of operands and options, defaults filled in; of an option that was given twice the last one counts, as
 * everywhere. `name`: the verb, which is among the words; null: there is none. Throws `UsageError`.
 */
export function readArguments(
  argv: readonly string[],
  name: string | null,
  { operands, options }: Described,
): Readonly<Record<string, unknown>> {
  const known: Options = { ...options, ...standardOptions };
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(known).map(([key, option]) => [key, option.default]),
  );
  const words: string[] = [];
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      Object.entries(known).map(([key, { type, alias }]) => [
        key,
        { type: type === 'boolean' ? 'boolean' : 'string', ...(alias === undefined ? {} : { short: alias }) },
      ]),
    ),
    strict: false,
    allowNegative: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const option = known[token.name];
    if (option === undefined)
      throw new UsageError(
        `unknown option "${token.rawName}"${didYouMean(token.name, Object.keys(known), '--')}`,
      );
    values[token.name] = valueOf(token.name, option, token);
  }
  // Whoever asks how it is done need not know it.
  return values['help'] === true || values['version'] === true
    ? values
    : { ...values, ...operandsOf(words.slice(name === null ? 0 : 1), operands) };
}

interface GivenOption {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function valueOf(name: string, { type, choices }: Option, given: GivenOption): boolean | number | string {
  const { rawName, value, inlineValue } = given;
  if (type === 'boolean') return value === undefined ? !rawName.startsWith('--no-') : value !== 'false';
  const isNext = inlineValue !== true && value?.startsWith('-') === true && Number.isNaN(Number(value));
  if (value === undefined || isNext) throw new UsageError(`not enough arguments following: ${name}`);
  checkChoice(name, value, choices);
  if (type === 'string') return value;
  return value.trim() === '' ? Number.NaN : Number(value);
}

function operandsOf(words: readonly string[], operands: Operands): Readonly<Record<string, unknown>> {
  const [described] = Object.entries(operands);
  if (described === undefined) return refuseMore(words, 0, {});
  const [name, { choices, isRequired, isList }] = described;
  const [first] = words;
  if (first === undefined && isRequired === true) throw new UsageError(`missing ${notation(operands)}`);
  if (isList === true) return { [name]: words };
  if (first !== undefined) checkChoice(name, first, choices);
  return refuseMore(words, 1, { [name]: first });
}

function refuseMore<T>(words: readonly string[], most: number, values: T): T {
  const extra = words[most];
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`);
  return values;
}

function checkChoice(name: string, value: string, choices: readonly string[] | undefined): void {
  if (choices !== undefined && !choices.includes(value))
    throw new UsageError(`bad ${name} "${value}": expected one of ${quoted(choices)}`);
}

/** `<path>`, `[folder]`, `[path..]`, or nothing. */
function notation(operands: Operands): string {
  return Object.entries(operands)
    .map(([name, { isRequired, isList }]) => {
      const inner = `${name}${isList === true ? '..' : ''}`;
      return isRequired === true ? `<${inner}>` : `[${inner}]`;
    })
    .join(' ');
}

/** The help of one verb. */
export function verbHelp(name: string, summary: string, { operands, options }: Described): string {
  const taken = Object.entries(operands).map(([key, operand]) => [`  ${key}`, facts(operand)]);
  return [
    `files-mirror ${name} ${notation(operands)}`.trim(),
    summary,
    ...(taken.length === 0 ? [] : [`Operands:\n${aligned(taken)}`]),
    optionsHelp(options),
  ].join('\n\n');
}

export function optionsHelp(options: Options): string {
  const rows = Object.entries({ ...options, ...standardOptions })
    .filter(([, option]) => !('hidden' in option && option.hidden === true))
    .map(([key, option]: [string, Option]) => [
      `  ${option.alias === undefined ? '    ' : `-${option.alias}, `}--${key}`,
      facts(option),
    ]);
  return `Options:\n${aligned(rows)}`;
}

function facts(described: Partial<Option> & { readonly describe: string }): string {
  const { describe, choices, default: value, type } = described;
  const more = [
    ...(choices === undefined ? [] : [quoted(choices)]),
    ...(value === undefined || type === 'boolean' ? [] : [`default: ${value}`]),
  ];
  return `${describe}${more.length === 0 ? '' : ` (${more.join('; ')})`}`;
}

function quoted(choices: readonly string[]): string {
  return choices.map((choice) => `"${choice}"`).join(', ');
}
