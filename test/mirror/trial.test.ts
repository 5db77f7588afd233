import { beforeEach, describe, expect, test } from 'vitest';
import { Fault } from '../../src/contract/faults.ts';
import { Trial } from '../../src/mirror/acts/trial.ts';

const STAT = '7 1 1 1 1';
const OTHER_STAT = '8 2 2 1 1';
const signal = new AbortController().signal;

const forbidden = new Fault('403 not this one', {
  disposition: 'halt',
  halt: 'auth',
  outcome: 'refused',
  rule: 'auth',
  status: 403,
});
const badKey = new Fault('401', { disposition: 'halt', halt: 'auth', outcome: 'refused', rule: 'auth' });
const refused = new Fault('400', { disposition: 'skip', outcome: 'refused', rule: 'server-400' });

let nowMs: number;
let halted: boolean;
let probes: number;
/** What the probe meets; null: it is granted. */
let probe: () => Promise<Fault | null>;
let trial: Trial;

beforeEach(() => {
  nowMs = 100_000;
  halted = false;
  probes = 0;
  probe = async () => null;
  const world = {
    clock: { monotonicMs: () => nowMs },
    halts: { has: () => halted },
    view: { files: new Map() },
    api: {
      probe: async () => {
        probes += 1;
        const fault = await probe();
        if (fault !== null) throw fault;
      },
    },
  };
  trial = new Trial({ ...world, signal } as never);
});

describe('a refused upload', () => {
  const judge = (stat = STAT) => trial.ofUpload('user_data/a.txt', stat, refused);

  test('is the file’s own when something was granted right before it, and the probe after it', async () => {
    trial.granted();
    nowMs += 1_000;
    expect(await judge()).toEqual({ kind: 'own' });
  });

  test('is sent once more when nothing was granted lately, and is its own then, however long that takes', async () => {
    trial.granted();
    nowMs += 1_001;
    expect(await judge()).toEqual({ kind: 'unproven' });
    nowMs += 3_600_000;
    expect(await judge()).toEqual({ kind: 'own' });
  });

  test('says nothing about another version', async () => {
    expect(await judge()).toEqual({ kind: 'unproven' });
    nowMs += 3_600_000;
    expect(await judge(OTHER_STAT)).toEqual({ kind: 'unproven' });
  });

  test('is everybody’s when the probe is refused, whatever was granted before', async () => {
    trial.granted();
    probe = async () => badKey;
    expect(await judge()).toEqual({ kind: 'lane', fault: badKey });
  });

  test('for want of a right is the file’s own only when this key has uploaded others', async () => {
    const judgeRight = () => trial.ofUpload('user_data/a.txt', STAT, forbidden);
    trial.granted();
    expect(await judgeRight()).toMatchObject({ kind: 'lane', fault: { disposition: 'retry' } });
    trial.uploadGranted();
    expect(await judgeRight()).toEqual({ kind: 'own' });
    // What another key was refused says nothing about this one.
    trial.keyChanged();
    expect(await judgeRight()).toMatchObject({ kind: 'lane' });
    trial.uploadGranted();
    trial.keyChanged();
    trial.uploadGranted();
    expect(await judgeRight()).toEqual({ kind: 'unproven' });
  });

  test('for the key, is not asked about again while that is known to be refused', async () => {
    halted = true;
    expect(await trial.ofUpload('user_data/a.txt', STAT, forbidden)).toEqual({
      kind: 'lane',
      fault: forbidden,
    });
    expect(probes).toBe(0);
  });
});

describe('a DELETE or a look-up of one id', () => {
  test('that is refused while the probe is granted is tried again, alone', async () => {
    expect(await trial.ofId(forbidden)).toMatchObject({
      disposition: 'retry',
      scope: 'file',
      message: '403 not this one',
    });
  });

  test('that is refused as everything is, is the key’s', async () => {
    probe = async () => badKey;
    expect(await trial.ofId(forbidden)).toBe(badKey);
  });

  test('that failed otherwise is taken as it is, without a question', async () => {
    expect(await trial.ofId(refused)).toBe(refused);
    expect(probes).toBe(0);
  });
});

test('refusals that come while the probe is under way share the next one, which began after them', async () => {
  const replies = [Promise.withResolvers<Fault | null>(), Promise.withResolvers<Fault | null>()];
  probe = () => replies[probes - 1]?.promise ?? Promise.resolve(null);
  const first = trial.ofId(forbidden);
  // The first one has begun.
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  expect(probes).toBe(1);
  const later = [trial.ofId(forbidden), trial.ofId(forbidden)];
  replies[0]?.resolve(null);
  expect(await first).toMatchObject({ disposition: 'retry' });
  replies[1]?.resolve(badKey);
  expect(await Promise.all(later)).toEqual([badKey, badKey]);
  expect(probes).toBe(2);
});

test('a probe that is refused answers those too who came while it was under way', async () => {
  const reply = Promise.withResolvers<Fault | null>();
  probe = () => reply.promise;
  const first = trial.ofId(forbidden);
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  const later = trial.ofId(forbidden);
  reply.resolve(badKey);
  expect(await Promise.all([first, later])).toEqual([badKey, badKey]);
  expect(probes).toBe(1);
  // Later it may be another key.
  probe = async () => null;
  expect(await trial.ofId(forbidden)).toMatchObject({ disposition: 'retry' });
});

describe('before many ask, each for itself', () => {
  test('one request is made for all of them, and what it meets is told to all', async () => {
    probe = async () => badKey;
    const met = await Promise.all([trial.beforeMany(), trial.beforeMany(), trial.beforeMany()]);
    expect(met).toEqual([badKey, badKey, badKey]);
    expect(probes).toBe(1);
  });

  test('nothing is asked when something was granted lately, and again when it is long ago', async () => {
    trial.granted();
    nowMs += 9_000;
    expect(await trial.beforeMany()).toBeNull();
    expect(probes).toBe(0);
    nowMs += 2_000;
    expect(await trial.beforeMany()).toBeNull();
    expect(probes).toBe(1);
  });

  test('what was granted to another key assures of nothing', async () => {
    trial.granted();
    trial.keyChanged();
    probe = async () => badKey;
    expect(await trial.beforeMany()).toBe(badKey);
  });
});
