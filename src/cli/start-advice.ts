import { stat } from 'node:fs/promises';
import { goesToEmulator } from './asked-api.ts';
import { command } from '../contract/command.ts';
import { Fault } from '../contract/faults.ts';
import type { Context } from './context.ts';

/**
 * How a daemon is started for this mirror, with what it needs and without what is done already, e.g. `set
 * OPENAI_API_KEY, then: files-mirror run --init`.
 */
export async function startAdvice(context: Context, first = 'start one with'): Promise<string> {
  const loaded = await context.loadConfig();
  const { config } = loaded;
  const hasRoot = await stat(config.root).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const { readState } = await context.compose();
  const isEmulated = await goesToEmulator(loaded, context);
  // A root that is missing although files of it are known is not mounted.
  const isNew = !hasRoot && (await readState(config.stateDir)).files.size === 0;
  const start = command(
    'run',
    ...(isNew ? ['--init'] : []),
    ...(isEmulated ? ['--emulator-without-key'] : []),
  );
  const missing = isEmulated ? null : await missingKey(context);
  return missing === null ? `${first}: ${start}` : `${missing}, then ${first}: ${start}`;
}

async function missingKey(context: Context): Promise<string | null> {
  const { config } = await context.loadConfig();
  try {
    await context.readApiKey(config);
    return null;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.rule === 'no-key' ? 'set OPENAI_API_KEY' : 'make the API key readable';
  }
}
