/**
 * The built daemon, killed again and again while files of requests are dropped and their batches run, and the server
 * fails; then everything rests, and the server and the results folder are judged.
 *
 *     node test/crash/torture-batches.ts [--kills 100] [--files 200] [--seed N]
 *
 * Prints figures. Exits with 1, and keeps the folder, when a promise was broken. The seed gives the same choices
 * again, though not the same timing.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { requestLine } from '../support/batch-lines.ts';
import { SimRandom } from '../support/sim/sim-random.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import type { DaemonClient } from '../../src/service/control-client.ts';
import { failPointNames } from './fail-points.ts';
import { sha256Of } from './oracle.ts';
import { Sandbox } from './sandbox.ts';
import { judged, progress, report } from './verdict.ts';
import { makeUnruly } from './unruly-server.ts';

const restTimeoutMs = 600_000;
const pollMs = 500;

interface Options {
  readonly kills: number;
  readonly files: number;
  readonly seed: number;
}

/** A file of requests, as it was dropped. */
interface Dropped {
  readonly customIds: readonly string[];
  /** Some of its lines fail once: they need a batch of their own. */
  readonly failsOnce: boolean;
}

interface Course {
  /** Deaths by place; `random` is any other. */
  readonly deaths: Map<string, number>;
  readonly violations: string[];
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '100' },
      files: { type: 'string', default: '200' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  return { kills: Number(values.kills), files: Number(values.files), seed: Number(values.seed) };
}

/** Drops files, all at once under a name, until there are as many as there are to be. */
class Dropper {
  readonly dropped = new Map<string, Dropped>();
  readonly #folder: string;
  readonly #random: SimRandom;

  constructor(root: string, random: SimRandom) {
    this.#folder = join(root, 'batch');
    this.#random = random;
  }

