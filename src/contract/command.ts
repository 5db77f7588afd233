/**
 * Commands of this program inside its texts. A text names one without the options that it needs (`command`): it may be
 * recorded, or told by a daemon, and is then printed by a process that was called otherwise. Whoever prints it adds
 * how it was called itself (`withCommands`).
 */

/** How a command must be written so that it means the same mirror as this process. */
export interface Invocation {
  /** What stands before the verb, e.g. `files-mirror`, `sudo -u mirror files-mirror`. */
  readonly program: string;
  /** What stands after all operands, each option with a blank before it. */
  readonly options: string;
}

/** As if it was called with a verb alone. */
export const plainInvocation: Invocation = { program: 'files-mirror', options: '' };

/** E.g. `command('approve', folder)`. */
export function command(verb: string, ...operands: readonly string[]): string {
  return `\`files-mirror ${[verb, ...operands].map(shellWord).join(' ')}\``;
}

const named = /`files-mirror ((?:'[^']*'|\\'|[^'`\\])+)`/g;

/** The text with its commands as they can be copied. */
export function withCommands(text: string, { program, options }: Invocation): string {
  return text.replaceAll(named, (_all, words: string) => `${program} ${words}${options}`);
}

/** As a POSIX shell reads it. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The fields of reports and log lines that may name commands. */
const TELLING: ReadonlySet<string> = new Set(['next', 'reason', 'message', 'detail', 'cause']);

/** The same for what such an object tells, at any depth; what it holds otherwise (a path, an id) stays as it is. */
export function withCommandsIn<T>(value: T, invocation: Invocation): T {
  return told(value, null, invocation) as T;
}

function told(value: unknown, key: string | null, invocation: Invocation): unknown {
  if (typeof value === 'string')
    return key !== null && TELLING.has(key) ? withCommands(value, invocation) : value;
  if (Array.isArray(value)) return value.map((each) => told(each, null, invocation));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, told(each, name, invocation)]),
  );
}
