import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BatchRecord } from '../../../src/contract/batch.ts';
import { FailingDisk } from './failing-disk.ts';
import { answer, batchOf, expired, failed, fileOf, never, place, recordOf, request } from './fixture.ts';
import type { Place } from './fixture.ts';

const FOUR = ['a', 'b', 'c', 'd'];
const INPUT = fileOf(FOUR.map((id) => request(id)));
const FIRST = fileOf([answer('a'), answer('b')]);
const MERGED = fileOf([answer('a'), answer('b'), answer('d')]);

async function four(): Promise<{ here: Place; records: Map<string, BatchRecord> }> {
  const here = await place();
  await here.put('batch/a.jsonl', INPUT);
  here.files.put('out', fileOf([answer('b'), answer('a')]));
  here.files.put('err', fileOf([expired('d'), failed('c')]));
  here.files.put('out1', fileOf([answer('d')]));
  const batch = batchOf({ outputFileId: 'out', errorFileId: 'err' });
  return { here, records: new Map([['s0', recordOf(INPUT, { path: 'batch/a.jsonl', batch })]]) };
}

function retried(): BatchRecord {
  return recordOf(INPUT, { generation: 1, of: 's0', batch: batchOf({ outputFileId: 'out1' }) });
}

/** Each name has all of one of its contents, or is not there; nothing else is. */
async function expectWhole(here: Place, isMerged: boolean): Promise<void> {
  const names = await here.results();
  const whole: Record<string, readonly string[]> = {
    'a.output.jsonl': isMerged ? [FIRST, MERGED] : [FIRST],
    'a.errors.jsonl': isMerged
      ? [fileOf([failed('c'), expired('d')]), fileOf([failed('c')])]
      : [fileOf([failed('c'), expired('d')])],
  };
  for (const name of names.filter((each) => !each.includes('.files-mirror-'))) {
    const content = await here.read(`results/${name}`);
    if (name === 'a.batch.json') expect(() => JSON.parse(content) as unknown).not.toThrow();
    else expect(whole[name] ?? []).toContain(content);
  }
}

async function lifeWith(
  failing: FailingDisk,
  here: Place,
  records: Map<string, BatchRecord>,
): Promise<unknown> {
  const desk = here.desk({ disk: failing.disk });
  try {
    await desk.collect('s0', records, never);
    await desk.write('s0', records, never);
    return null;
  } catch (error) {
    return error;
  }
}

test.each([
  ['a full disk', 'ENOSPC', 'disk-full', 1],
  ['a disk that breaks', 'EIO', 'disk', 7],
  ['a folder that is read-only', 'EROFS', 'not-writable', 7],
])(
  '%s: a halt that says where and what to do, nothing half, and it goes on afterwards',
  async (_what, code, rule, step) => {
    for (let failAt = 0; ; failAt += step) {
      const { here, records } = await four();
      const failing = new FailingDisk(failAt, code, false);
      const error = await lifeWith(failing, here, records);
      if (!failing.hasFailed) break;
      if (error !== null) {
        expect(error).toMatchObject({
          disposition: 'halt',
          halt: 'state',
          outcome: 'refused',
          rule,
          message: expect.stringMatching(
            new RegExp(`(results/a|/state/).*${code}.*it goes on by itself|^results.*${code}`),
          ),
        });
      }
      await expectWhole(here, false);
      expect(await lifeWith(new FailingDisk(Infinity, '', false), here, records)).toBeNull();
      expect(await here.results()).toEqual(['a.batch.json', 'a.errors.jsonl', 'a.output.jsonl']);
      expect(await here.read('results/a.output.jsonl')).toBe(FIRST);
    }
  },
  120_000,
);

test('killed anywhere, also while results are replaced by merged ones: whole or absent, and then complete, under the same names', async () => {
  for (let failAt = 0; ; failAt += 1) {
    const { here, records } = await four();
    expect(await lifeWith(new FailingDisk(Infinity, '', false), here, records)).toBeNull();
    records.set('s1', retried());
    const failing = new FailingDisk(failAt, 'EIO', true);
    await lifeWith(failing, here, records);
    await expectWhole(here, true);
    if (!failing.hasFailed) break;
    expect(await lifeWith(new FailingDisk(Infinity, '', false), here, records)).toBeNull();
    expect(await here.results()).toEqual(['a.batch.json', 'a.errors.jsonl', 'a.output.jsonl']);
    expect(await here.read('results/a.output.jsonl')).toBe(MERGED);
    expect(await here.read('results/a.errors.jsonl')).toBe(fileOf([failed('c')]));
  }
}, 120_000);

test('a content is durable before its name is, and the memory of it before any name', async () => {
  const { here, records } = await four();
  const disk = new FailingDisk(Infinity, '', false);
  expect(await lifeWith(disk, here, records)).toBeNull();
  const at = (pattern: RegExp): number => disk.done.findLastIndex((each) => pattern.test(each));
  for (const part of ['output', 'errors', 'batch']) {
    const synced = at(new RegExp(`^sync .*-${part}\\.tmp$`));
    const named = at(new RegExp(`^link .*-${part}\\.tmp`));
    expect(synced).toBeGreaterThan(-1);
    expect(named).toBeGreaterThan(synced);
    expect(named).toBeGreaterThan(at(/^rename .*written\/s0\.json/));
    expect(disk.done.slice(named).some((each) => each === `sync ${join(here.root, 'results')}`)).toBe(true);
  }
  expect(await readdir(join(here.root, 'results'))).toHaveLength(3);
});