  drop(): void {
    const name = `f${this.dropped.size + 1}`;
    const count = this.#random.int(1, 6);
    const failing = this.#random.chance(0.25) ? this.#random.int(1, count) : null;
    const customIds = Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);
    const lines = customIds.map((customId, index) =>
      requestLine(customId, index + 1 === failing ? { trouble: 'once-error-500' } : {}),
    );
    const temporary = join(this.#folder, '.dropping');
    writeFileSync(temporary, lines.join(''));
    renameSync(temporary, join(this.#folder, `${name}.jsonl`));
    this.dropped.set(name, { customIds, failsOnce: failing !== null });
  }
}

async function torture(sandbox: Sandbox, { kills, files, seed }: Options): Promise<readonly string[]> {
  const startedMs = performance.now();
  const random = new SimRandom(seed);
  const { server } = sandbox;
  const course: Course = { deaths: new Map(), violations: [] };
  // What lies there when submitting is switched on would be left alone.
  await settle(sandbox, course, 0);

  makeUnruly(server.faults, random.fork('faults'));
  const dropper = new Dropper(sandbox.root, random.fork('files'));
  const lives = random.fork('lives');
  for (let kill = 1; kill <= kills; kill += 1) {
    await liveAndDie(sandbox, lives, course, async (signal) => {
      const wanted = Math.ceil((files * kill) / kills);
      while (dropper.dropped.size < wanted && !signal.aborted) {
        dropper.drop();
        await sleep(lives.int(5, 200));
      }
    });
    if (kill % 10 === 0) {
      progress(`${kill} kills, ${dropper.dropped.size} files, ${server.batches.all().length} batches`);
    }
  }
  while (dropper.dropped.size < files) dropper.drop();
  server.faults.clear();

  const posts = server.requests.submissions().length;
  progress('resting');
  await settle(sandbox, course, files);
  course.violations.push(...judge(sandbox, dropper.dropped));
  const before = changing(sandbox);
  await settle(sandbox, course, files);
  const idle = changing(sandbox) - before;
  if (idle > 0) course.violations.push(`${idle} requests changed something when nothing was to be done`);

  const all = server.requests.submissions();
  report({
    seed,
    kills: [...course.deaths.values()].reduce((sum, count) => sum + count, 0),
    'kills by place': [...course.deaths].map(([place, count]) => `${place} ${count}`).join(', '),
    files: dropper.dropped.size,
    lines: [...dropper.dropped.values()].reduce((sum, { customIds }) => sum + customIds.length, 0),
    'files with lines that were tried again': [...dropper.dropped.values()].filter(
      ({ failsOnce }) => failsOnce,
    ).length,
    batches: server.batches.all().length,
    'POSTs to /batches while killed, to rest': `${posts}, ${all.length - posts}`,
    'of them without a reply, or with an error': all.filter(({ status }) => status === null || status >= 400)
      .length,
    'requests that change anything, after one more start': idle,
    violations: course.violations.length,
    'wall time': `${Math.round((performance.now() - startedMs) / 1000)} s`,
  });
  return course.violations;
}

/** One life: it ends at a fail point, or at some time after it began. */
async function liveAndDie(
  sandbox: Sandbox,
  random: SimRandom,
  course: Course,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failPoint = random.chance(0.3) ? `${random.pick(failPointNames)}:${random.int(1, 4)}` : null;
  const creation = failPoint === null && random.chance(0.6) ? random.int(1, 3) : null;
  const { program } = sandbox.start(failPoint);
  const dead = new AbortController();
  const working = work(dead.signal);
  const grown = sleep(random.int(300, 5_000)).then(() => 'random');
  const created = creation === null ? [] : [untilCreation(sandbox, creation, random.int(0, 60), dead.signal)];
  const how = await Promise.race([program.exited, grown, ...created]);
  const place = typeof how === 'string' ? how : (failPoint?.replace(/:\d+$/, '') ?? 'by itself');
  program.signal('SIGKILL');
  dead.abort();
  const { code, signal, stderr } = await program.exited;
  await working;
  course.deaths.set(place, (course.deaths.get(place) ?? 0) + 1);
  if (signal !== 'SIGKILL')
    course.violations.push(`the daemon ended by itself with ${code}:\n${stderr.slice(-2000)}`);
  await readManifest(sandbox.stateDir).catch((error: unknown) => {
    course.violations.push(`the manifest is unreadable: ${String(error)}`);
  });
}

/** Until the server was asked for so many batches more, and a moment longer. */
async function untilCreation(
  { server }: Sandbox,
  count: number,
  moreMs: number,
  signal: AbortSignal,
): Promise<string> {
  const wanted = server.requests.submissions().length + count;
  while (!signal.aborted && server.requests.submissions().length < wanted) await sleep(5);
  await sleep(moreMs);
  return 'at a POST to /batches';
}

/** Starts it once more, without any trouble, and waits until so many files have their answers. */
async function settle(sandbox: Sandbox, course: Course, files: number): Promise<void> {
  const life = sandbox.start(null);
  try {
    const client = await life.client();
    const deadlineMs = performance.now() + restTimeoutMs;
    while (!(await isAtRest(client, files))) {
      if (performance.now() > deadlineMs) {
        course.violations.push(`it did not come to rest: ${JSON.stringify(await client.status())}`);
        return;
      }
      await sleep(pollMs);
    }
  } finally {
    life.program.signal('SIGTERM');
    const { code } = await life.program.exited;
    if (code !== 0) course.violations.push(`the daemon ended with ${code} after SIGTERM`);
  }
}

async function isAtRest(client: DaemonClient, files: number): Promise<boolean> {
  const { batches, counts, garbage, openIntents, lastScanAt, halts } = await client.status();
  const { waiting, open, fetching, done, partial, failed } = batches;
  const left = waiting + open + fetching + garbage + openIntents + halts.length;
  return lastScanAt !== null && left === 0 && done + partial + failed >= files && counts.synced >= files;
}

/** One batch for a file, one more for its lines that failed, one answer for a line, in order, and nothing else. */
function judge({ root, server }: Sandbox, dropped: ReadonlyMap<string, Dropped>): readonly string[] {
  const found: string[] = [];
  const inputs = new Map(server.files().map(({ id, filename }) => [id, filename]));
  const batches = Map.groupBy(
    server.batches.all(),
    ({ inputFileId }) => inputs.get(inputFileId) ?? inputFileId,
  );
  const submissions = Map.groupBy(server.batches.all(), ({ metadata }) =>
    JSON.stringify([metadata?.['files_mirror_submission'], metadata?.['files_mirror_attempt']]),
  );
  for (const [submission, twins] of submissions) {
    if (twins.length !== 1) found.push(`${twins.length} batches of ${submission}`);
  }
  const expected = new Map<string, number>();
  for (const [name, { failsOnce }] of dropped) {
    expected.set(`${name}.jsonl`, 1);
    if (failsOnce) expected.set(`${name}.retry-1.jsonl`, 1);
  }
  for (const name of new Set([...expected.keys(), ...batches.keys()])) {
    const [is, wanted] = [batches.get(name)?.length ?? 0, expected.get(name) ?? 0];
    if (is !== wanted) found.push(`${is} batches of ${name}, not ${wanted}`);
  }
  const results = join(root, 'results');
  const names = new Set(readdirSync(results));
  for (const [name, { customIds }] of dropped) {
    for (const each of [`${name}.output.jsonl`, `${name}.batch.json`]) {
      if (!names.delete(each)) found.push(`${each} is not there`);
    }
    if (found.length === 0) found.push(...judgeOutput(results, name, customIds));
  }
  for (const name of names) found.push(`${name} lies among the results`);
  return found;
}

function judgeOutput(results: string, name: string, customIds: readonly string[]): readonly string[] {
  const output = readFileSync(join(results, `${name}.output.jsonl`), 'utf8');
  const lines = output.split('\n');
  const ids = lines.slice(0, -1).map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
  const summary = JSON.parse(readFileSync(join(results, `${name}.batch.json`), 'utf8')) as {
    readonly state: string;
    readonly output: { readonly sha256: string } | null;
  };
  const found: string[] = [];
  if (lines.at(-1) !== '') found.push(`${name}: its output is cut off`);
  if (ids.join() !== customIds.join())
    found.push(`${name}: answers for ${ids.join()}, not ${customIds.join()}`);
  if (summary.state !== 'done') found.push(`${name}: its summary says ${summary.state}`);
  if (summary.output?.sha256 !== sha256Of(output)) found.push(`${name}: its summary is of another output`);
  return found;
}

function changing({ server }: Sandbox): number {
  return server.requests.all().filter(({ method }) => method !== 'GET').length;
}

const options = readOptions();
progress(`seed ${options.seed}`);
const sandbox = await new Sandbox({
  settings: {
    folders: { batch: { submit: true } },
    batches: { pollSeconds: 1, lookSeconds: 3, maxAtOnce: 1_000_000, retries: 1 },
  },
  emulator: { batchPace: { validatingMs: 300, workingMs: 700, perRequestMs: 0, finalizingMs: 300 } },
}).open();
await judged(sandbox, options.seed, () => torture(sandbox, options));
