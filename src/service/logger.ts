import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { redactor } from './redaction.ts';
import { terminalSafeJson } from './terminal-text.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** Takes this secret out of every later line. */
  hide(secret: string): void;
  /** Writes out what is buffered. Never throws. */
  flush(): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Readable lines for a terminal instead of JSON. */
  readonly pretty: boolean;
  /** Where lines go; without it, stderr, so that stdout is for facts. */
  readonly destination?: DestinationStream;
}

/**
 * One JSON object a line, or readable lines on a terminal. Whatever is logged, no line holds a known secret, an
 * API key or an `Authorization` header, and none can command a terminal.
 */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const secrets = new Set<string>();
  let redact = redactor([]);
  // Not in sync mode: a reader of the log that stalls must not stall the mirror. pino flushes at exit by itself.
  const stderr = options.destination === undefined ? pino.destination({ fd: 2, sync: false }) : null;
  const sink = stderr ?? options.destination ?? process.stderr;
  const lines: DestinationStream = options.pretty ? await prettyLines(sink) : sink;
  const logger: PinoLogger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['authorization', 'apiKey', '*.authorization', '*.Authorization', '*["api-key"]', '*.apiKey'],
        censor: '[redacted]',
      },
    },
    { write: (line) => lines.write(terminalSafeJson(redact(line))) },
  );
  return {
    log: (level, message, fields = {}) => logger[level](fields, message),
    hide(secret) {
      secrets.add(secret);
      redact = redactor([...secrets]);
    },
    flush() {
      try {
        stderr?.flushSync();
      } catch {
        // The stream is not open yet, or already closed: nothing is lost that could still be written.
      }
    },
  };
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
