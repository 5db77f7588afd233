import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { CheckThread } from '../../src/checks/check-thread.ts';
import { createDetailedCheck } from '../../src/checks/checks.ts';
import { createContentChecks } from '../../src/checks/content-checks.ts';
import { batchRequest, linesOf } from '../corpus/make-corpus.ts';
import { rulesOf } from '../support/folder-rules.ts';

const rules = rulesOf('batch');
const many = linesOf(Array.from({ length: 5000 }, (_, n) => batchRequest(n)));
const twice = linesOf([batchRequest(1), batchRequest(1)]);

const started: Worker[] = [];
afterEach(async () => {
  for (const worker of started.splice(0)) await worker.terminate();
});

function workerFrom(code: string): () => Worker {
  return () => {
    const worker = new Worker(code, { eval: true });
    started.push(worker);
    return worker;
  };
}

async function verdictOn(content: Buffer, thread: CheckThread) {
  const check = thread.check(
    { rules, fileName: 'a.jsonl', sizeBytes: content.length },
    createDetailedCheck(rules, 'a.jsonl', content.length),
  );
  try {
    for (let at = 0; at < content.length; at += 100_000)
      await check.write(content.subarray(at, at + 100_000));
    return await check.end();
  } finally {
    check.drop();
  }
}

describe('a thread for checks', () => {
  it('says of several files at once what is said of each here', async () => {
    const thread = new CheckThread();
    const verdicts = await Promise.all([many, twice, many].map((content) => verdictOn(content, thread)));
    expect(verdicts).toEqual([
      { problem: null, warnings: [] },
      {
        problem: { rule: 'batch-line', message: 'line 2: custom_id "request-1" is already used on line 1' },
        warnings: [],
      },
      { problem: null, warnings: [] },
    ]);
  });

  it('that cannot be had is done without', async () => {
    const thread = new CheckThread(() => {
      throw new Error('no more threads');
    });
    expect((await verdictOn(twice, thread)).problem?.rule).toBe('batch-line');
  });

  it('that breaks has the file tried again, and the next one gets another', async () => {
    let starts = 0;
    const thread = new CheckThread(() =>
      workerFrom(
        starts++ === 0
          ? 'throw new Error("out of memory")'
          : 'const { parentPort: port } = require("node:worker_threads");' +
              'port.on("message", ({ kind }) => kind === "write" || kind === "end" ? port.postMessage(kind === "end" ? { problem: null, warnings: ["new"] } : null) : 0)',
      )(),
    );
    await expect(verdictOn(many, thread)).rejects.toMatchObject({
      disposition: 'retry',
      rule: 'io',
      message: 'the file could not be checked: out of memory',
    });
    expect(await verdictOn(many, thread)).toEqual({ problem: null, warnings: ['new'] });
  });

  it('starts for large files alone, and not before their first byte', async () => {
    let starts = 0;
    const checks = createContentChecks(
      new CheckThread(() => {
        starts++;
        throw new Error('none');
      }),
    );
    expect(await checks.createCheck(rules, 'a.jsonl', twice.length).write(twice)).toBeUndefined();
    const large = checks.createCheck(rules, 'a.jsonl', 2_000_000);
    expect([starts, large.problem]).toEqual([0, null]);
    await large.write(twice);
    expect(starts).toBe(1);
    expect((await large.end()).problem?.rule).toBe('batch-line');
    expect(checks.createCheck(rulesOf('user_data'), 'a', 2_000_000).end()).toMatchObject({
      problem: null,
      warnings: [],
    });
    expect(checks.createCheck(rules, 'a.txt', 2_000_000).problem?.rule).toBe('extension');
  });
});
