import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { MirrorApp } from '../../compose.ts';
import { hasApiKey } from '../../config/api-key.ts';
import type { Config } from '../../config/config.ts';
import { checkRoot, createRoot } from '../../config/root-folder.ts';
import { command } from '../../contract/command.ts';
import { configFault, fatalFault, Fault } from '../../contract/faults.ts';
import { remembersNothing } from '../../contract/remembers-nothing.ts';
import { daemonRoutes } from '../../service/control-routes.ts';
import { startControlServer } from '../../service/control-server.ts';
import { logEvents } from '../../service/event-log.ts';
import { createLogger, type Logger } from '../../service/logger.ts';
import { serviceManager, type ServiceManager } from '../../service/notify.ts';
import { keepHeapSmall } from '../../service/small-heap.ts';
import { systemClock } from '../../service/system-clock.ts';
import { printable } from '../../contract/shown-text.ts';
import { announceEmulator, emulated } from '../asked-api.ts';
import type { Context } from '../context.ts';
import { sayWhenStopping, stopOnSignals } from '../stop-signals.ts';
import { defineVerb } from '../verb.ts';

/** An engine that has not gone round for so long is stuck; a slow disk may well keep it for a minute. */
const STUCK_MS = 300_000;

export const verb = defineVerb({
  options: {
    init: {
      type: 'boolean',
      default: false,
      describe: 'Create the root and its purpose folders first, as init does',
    },
    'emulator-without-key': {
      type: 'boolean',
      default: false,
      describe: 'Without a key and a base URL, mirror to a Files API of our own on this machine',
    },
  },
  async run(args, context) {
    const loaded = await context.loadConfig();
    const { config, baseUrlGiven } = loaded;
    if (args.init) await initUnlessUsed(config, context);
    await checkRoot(config.root);
    const logger = await createLogger({
      level: context.flags.logLevel,
      pretty: context.io.stderrIsTerminal,
      invocation: await context.invocation(),
    });
    const alone = args['emulator-without-key'] && !baseUrlGiven && !hasApiKey(config, context.io.env);
    const api = alone
      ? await startOwnApi(emulated(loaded), context, logger)
      : await configuredApi(config, context);
    try {
      await mirrorUntilStopped(api, context, logger);
      logger.log('info', 'stopped');
    } finally {
      await api.close();
    }
  },
});

/**
 * Creates the root and its folders, unless something was mirrored from there already: then a root without folders is
 * one that is not mounted, and what was created there would hide that.
 */
async function initUnlessUsed(config: Config, context: Context): Promise<void> {
  const { readState } = await context.compose();
  if (remembersNothing(await readState(config.stateDir))) await createRoot(config);
}

/** Where to mirror to. */
interface Api {
  readonly config: Config;
  readonly apiKey: string | null;
  /** The emulator has its own base URL and key, which a reload must not take away. */
  readonly isEmulator: boolean;
  close(): Promise<void>;
}

async function configuredApi(config: Config, context: Context): Promise<Api> {
  return { config, apiKey: await context.readApiKey(config), isEmulator: false, close: async () => {} };
}

async function startOwnApi(config: Config, context: Context, logger: Logger): Promise<Api> {
  const daemon = await context.findDaemon(config);
  if (daemon !== null) {
    // Two servers must not share one data folder; the mirror's own lock would notice too late.
    throw fatalFault(
      'locked',
      `another files-mirror (pid ${daemon.pid}) mirrors ${config.root}; see: ${command('status')}`,
    );
  }
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    throw configFault(
      `cannot create the state folder ${config.stateDir} (${error.code}); give another one with --state-dir`,
      error,
    );
  });
  const { startEmulator } = await context.compose();
  const dataDir = join(config.stateDir, 'emulator');
  const emulator = await startEmulator({ dataDir, authorization: 'none' });
  const conceal = await announceEmulator(config.stateDir, emulator.url);
  logger.log(
    'warn',
    `no OPENAI_API_KEY and no base URL: nothing leaves this machine; mirroring to an emulated Files API at ${emulator.url}, which keeps its files in ${printable(dataDir)}, and answers batches with echoes instead of a model`,
  );
  return {
    config: { ...config, api: { ...config.api, baseUrl: emulator.url } },
    apiKey: null,
    isEmulator: true,
    async close() {
      await conceal();
      await emulator.close();
    },
  };
}

