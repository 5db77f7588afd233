/**
 * The whole life of a folder, mirrored by the built program to servers that others wrote.
 *
 *     npm run peers [-- --only aimock,portkey]
 *
 * Installs them at exact versions below ~/.cache/files-mirror-peers. Prints a table of servers and steps, and ends with
 * 1 when a promise was broken: something twice, something lost, something left behind, or asked for once too often.
 */
import { renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { batchFile, bigBatchFile } from '../support/blackbox/samples.ts';
import { FolderLife } from './folder-life.ts';
import { peers, type Peer } from './peer.ts';

const repairTimeoutMs = 150_000;
const repairPollMs = 2_000;

/** Lives mostly wait. */
const atOnce = 4;

interface Step {
  readonly name: string;
  /** Changes something; returns what is wrong already. */
  readonly act: (life: FolderLife) => Promise<readonly string[]> | void;
  /** What the server must have been asked for, at rest after that. */
  readonly posts: number;
  readonly deletes: number;
}

const batch = (index: number): string => `batch/2026/jobs-${index}.jsonl`;
const note = ({ second }: FolderLife, index: number): string => `${second}/notes/note-${index}.jsonl`;

/** Wrong unless the verb ends with this code. */
async function expectExit(life: FolderLife, code: number, ...args: string[]): Promise<readonly string[]> {
  const exit = await life.verb(...args);
  if (exit.code === code) return [];
  return [`${args.join(' ')}: exit ${exit.code}, not ${code}: ${exit.stdout}${exit.stderr}`];
}

const steps: readonly Step[] = [
  {
    name: 'drop 14 files, beside one of others',
    posts: 14,
    deletes: 0,
    act: async (life) => {
      await life.addForeign('not-ours.jsonl', 'not ours');
      for (let index = 0; index < 5; index += 1) life.write(batch(index), batchFile(index));
      for (let index = 0; index < 5; index += 1) life.write(note(life, index), batchFile(10 + index));
      life.write(`${life.second}/Grüße an "alle" (新).jsonl`, batchFile(20));
      for (const folder of ['a', 'b']) life.write(`${life.second}/${folder}/twin.jsonl`, batchFile(21));
      life.write(`${life.second}/large.jsonl`, bigBatchFile(22, 3_000_000));
      await life.start();
      return [];
    },
  },
  {
    name: 'change 3',
    posts: 3,
    deletes: 3,
    act: (life) => {
      for (let index = 0; index < 2; index += 1) life.write(batch(index), batchFile(100 + index, 3));
      life.write(note(life, 0), batchFile(110, 2));
    },
  },
  {
    name: 'move 2 within their purpose',
    posts: 0,
    deletes: 0,
    act: (life) => {
      life.rename(batch(2), 'batch/2027/jobs-2.jsonl');
      life.rename(note(life, 1), `${life.second}/note-1.jsonl`);
    },
  },
  {
    name: 'rename 2',
    posts: 2,
    deletes: 2,
    act: (life) => {
      life.rename(batch(3), 'batch/2026/renamed-3.jsonl');
      life.rename(note(life, 2), `${life.second}/notes/renamed-2.jsonl`);
    },
  },
  {
    name: 'remove 2, one of the twins among them',
    posts: 0,
    deletes: 2,
    act: (life) => {
      life.remove(note(life, 3));
      life.remove(`${life.second}/a/twin.jsonl`);
    },
  },
  {
    name: 'restart, with a change, a drop and a removal meanwhile',
    posts: 2,
    deletes: 2,
    act: async (life) => {
      await life.stop();
      life.write(batch(4), batchFile(104, 2));
      life.write(`${life.second}/new.jsonl`, batchFile(120));
      life.remove(note(life, 4));
      await life.start();
      return [];
    },
  },
  {
    name: 'two lost replies',
    posts: 2,
    deletes: 0,
    act: (life) => {
      life.line.loseReplies(2);
      life.write('batch/lost.jsonl', batchFile(200));
      life.write(`${life.second}/lost "reply".jsonl`, batchFile(201));
    },
  },
  {
    name: 'verify',
    posts: 0,
    deletes: 0,
    act: async (life) => [
      ...(life.line.toLose > 0 ? ['no reply was lost'] : []),
      ...(await expectExit(life, 0, 'verify')),
    ],
  },
  {
    name: 'deleted by others: verify --repair',
    posts: 1,
    // The id that is gone was ours, so it is seen to that it is gone.
    deletes: 1,
    act: async (life) => {
      const id = (await life.ids()).get(`${life.second}/new.jsonl`) ?? '';
      await life.deleteRemotely(id);
      // What is new may be missing from a list for a while, so nothing is concluded about it at first.
      const deadlineMs = performance.now() + repairTimeoutMs;
      while (performance.now() < deadlineMs) {
        const { stdout } = await life.verb('verify', '--repair', '--json');
        const { missing } = JSON.parse(stdout) as { missing: readonly { id: string }[] };
        if (missing.some((gone) => gone.id === id)) return [];
        await sleep(repairPollMs);
      }
      return [`that ${id} is gone was not noticed`];
    },
  },
  {
    name: 'without a daemon: change 1, sync twice',
    posts: 1,
    deletes: 1,
    act: async (life) => {
      await life.stop();
      life.write(`${life.second}/new.jsonl`, batchFile(220, 2));
      return [...(await expectExit(life, 0, 'sync')), ...(await expectExit(life, 0, 'sync'))];
    },
  },
  {
    name: 'manifest lost: refused, adopted, sync',
    posts: 0,
    deletes: 0,
    act: async (life) => {
      const before = await life.ids();
      renameSync(life.stateDir, `${life.stateDir}-lost`);
      const wrong = [
        ...(await expectExit(life, 78, 'sync')),
        ...(await expectExit(life, 0, 'adopt')),
        ...(await expectExit(life, 0, 'sync')),
      ];
      const after = await life.ids();
      for (const [path, id] of before)
        if (after.get(path) !== id) wrong.push(`${path} was ${id} and is ${after.get(path)}`);
      return wrong;
    },
  },
  {
    name: 'remove all 14',
    posts: 0,
    deletes: 14,
    act: async (life) => {
      for (const path of (await life.ids()).keys()) life.remove(path);
      await life.start();
      return [];
    },
  },
];

interface StepResult {
  readonly step: string;
  readonly wrong: readonly string[];
  readonly tookMs: number;
}

/** As far as it went. */
type Course = readonly StepResult[];

function failedToStart(error: unknown): StepResult {
  console.error(error);
  return { step: steps[0]?.name ?? '', wrong: ['the server did not start'], tookMs: 0 };
}

async function live(peer: Peer): Promise<Course> {
  const server = await peer.start();
  try {
    const life = await FolderLife.begin(peer, server);
    const course: StepResult[] = [];
    try {
      for (const step of steps) {
        const startedMs = performance.now();
        const wrong = await attempt(step, life);
        course.push({ step: step.name, wrong, tookMs: performance.now() - startedMs });
        // The log tells what is wrong; the steps after it would only repeat that.
        if (wrong.length > 0) {
          console.error(`${peer.name}: ${step.name}\n${wrong.join('\n')}\nits log:\n${life.log}`);
          break;
        }
      }
    } finally {
      await life.close();
    }
    return course;
  } finally {
    await server.close();
  }
}

async function attempt({ act, posts, deletes }: Step, life: FolderLife): Promise<readonly string[]> {
  const before = { posts: life.line.posts, deletes: life.line.deletes };
  try {
    const wrong = [...((await act(life)) ?? []), ...(await life.settle())];
    const asked = { posts: life.line.posts - before.posts, deletes: life.line.deletes - before.deletes };
    if (asked.posts !== posts) wrong.push(`${asked.posts} uploads, not ${posts}`);
    if (asked.deletes !== deletes) wrong.push(`${asked.deletes} deletes, not ${deletes}`);
    return wrong;
  } catch (error) {
    return [String(error)];
  }
}

function tableOf(courses: ReadonlyMap<string, Course>): string {
  const width = Math.max(...steps.map(({ name }) => name.length));
  const cell = (course: Course, step: string): string => {
    const found = course.find((one) => one.step === step);
    if (found === undefined) return '-';
    return found.wrong.length > 0 ? 'BROKEN' : `ok ${(found.tookMs / 1000).toFixed(1)} s`;
  };
  const line = (head: string, cells: readonly string[]): string =>
    `${head.padEnd(width)}  ${cells.map((one) => one.padEnd(10)).join('')}`.trimEnd();
  const rows = steps.map(({ name }) =>
    line(
      name,
      [...courses.values()].map((course) => cell(course, name)),
    ),
  );
  return [line('', [...courses.keys()]), ...rows].join('\n');
}

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const wanted = values.only?.split(',') ?? peers.map(({ name }) => name);
const chosen = peers.filter(({ name }) => wanted.includes(name));
const courses = new Map<string, Course>();
// Keeps the order of the table, whatever ends first.
for (const { name } of chosen) courses.set(name, []);
const waiting = chosen.values();
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (const peer of waiting) {
      console.log(`${peer.name}: ${peer.what}`);
      courses.set(peer.name, await live(peer).catch((error: unknown) => [failedToStart(error)]));
    }
  }),
);
console.log(`\n${tableOf(courses)}`);
const isWhole = [...courses.values()].every(
  (course) => course.length === steps.length && course.every(({ wrong }) => wrong.length === 0),
);
process.exitCode = isWhole && chosen.length === wanted.length ? 0 : 1;
