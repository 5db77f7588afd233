/**
 * The built daemon, killed again and again at random times and at its fail points, while files churn and the server
 * fails; then everything rests, and the oracle judges.
 *
 *     node test/crash/torture.ts [--kills 200] [--files 5000] [--seed N]
 *
 * Prints figures. Exits with 1, and keeps the folder, when a promise was broken. The seed gives the same choices
 * again, though not the same timing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import { Fault } from '../../src/contract/faults.ts';
import type { DaemonClient } from '../../src/service/control-client.ts';
import { failPointNames } from './fail-points.ts';
import { SimRandom } from '../support/sim/sim-random.ts';
import { Churn } from './churn.ts';
import { hashTree, judge, violationsOf } from './oracle.ts';
import type { Life } from './sandbox.ts';
import { Sandbox, sandboxFolders } from './sandbox.ts';
import { judged, progress, report } from './verdict.ts';
import { makeUnruly } from './unruly-server.ts';

const foreignFiles = 50;
const shownLogLines = 20;
const flushTimeoutMs = 60_000;
const restTimeoutMs = 600_000;

interface Options {
  readonly kills: number;
  readonly files: number;
  readonly seed: number;
}

/** What was seen while it went on; the oracle's part comes at the end. */
interface Course {
  /** Deaths by place; `random` is any other. */
  readonly deaths: Map<string, number>;
  manifestsRead: number;
  readonly violations: string[];
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '200' },
      files: { type: 'string', default: '5000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  return { kills: Number(values.kills), files: Number(values.files), seed: Number(values.seed) };
}

async function torture(sandbox: Sandbox, { kills, files, seed }: Options): Promise<readonly string[]> {
  const startedMs = performance.now();
  const random = new SimRandom(seed);
  const { root, server } = sandbox;
  const course: Course = { deaths: new Map(), manifestsRead: 0, violations: [] };
  for (let index = 1; index <= foreignFiles; index += 1) {
    await sandbox.addForeign(
      random.pick(sandboxFolders),
      `f${index}.jsonl`,
      '{"item":{"version":"somebody"}}\n',
    );
  }
  makeUnruly(server.faults, random.fork('faults'));

  const churn = new Churn({ root, files, folders: sandboxFolders, random: random.fork('churn') });
  const rest = new AbortController();
  const writing = write(churn, random.fork('pace'), rest.signal);
  try {
    const lives = random.fork('lives');
    for (let kill = 1; kill <= kills || churn.files < files; kill += 1) {
      await liveAndDie(sandbox, lives, course);
      if (kill % 25 === 0) progress(`${kill} kills, ${churn.files} files, ${churn.operations} operations`);
    }
  } finally {
    rest.abort();
    await writing;
    server.faults.clear();
  }

  const [posts, deletes] = [server.requests.uploads().length, server.requests.deletes().length];
  progress('resting');
  await settle(sandbox, course);
  const settledPosts = server.requests.uploads().length;
  const verdict = await judge(sandbox);
  course.violations.push(...violationsOf(verdict), ...changedLocally(root, churn));
  const idle = await idleRestart(sandbox, course);

  report({
    seed,
    kills: [...course.deaths.values()].reduce((sum, count) => sum + count, 0),
    'kills by place': [...course.deaths].map(([place, count]) => `${place} ${count}`).join(', '),
    'manifest readable after a kill': course.manifestsRead,
    operations: churn.operations,
    'versions written': churn.versions,
    files: verdict.localFiles,
    'POSTs while killed, to rest': `${posts}, ${settledPosts - posts}`,
    'POSTs that stored': server.requests.uploads().filter(({ id }) => id !== null).length,
    'DELETEs while killed, in all': `${deletes}, ${server.requests.deletes().length}`,
    duplicates: verdict.duplicates.length,
    orphans: verdict.orphans.length,
    lost: verdict.lost.length,
    misremembered: verdict.misremembered.length,
    'files of others gone': `${verdict.foreignGone.length} of ${sandbox.foreign.size}`,
    'requests that change anything, after one more start': idle,
    'wall time': `${Math.round((performance.now() - startedMs) / 1000)} s`,
  });
  return course.violations;
}

