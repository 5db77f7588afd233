import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { Bench } from './support/bench.ts';
import { runMeasured, start } from './support/measured-process.ts';
import type { ProcessCost } from './support/measured-process.ts';
import { medianRatio } from './support/statistics.ts';

const REQUESTS = 50_000;
const REQUEST_BYTES = 3_800;
const ANSWER_BYTES = 4_000;

const processOf = (name: string): string =>
  fileURLToPath(new URL(`support/${name}-process.ts`, import.meta.url));

/** Prose with the occasional escape, as models write it. */
const PROSE =
  'The committee met on Tuesday and agreed, after a long debate, that the budget should be "revised in good time".\n';
const TEXT = PROSE.repeat(Math.ceil(ANSWER_BYTES / PROSE.length));

/** A line of about this size, whose id comes first, so that `sort` finds it. */
function lineOf(n: number, sizeBytes: number, rest: (content: string) => object): string {
  const make = (content: string): string => JSON.stringify({ custom_id: `request-${n}`, ...rest(content) });
  const over = make(TEXT).length - sizeBytes;
  return `${make(TEXT.slice(0, TEXT.length - Math.ceil(over * 0.98)))}\n`;
}

function requestLine(n: number): string {
  return lineOf(n, REQUEST_BYTES, (content) => ({
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content }] },
  }));
}

function answerLine(n: number): string {
  return lineOf(n, ANSWER_BYTES, (content) => ({
    id: `batch_req_${n}`,
    response: { status_code: 200, body: { choices: [{ message: { role: 'assistant', content } }] } },
    error: null,
  }));
}

/** Returns the SHA-256. */
async function writeLines(path: string, lines: Iterable<string>): Promise<string> {
  const out = createWriteStream(path);
  const digest = createHash('sha256');
  for (const line of lines) {
    digest.update(line);
    if (!out.write(line)) await once(out, 'drain');
  }
  out.end();
  await finished(out);
  return digest.digest('hex');
}

/** Every number below `count` once, in no order: 7,919 has no divisor in common with it. */
function shuffled(count: number): Iterable<number> {
  return Iterator.from({ [Symbol.iterator]: () => Array(count).keys() }).map((n) => (n * 7_919) % count);
}

/** Results of a full batch file, from the server into `results/`, beside `curl` and `sort` on the same bytes. */
export const batchResults: Bench = {
  name: 'results',
  about: `${REQUESTS.toLocaleString('en')} answers of 4 KB in no order: fetched, checked against an input of 190 MB, ordered and written`,
  runsByDefault: false,
  async run({ workshop, rounds, progress }) {
    const folder = await workshop.scratch();
    const served = join(folder, 'served');
    const root = join(folder, 'root');
    await mkdir(served);
    await mkdir(join(root, 'batch'), { recursive: true });
    progress('writing 390 MB');
    const sha256 = await writeLines(join(root, 'batch/bench.jsonl'), Array(REQUESTS).keys().map(requestLine));
    await writeLines(join(served, 'file-out'), Iterator.from(shuffled(REQUESTS)).map(answerLine));
    const server = start({ file: process.execPath, args: [processOf('results-server'), served] }, 'pipe');
    const [origin] = (await once(createInterface(server.stdout ?? process.stdin), 'line')) as [string];
    const ours: ProcessCost[] = [];
    const rival: ProcessCost[] = [];
    try {
      for (let round = 0; round < rounds; round++) {
        progress(`round ${round + 1} of ${rounds}`);
        const state = join(folder, `state-${round}`);
        await mkdir(state);
        const args = [processOf('results'), origin, root, state, sha256];
        const run = await runMeasured({ file: process.execPath, args });
        if (!run.stdout.includes(`"answered":${REQUESTS}`))
          throw new Error(`not all answered: ${run.stdout}`);
        ours.push(run);
        const raw = join(folder, 'raw');
        const sorted = join(folder, 'sorted');
        const script = `curl -sf -o ${raw} ${origin}/files/file-out/content && LC_ALL=C sort -t '"' -k 4.9,4n -o ${sorted} ${raw}`;
        rival.push(await runMeasured({ file: '/bin/sh', args: ['-c', script] }));
        await runMeasured({ file: 'cmp', args: [sorted, join(root, 'results/bench.output.jsonl')] });
        for (const path of [raw, sorted, state, join(root, 'results')]) await rm(path, { recursive: true });
      }
    } finally {
      server.stdin?.end();
    }
    const wall = (costs: readonly ProcessCost[]): number[] => costs.map(({ wallMs }) => wallMs);
    const peaks = ours.map(({ peakRssBytes }) => peakRssBytes);
    return {
      rows: [
        { what: 'files-mirror, from the start of a process', unit: 'ms', values: wall(ours) },
        { what: 'curl and sort', unit: 'ms', values: wall(rival) },
        { what: 'peak memory', unit: 'bytes', values: peaks },
      ],
      verdicts: [
        { target: 'time beside curl and sort', measured: medianRatio(wall(ours), wall(rival)), atMost: 2.5 },
        { target: 'peak memory, MB', measured: Math.max(...peaks) / 1e6, atMost: 200 },
      ],
    };
  },
};