async function mirrorUntilStopped(api: Api, context: Context, logger: Logger): Promise<void> {
  const { config, apiKey, isEmulator } = api;
  logger.hide(apiKey);
  const { openMirror } = await context.compose();
  const listener = logEvents(logger);
  const mirror = await openMirror({ config, apiKey, listener, isEmulator, verb: context.verb });
  // Not before the manifest is loaded: all of it stays, and collecting more often meanwhile would free nothing.
  keepHeapSmall();
  const systemd = serviceManager({
    env: context.io.env,
    clock: systemClock,
    onWarning: (message) => logger.log('warn', message),
  });
  const reload = async (): Promise<void> => {
    await systemd.reloading();
    await applyNewConfig(mirror, api, context, logger);
    await systemd.ready('mirroring');
  };
  using stop = stopOnSignals(() => void reload());
  stop.signal.addEventListener('abort', () => void systemd.stopping());
  sayWhenStopping(stop, mirror.control, logger);
  try {
    const routes = daemonRoutes(mirror);
    const control = await startControlServer({ stateDir: config.stateDir, routes, env: context.io.env });
    try {
      welcome(config, logger);
      await runWatched(mirror, systemd, stop.signal);
    } finally {
      await control.close();
    }
  } finally {
    await mirror.close();
  }
}

async function runWatched(mirror: MirrorApp, systemd: ServiceManager, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  void systemd.ready('mirroring');
  void systemd.feedWatchdog(AbortSignal.any([signal, over.signal]), () => mirror.sinceTickMs() < STUCK_MS);
  try {
    await mirror.run(signal);
  } finally {
    over.abort();
  }
}

/** SIGHUP. A configuration that is wrong changes nothing. */
async function applyNewConfig(mirror: MirrorApp, api: Api, context: Context, logger: Logger): Promise<void> {
  const { config: current } = api;
  try {
    const loaded = await context.loadConfig();
    const config = api.isEmulator ? { ...emulated(loaded), api: current.api } : loaded.config;
    const apiKey = api.isEmulator ? null : await context.readApiKey(config);
    if (
      config.root !== current.root ||
      config.stateDir !== current.stateDir ||
      JSON.stringify(config.api) !== JSON.stringify(current.api) ||
      config.limits.uploadBytesPerSecond !== current.limits.uploadBytesPerSecond
    ) {
      logger.log(
        'error',
        'not reloaded: another root, stateDir, limits.uploadBytesPerSecond, or anything under api needs a restart; the old configuration stays in force',
      );
      return;
    }
    logger.hide(apiKey);
    mirror.applyConfig(config, apiKey);
    logger.log('info', 'the new configuration is in force');
  } catch (error) {
    const message = error instanceof Fault ? error.message : String(error);
    for (const line of message.split('\n')) logger.log('error', `not reloaded: ${printable(line)}`);
    logger.log('error', 'the old configuration stays in force');
  }
}

/** In plain words: where files go, and what happens to them. */
function welcome(config: Config, logger: Logger): void {
  const folders = config.folders.map(({ folder, purpose }) =>
    folder === purpose ? `${folder}/` : `${folder}/ (purpose ${purpose})`,
  );
  const keeps = config.folders.every(({ deletes }) => deletes === 'keep');
  logger.log('info', `mirroring ${printable(config.root)} to ${new URL(config.api.baseUrl).origin}`, {
    root: config.root,
  });
  logger.log(
    'info',
    `drop files into ${printable(folders.join(', '))}: each is uploaded with its folder's purpose, replaced when it changes, ${keeps ? 'and stays when it is removed' : 'and deleted remotely when it is removed'}`,
  );
  if (config.batches.submitFolders.size === 0) return;
  const submitted = [...config.batches.submitFolders].map((folder) => `${folder}/`).join(', ');
  logger.log(
    'info',
    `requests in .jsonl files in ${printable(submitted)} are submitted as batches by themselves; their answers are written into ${printable(join(config.root, config.batches.resultsFolder))}, in the order of the requests`,
  );
}
