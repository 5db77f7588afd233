import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Environment } from '../../config/config.ts';
import { configFault } from '../../contract/faults.ts';
import { printFacts } from '../io.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { defineVerb, jsonOption, UsageError } from '../verb.ts';

/** Never OPENAI_API_KEY: that is for another server. */
const UPSTREAM_KEY = 'UPSTREAM_API_KEY';

export const verb = defineVerb({
  options: {
    ...jsonOption,
    port: { type: 'number', default: 0, requiresArg: true, describe: 'Port on 127.0.0.1; 0 is any free one' },
    'data-dir': {
      type: 'string',
      requiresArg: true,
      describe: 'Where files live across restarts (default: nowhere)',
    },
    'require-key': {
      type: 'boolean',
      default: false,
      describe: 'Refuse requests without an API key, as OpenAI does',
    },
    dialect: {
      type: 'string',
      default: 'openai',
      requiresArg: true,
      describe: 'Which server to be like: openai, azure, groq …',
    },
    upstream: {
      type: 'string',
      requiresArg: true,
      describe: `Let this server answer the lines of batches, e.g. http://127.0.0.1:11434/v1 (its key: ${UPSTREAM_KEY})`,
    },
    readable: {
      type: 'boolean',
      default: false,
      describe: 'Give out the content of every file; OpenAI refuses that of most purposes',
    },
  },
  async run(args, context) {
    const upstream = upstreamOf(args.upstream, context.io.env);
    if (!Number.isInteger(args.port) || args.port < 0 || args.port > 65_535)
      throw new UsageError('--port wants a number from 0 to 65535');
    const { startEmulator, dialectNames } = await context.compose();
    const dialect = dialectNames.find((name) => name === args.dialect);
    if (dialect === undefined) throw new UsageError(`--dialect wants one of ${dialectNames.join(', ')}`);
    const dataDir = args['data-dir'];
    using stop = stopOnSignals();
    const starting = startEmulator({
      port: args.port,
      authorization: args['require-key'] ? 'any' : 'none',
      dialect,
      contentReadable: args.readable,
      ...(upstream === null ? {} : { upstream }),
      ...(dataDir === undefined ? {} : { dataDir: resolve(context.io.cwd, dataDir) }),
    });
    const emulator = await starting.catch((error: NodeJS.ErrnoException) => {
      if (error.syscall === undefined) throw error;
      throw configFault(`cannot start the emulator: ${error.message}`, error);
    });
    try {
      const { url } = emulator;
      await printFacts(context.io, args.json, { version: 1, url }, `${url}\n`);
      if (!stop.signal.aborted) await once(stop.signal, 'abort');
    } finally {
      await emulator.close();
    }
  },
});

/** Throws `UsageError`. */
function upstreamOf(given: string | undefined, env: Environment): { url: string; key?: string } | null {
  if (given === undefined) return null;
  const url = URL.parse(given);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new UsageError('--upstream wants the base URL of an API, e.g. http://127.0.0.1:11434/v1');
  const key = env[UPSTREAM_KEY]?.trim() ?? '';
  return { url: given.replace(/\/+$/, ''), ...(key === '' ? {} : { key }) };
}
