/**
 * `npm run bench -- [NAME…] [--json] [--rounds N] [--files N] [--dir DIR] [--program FILE]`: runs the named
 * benches, or all that do not take minutes. What is compared runs in the same run, in turns; the tables show medians. Exit code 1 when a
 * target was missed.
 */
import { parseArgs } from 'node:util';
import { checkBatch } from './check-batch.ts';
import { deletes } from './deletes.ts';
import { exit } from './exit.ts';
import { growth } from './growth.ts';
import { largeFile, manyLargeFiles } from './large-files.ts';
import { atRest, flush, held, latency } from './live.ts';
import { million } from './million.ts';
import { record } from './record.ts';
import { smallFiles } from './small-files.ts';
import { startUp } from './start-up.ts';
import { batchResults } from './results.ts';
import { type Bench, isMet } from './support/bench.ts';
import { useProgram } from './support/program.ts';
import { median } from './support/statistics.ts';
import { tableOf } from './support/table.ts';
import { Workshop } from './support/workshop.ts';
import { millionUnchanged, unchangedFiles } from './unchanged.ts';
import { priority, uploadWindow, uploadWindowOverRestart } from './upload-window.ts';

const benches: readonly Bench[] = [
  startUp,
  smallFiles,
  largeFile,
  manyLargeFiles,
  unchangedFiles,
  millionUnchanged,
  record,
  exit,
  checkBatch,
  batchResults,
  latency,
  atRest,
  held,
  flush,
  deletes,
  million,
  growth,
  uploadWindow,
  uploadWindowOverRestart,
  priority,
];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    /** How many files the benches `million`, `deletes`, `held`, `flush` and `exit` are made with, for a quick look. */
    files: { type: 'string' },
    /** A folder in which the generated trees stay for the next run. */
    dir: { type: 'string' },
    program: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function chosen(): readonly Bench[] {
  if (positionals.length === 0) return benches.filter(({ runsByDefault }) => runsByDefault);
  return positionals.map((name) => {
    const bench = benches.find((each) => each.name === name);
    if (bench === undefined)
      throw new TypeError(`no bench "${name}"; there are ${benches.map((each) => each.name).join(', ')}`);
    return bench;
  });
}

async function runAll(): Promise<boolean> {
  const rounds = Number(options.rounds);
  const files = options.files === undefined ? null : Number(options.files);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError('--rounds wants a number of at least 1');
  if (options.program !== undefined) useProgram(options.program);
  await using workshop = await Workshop.open(options.dir ?? null);
  let allMet = true;
  const results: Record<string, unknown> = {};
  for (const bench of chosen()) {
    if (!options.json) console.log(`\n${bench.name}: ${bench.about}`);
    const progress = (line: string): void => console.error(`  … ${line}`);
    const report = await bench.run({ workshop, rounds, files, progress });
    allMet &&= report.verdicts.every(isMet);
    results[bench.name] = {
      rows: report.rows.map((row) => ({ ...row, median: median(row.values) })),
      verdicts: report.verdicts.map((verdict) => ({ ...verdict, met: isMet(verdict) })),
    };
    if (!options.json) console.log(tableOf(report));
  }
  if (options.json) console.log(JSON.stringify(results, null, 2));
  return allMet;
}

if (options.help) {
  for (const { name, about, runsByDefault } of benches)
    console.log(`${name}${runsByDefault ? '' : ' (only when named)'}\n    ${about}`);
} else {
  process.exitCode = (await runAll()) ? 0 : 1;
}
