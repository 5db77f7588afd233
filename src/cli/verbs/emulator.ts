import { once } from 'node:events';
import { resolve } from 'node:path';
import { configFault } from '../../contract/faults.ts';
import { printFacts } from '../io.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { defineVerb, jsonOption, UsageError } from '../verb.ts';

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
    readable: {
      type: 'boolean',
      default: false,
      describe: 'Give out the content of every file; OpenAI refuses that of most purposes',
    },
  },
  async run(args, context) {
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
