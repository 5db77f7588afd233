/**
 * What checking a valid 200 MB batch file costs on top of reading and hashing it, in time and in memory, as a process of
 * its own, so that its memory is that of nothing else: `check-batch-process.ts FOLDER ROUNDS`. Prints one JSON object.
 * Rounds with and without the check take turns, so that both see the same machine.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { finished } from 'node:stream/promises';
import { createContentChecks } from '../../../src/checks/content-checks.ts';
import type { ContentCheck } from '../../../src/contract/content-check.ts';
import { HashThread } from '../../../src/local/hash-thread.ts';
import { inspectVersion } from '../../../src/local/read-version.ts';
import { statToken } from '../../../src/contract/stat-token.ts';
import type { StatToken } from '../../../src/contract/types.ts';
import { rulesOf } from '../../support/folder-rules.ts';

const FILE_BYTES = 199_000_000;
const REQUESTS = 50_000;
const CHUNK_BYTES = 256 * 1024;
const RULES = rulesOf('batch', { priority: 10 });

/** English prose with the occasional quote and line break: about one escape in a hundred bytes. */
const PROSE =
  'Summarise the following report in three sentences, and say which of its numbers you could not verify. The committee met on Tuesday ' +
  'and agreed, after a long debate, that the budget for the coming year should be "revised in good time".\n';

async function writeBatchFile(path: string): Promise<void> {
  const out = createWriteStream(path);
  const content = PROSE.repeat(Math.ceil(FILE_BYTES / REQUESTS / PROSE.length)).slice(
    0,
    FILE_BYTES / REQUESTS - 340,
  );
  for (let n = 0; n < REQUESTS; n++) {
    const messages = [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: `${n}: ${content}` },
    ];
    const body = { model: 'gpt-4o-mini', messages, max_tokens: 1000, temperature: 0.2 };
    const line = `${JSON.stringify({ custom_id: `request-${n}`, method: 'POST', url: '/v1/chat/completions', body })}\n`;
    if (!out.write(line)) await once(out, 'drain');
  }
  out.end();
  await finished(out);
}

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** What is judged, and what it is held against. */
export type Pass = 'bare' | 'hashed' | 'checked';

const NO_CHECK: ContentCheck = {
  problem: null,
  write: () => undefined,
  end: () => ({ problem: null, warnings: [] }),
  drop: () => undefined,
};
const checks = createContentChecks();
const hashes = new HashThread();

async function measured(pass: Pass, path: string, token: StatToken): Promise<Cost> {
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  if (pass === 'bare') await readAndHash(path);
  else await inspect(pass, path, token);
  const { user, system } = process.cpuUsage(startedCpu);
  return { wallMs: performance.now() - startedMs, cpuMs: (user + system) / 1000 };
}

/** A plain loop on one thread. */
async function readAndHash(path: string): Promise<void> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  await using file = await open(path);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
  }
  hash.digest();
}

/** The way the mirror reads a file before it uploads it. */
async function inspect(pass: 'hashed' | 'checked', path: string, token: StatToken): Promise<void> {
  const create = (name: string, sizeBytes: number): ContentCheck =>
    pass === 'checked' ? checks.createCheck(RULES, name, sizeBytes) : NO_CHECK;
  const never = new AbortController().signal;
  const { problem } = await inspectVersion(
    { absolute: path, path: 'batch/bench.jsonl', stat: token },
    create,
    hashes,
    never,
  );
  if (problem !== null) throw new Error(`the file of the bench was refused: ${problem.message}`);
}

/** What it prints: milliseconds of one round each. */
export interface CheckCosts {
  readonly wallMs: Readonly<Record<Pass, readonly number[]>>;
  readonly cpuMs: Readonly<Record<Pass, readonly number[]>>;
  /** For how long the event loop was kept waiting while a file was checked. */
  readonly longestBlockMs: readonly number[];
  readonly startRssBytes: number;
  readonly peakRssBytes: number;
}

async function bench(directory: string, rounds: number): Promise<CheckCosts> {
  const path = join(directory, 'bench.jsonl');
  await writeBatchFile(path);
  const token = statToken(await lstat(path, { bigint: true }));
  const wallMs: Record<Pass, number[]> = { bare: [], hashed: [], checked: [] };
  const cpuMs: Record<Pass, number[]> = { bare: [], hashed: [], checked: [] };
  const passes = Object.keys(wallMs) as Pass[];
  for (const pass of passes) await measured(pass, path, token);
  const startRssBytes = process.memoryUsage.rss();
  let peakRssBytes = 0;
  const longestBlockMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const pass of passes) {
      const loop = monitorEventLoopDelay({ resolution: 5 });
      loop.enable();
      const cost = await measured(pass, path, token);
      loop.disable();
      wallMs[pass].push(cost.wallMs);
      cpuMs[pass].push(cost.cpuMs);
      if (pass === 'checked') longestBlockMs.push(loop.max / 1e6);
    }
    peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
  }
  return { wallMs, cpuMs, longestBlockMs, startRssBytes, peakRssBytes };
}

const [directory = '', rounds = '0'] = process.argv.slice(2);
console.log(JSON.stringify(await bench(directory, Number(rounds))));
