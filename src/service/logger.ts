import { plainInvocation, withCommands, withCommandsIn, type Invocation } from '../contract/command.ts';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { redacted, redactor, terminalSafeJson } from '../contract/shown-text.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** Takes this secret, if there is one, out of every later line. */
  hide(secret: string | null): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Readable lines for a terminal instead of JSON. */
  readonly pretty: boolean;
  /** Where lines go; without it, stderr, so that stdout is for facts. */
  readonly destination?: DestinationStream;
  /** How this process was called, for the commands that lines name. */
  readonly invocation?: Invocation;
}

/** More than this is not kept for a log that takes nothing: later lines are dropped. */
const MAX_UNWRITTEN_BYTES = 16 * 1024 * 1024;

/**
 * One JSON object a line, or readable lines on a terminal. Whatever is logged, no line holds a known secret, an
 * API key or an `Authorization` header, and none can command a terminal.
 */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { invocation = plainInvocation } = options;
  const secrets = new Set<string>();
  let redact = redactor([]);
  let stderr: Stderr | null = null;
  const sink = options.destination ?? {
    write: (line: string) => void (stderr ??= openStderr(() => (stderr = null))).write(line),
  };
  const lines: DestinationStream = options.pretty ? await prettyLines(sink) : sink;
  const logger: PinoLogger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['authorization', 'apiKey', '*.authorization', '*.Authorization', '*["api-key"]', '*.apiKey'],
        censor: redacted,
      },
    },
    { write: (line) => lines.write(terminalSafeJson(redact(line))) },
  );
  return {
    log: (level, message, fields = {}) =>
      logger[level](withCommandsIn(fields, invocation), withCommands(message, invocation)),
    hide(secret) {
      if (secret !== null) secrets.add(secret);
      redact = redactor([...secrets]);
    },
  };
}

type Stderr = ReturnType<typeof pino.destination>;

/**
 * Not in sync mode: a reader of the log that stalls must not stall the mirror. What is buffered at the end keeps the
 * process until it is written. What cannot be written (a full disk) is dropped, and ends nothing: `onBroken` is
 * called, and the next line begins anew. QUIRK: asked to write it at exit, sonic-boom would try for ever.
 */
function openStderr(onBroken: () => void): Stderr {
  const stream = pino.destination({ fd: 2, sync: false, maxLength: MAX_UNWRITTEN_BYTES });
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    // Nobody reads any more: pino has silenced the stream for good.
    if (code === 'EPIPE') return;
    stream.destroy();
    onBroken();
  });
  return stream;
}

/** Only loaded for a terminal: it takes longer to load than the rest of the logging. */
async function prettyLines(sink: DestinationStream): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const format = prettyFactory({
    colorize: process.env['NO_COLOR'] === undefined,
    translateTime: 'SYS:HH:MM:ss',
    hideObject: true,
  });
  return { write: (line) => sink.write(format(line)) };
}
