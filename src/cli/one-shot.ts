import type { MirrorApp } from '../compose.ts';
import { checkRoot } from '../config/root-folder.ts';
import type { Listener } from '../contract/ports.ts';
import { logEvents } from '../service/event-log.ts';
import { createLogger, type Logger } from '../service/logger.ts';
import { systemClock } from '../service/system-clock.ts';
import { askedApi } from './asked-api.ts';
import type { Context } from './context.ts';
import { sayWhenStopping, stopOnSignals } from './stop-signals.ts';

interface OneShot {
  readonly logger: Logger;
  readonly listener?: Listener;
}

export async function createOneShotLogger(context: Context): Promise<Logger> {
  return await createLogger({
    invocation: await context.invocation(),
    level: context.flags.logLevel,
    pretty: context.io.stderrIsTerminal,
    destination: context.io.stderr,
  });
}

/** Opens the mirror, does one thing with it, and closes it whatever happens. Throws `Fault`, or a `StopRequest`. */
export async function mirrorOnce<T>(
  context: Context,
  { logger, listener = logEvents(logger, systemClock) }: OneShot,
  work: (mirror: MirrorApp, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await checkRoot((await context.loadConfig()).config.root);
  const { config, apiKey, isEmulator } = await askedApi(context);
  if (apiKey !== null) logger.hide(apiKey);
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