/** Bursts and trickles, until the signal aborts. */
async function write(churn: Churn, random: SimRandom, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const burst = random.chance(0.01) ? 150 : random.int(1, 4);
    for (let left = burst; left > 0; left -= 1) churn.step();
    await sleep(random.int(5, 35));
  }
}

/** One life: it ends while it starts, at a fail point, or at some time after it began to work. */
async function liveAndDie(sandbox: Sandbox, random: SimRandom, course: Course): Promise<void> {
  const failPoint = random.chance(0.5) ? `${random.pick(failPointNames)}:${random.int(1, 40)}` : null;
  const life = sandbox.start(failPoint);
  const { program } = life;
  await Promise.race([program.exited, timeToLive(life, random, failPoint !== null)]);
  const place = program.isRunning ? 'random' : (failPoint?.replace(/:\d+$/, '') ?? 'by itself');
  program.signal('SIGKILL');
  const { code, signal, stderr } = await program.exited;
  course.deaths.set(place, (course.deaths.get(place) ?? 0) + 1);
  if (signal !== 'SIGKILL') {
    const tail = stderr.trimEnd().split('\n').slice(-shownLogLines).join('\n');
    course.violations.push(`the daemon ended by itself with ${code}:\n${tail}`);
  }
  try {
    const manifest = await readManifest(sandbox.stateDir);
    if (manifest !== null) course.manifestsRead += 1;
    else if (course.manifestsRead > 0) course.violations.push('the manifest vanished');
  } catch (error) {
    course.violations.push(`the manifest is unreadable: ${String(error)}`);
  }
}

async function timeToLive(life: Life, random: SimRandom, hasFailPoint: boolean): Promise<void> {
  if (random.chance(0.1)) {
    await sleep(random.int(0, 800));
    return;
  }
  const longLife = random.chance(0.04);
  const lifeMs = longLife ? 10_000 : random.int(50, hasFailPoint ? 3_000 : 1_500);
  // One that died before it answered needs no killing.
  await life.client().catch(() => {});
  await sleep(lifeMs);
}

/** Starts it once more, without any trouble, and waits until it has nothing left to do. */
async function settle(sandbox: Sandbox, course: Course): Promise<void> {
  const life = sandbox.start(null);
  try {
    const client = await life.client();
    const deadlineMs = performance.now() + restTimeoutMs;
    while (!(await isAtRest(client))) {
      if (performance.now() < deadlineMs) continue;
      course.violations.push(`it did not come to rest: ${JSON.stringify(await client.status())}`);
      break;
    }
  } finally {
    life.program.signal('SIGTERM');
    const { code } = await life.program.exited;
    if (code !== 0) course.violations.push(`the daemon ended with ${code} after SIGTERM`);
  }
}

async function isAtRest(client: DaemonClient): Promise<boolean> {
  try {
    const { problems, halts } = await client.flush(flushTimeoutMs);
    const { garbage, openIntents, waitingDeletes } = await client.status();
    return problems.length + halts.length + garbage + openIntents + waitingDeletes === 0;
  } catch (error) {
    if (error instanceof Fault && error.rule === 'wait-timeout') return false;
    throw error;
  }
}

/** How many requests that change anything a further start makes: none, since all is done. */
async function idleRestart(sandbox: Sandbox, course: Course): Promise<number> {
  const changing = (): number =>
    sandbox.server.requests.all().filter(({ method }) => method !== 'GET').length;
  const before = changing();
  await settle(sandbox, course);
  const count = changing() - before;
  if (count > 0) course.violations.push(`${count} requests changed something when nothing was to be done`);
  return count;
}

/** Nothing but the writer may have touched a local file. */
function changedLocally(root: string, churn: Churn): readonly string[] {
  const found = hashTree(root);
  const paths = new Set([...found.keys(), ...churn.hashes.keys()]);
  return [...paths]
    .filter((path) => found.get(path) !== churn.hashes.get(path))
    .map((path) => `changed locally: ${path}`);
}

const options = readOptions();
progress(`seed ${options.seed}`);
const sandbox = await new Sandbox().open();
await judged(sandbox, options.seed, () => torture(sandbox, options));
