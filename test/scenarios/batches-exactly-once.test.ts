/** A batch is money: whatever becomes of the reply to its creation, there is exactly one for a file. */
import { describe, expect, test } from 'vitest';
import {
  hangingCreation,
  laggingBatches,
  lateOutput,
  lostCreation,
  metadataDropped,
  cutContent,
} from '../support/batch-faults.ts';
import { requestLines } from '../support/batch-lines.ts';
import {
  lineIds,
  openBatchMirror,
  resultIds,
  submissions,
  untilOver,
} from '../support/blackbox/batch-mirror.ts';
import type { FaultRule } from '../support/fault-injection.ts';
import { badGateway, serverError } from '../support/fault-presets.ts';

const PATH = 'batch/a.jsonl';
const LAG_MS = 1_500;

const creation = { method: 'POST', path: /\/batches$/ } as const;

const replies: readonly { name: string; rule: FaultRule; posts: number }[] = [
  { name: 'is lost before the batch is stored', rule: lostCreation('before'), posts: 2 },
  { name: 'is lost after the batch is stored', rule: lostCreation('after'), posts: 1 },
  { name: 'never comes, and the batch is stored', rule: hangingCreation(), posts: 1 },
  {
    name: 'is a 500, and the batch is not stored',
    rule: { match: creation, act: serverError('arrival'), times: 1 },
    posts: 2,
  },
  {
    name: 'is a 502, and the batch is stored',
    rule: { match: creation, act: badGateway('handled'), times: 1 },
    posts: 1,
  },
  {
    name: 'breaks off in its middle',
    rule: { match: creation, act: { kind: 'truncate', keepBytes: 20 }, times: 1 },
    posts: 1,
  },
];

const servers: readonly { name: string; rules: readonly FaultRule[] }[] = [
  { name: '', rules: [] },
  { name: ', lists lag', rules: [laggingBatches(LAG_MS)] },
  { name: ', metadata are dropped', rules: [metadataDropped()] },
  { name: ', lists lag and metadata are dropped', rules: [laggingBatches(LAG_MS), metadataDropped()] },
];

describe('the reply to a creation', { concurrent: true }, () => {
  for (const { name, rule, posts } of replies) {
    for (const server of servers) {
      test(`${name}${server.name}: there is one batch`, async (context) => {
        const mirror = await openBatchMirror(context, { config: { api: { timeoutSeconds: 2 } } });
        for (const each of server.rules) mirror.emulator.faults.add(each);
        const fault = mirror.emulator.faults.add(rule);
        await mirror.write(PATH, requestLines(3));
        expect(await untilOver(mirror, PATH)).toMatchObject({ state: 'done', twins: [] });
        expect(fault.hits).toBe(1);
        expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, 3));
        await mirror.flush();
        expect(mirror.emulator.batches.all()).toHaveLength(1);
        expect(submissions(mirror)).toBe(posts);
      });
    }
  }

  for (const when of ['before', 'after'] as const) {
    test(`is lost ${when} the batch is stored, and the program dies at once: there is one batch`, async (context) => {
      const mirror = await openBatchMirror(context);
      mirror.emulator.faults.add(laggingBatches(LAG_MS));
      const fault = mirror.emulator.faults.add(lostCreation(when));
      await mirror.write(PATH, requestLines(3));
      await mirror.until(
        () => fault.hits,
        (hits) => hits === 1,
      );
      await mirror.kill9();
      await mirror.start();
      expect(await untilOver(mirror, PATH)).toMatchObject({ state: 'done', twins: [] });
      expect(mirror.emulator.batches.all()).toHaveLength(1);
      expect(submissions(mirror)).toBe(when === 'after' ? 1 : 2);
    });
  }

  test('is there, and nothing is asked again', async (context) => {
    const mirror = await openBatchMirror(context);
    mirror.emulator.faults.add(metadataDropped());
    await mirror.write(PATH, requestLines(3));
    await untilOver(mirror, PATH);
    expect(submissions(mirror)).toBe(1);
  });
});

describe('results', { concurrent: true }, () => {
  test('whose ids come late, and whose content breaks off: they are whole', async (context) => {
    const mirror = await openBatchMirror(context);
    mirror.emulator.faults.add(lateOutput(2_000));
    const reset = mirror.emulator.faults.add(cutContent(300));
    const short = mirror.emulator.faults.add(cutContent(500, 'silently'));
    await mirror.write(PATH, requestLines(30));
    expect(await untilOver(mirror, PATH)).toMatchObject({ state: 'done', lines: { answered: 30 } });
    expect(reset.hits + short.hits).toBe(2);
    expect(await resultIds(mirror, 'a.output.jsonl')).toEqual(lineIds(1, 30));
    expect(submissions(mirror)).toBe(1);
  });
});
