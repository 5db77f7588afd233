/** What `doctor` says of batches. */
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { BatchesApi } from '../../contract/batch.ts';
import { Fault } from '../../contract/faults.ts';
import { counted } from '../../contract/quantities.ts';
import { emulated, goesToEmulator } from '../asked-api.ts';
import type { Context } from '../context.ts';
import { fail, ok, warn, type Check } from '../diagnosis.ts';

/** What is configured, and whether answers could be written. */
export async function* batchSettingChecks(loaded: LoadedConfig, context: Context): AsyncIterable<Check> {
  const isEmulator = await goesToEmulator(loaded, context).catch(() => false);
  const config = isEmulator ? emulated(loaded) : loaded.config;
  const { root, batches } = config;
  const folders = [...batches.submitFolders].map((folder) => `${folder}/`);
  yield ok(
    'batches',
    folders.length === 0
      ? 'nothing is submitted by itself'
      : `what comes into ${folders.join(', ')} is submitted; ${limitsText(config)}`,
  );
  if (folders.length === 0) return;
  const { whyNoResults } = await context.compose();
  const why = await whyNoResults(config);
  yield why === null
    ? ok('results', `written into ${join(root, batches.resultsFolder)}`)
    : fail('results', why, 'make it writable, or give another batches.resultsFolder');
}

function limitsText({ batches }: Config): string {
  const { maxOpen, perHour, maxAtOnce, maxPerDay } = batches;
  const { jobs, requests, inputTokens } = maxPerDay;
  return [
    `at most ${maxOpen} open`,
    `${perHour} an hour`,
    `${maxAtOnce} new at once`,
    ...(jobs === null ? [] : [`${counted(jobs, 'batch', 'batches')} a day`]),
    ...(requests === null ? [] : [`${counted(requests, 'request')} a day`]),
    ...(inputTokens === null ? [] : [`${counted(inputTokens, 'input token')} a day`]),
  ].join(', ');
}

/** Asks for one page of batches: does the server have them, and may the key see them? */
export async function batchAccessCheck(
  { batches }: { readonly batches: BatchesApi },
  config: Config,
  signal: AbortSignal,
): Promise<Check> {
  const isUsed = config.batches.submitFolders.size > 0;
  try {
    for await (const _page of batches.list(signal)) break;
    return ok('/batches', 'answers, and the key may use it');
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (!isUsed) return ok('/batches', `cannot be used: ${error.message}; nothing is submitted anyway`);
    const next =
      error.rule === 'batches-auth'
        ? 'give the key the right to use batches; uploads go on meanwhile'
        : 'set folders.NAME.submit to false, or use a server with /batches; uploads go on meanwhile';
    return warn('/batches', error.message, next);
  }
}
