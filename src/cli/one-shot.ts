import type { MirrorApp } from '../compose.ts';
import { checkRoot } from '../config/root-folder.ts';
import type { AppListener } from '../contract/app-event.ts';
import { logEvents } from '../service/event-log.ts';
import { createLogger, type Logger } from '../service/logger.ts';
import { askedApi } from './asked-api.ts';
import type { Context } from './context.ts';
import { sayWhenStopping, stopOnSignals } from './stop-signals.ts';

async function createOneShotLogger(context: Context): Promise<Logger> {
  return await createLogger({
    invocation: await context.invocation(),
    level: context.flags.logLevel,
    pretty: context.io.stderrIsTerminal,
    destination: context.io.stderr,
  });
}

/** For a verb that does its work without a mirror's engine: logs what happens. */
export async function oneShotListener(context: Context, apiKey: string | null): Promise<AppListener> {
  const logger = await createOneShotLogger(context);
  logger.hide(apiKey);
  return logEvents(logger);
}

/**
 * Opens the mirror, does one thing with it, and closes it whatever happens. `onEvent`: is told what is logged as well.
 * Throws `Fault`, or a `StopRequest`.
 */
export async function mirrorOnce<T>(
  context: Context,
  work: (mirror: MirrorApp, signal: AbortSignal) => Promise<T>,
  onEvent: AppListener = () => {},
): Promise<T> {
  const logger = await createOneShotLogger(context);
  await checkRoot((await context.loadConfig()).config.root);
  const { config, apiKey, isEmulator } = await askedApi(context);
  logger.hide(apiKey);
  const log = logEvents(logger);
  const listener: AppListener = (event) => {
    onEvent(event);
    log(event);
  };
  const { openMirror } = await context.compose();
  using stop = stopOnSignals();
  const mirror = await openMirror({ config, apiKey, isEmulator, listener, verb: context.verb });
  sayWhenStopping(stop, mirror.control, logger);
  try {
    return await work(mirror, stop.signal);
  } finally {
    await mirror.close();
  }
}
