/**
 * Fetches, orders and writes the results of one batch, with the heap that the program has (`src/main.ts`,
 * `src/service/small-heap.ts`): `results-process.ts ORIGIN ROOT STATE SHA256`.
 */
import { setFlagsFromString } from 'node:v8';
import { createResultsDesk } from '../../../src/batches/results/results-desk.ts';
import type { BatchRecord } from '../../../src/contract/batch.ts';
import { createFilesClient } from '../../../src/remote/files-client.ts';
import { keepHeapSmall } from '../../../src/service/small-heap.ts';
import { systemClock } from '../../../src/service/system-clock.ts';

setFlagsFromString('--semi-space-growth-factor=1');
keepHeapSmall();

const [origin = '', root = '', stateDir = '', sha256 = ''] = process.argv.slice(2);
const client = createFilesClient({
  baseUrl: origin,
  apiKey: null,
  timeoutMs: 60_000,
  userAgent: 'files-mirror/bench',
  clock: systemClock,
});
const files = Object.assign(client, { isKnown: () => false });
const desk = createResultsDesk({
  root,
  stateDir,
  resultsFolder: 'results',
  keepsFolder: false,
  files,
  clock: systemClock,
  lookSeconds: 600,
  expiresAfterSeconds: null,
  assertRoot: async () => {},
});
/** No more of a record than results ask for. */
const record = {
  path: 'batch/bench.jsonl',
  sha256,
  inputFileId: 'file-in',
  generation: 0,
  of: null,
  state: 'settled',
  batch: { outputFileId: 'file-out', errorFileId: null },
} as unknown as BatchRecord;
const records = new Map([['bench', record]]);
const never = new AbortController().signal;
const { lines } = await desk.collect('bench', records, never);
await desk.write('bench', records, never);
await client.close();
console.log(JSON.stringify(lines));
