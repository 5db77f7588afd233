import { describe, expect, test } from 'vitest';
import { countCreate, guardSubmissions, setBack } from '../../src/batches/cost-guards.ts';
import type { GuardInput } from '../../src/batches/cost-guards.ts';
import { dateOf, nextDayAt } from '../../src/batches/day-budget.ts';
import { NO_BATCH_MEMORY } from '../../src/contract/batch.ts';
import type { BatchMemory, BatchRecord } from '../../src/contract/batch.ts';
import { DEFAULT_BATCH_SETTINGS } from '../../src/contract/batch-settings.ts';
import type { BatchSettings } from '../../src/contract/batch-settings.ts';
import { NOW, batchOf, recordOf, requestsFile } from './record-sample.ts';

const SETTINGS: BatchSettings = { ...DEFAULT_BATCH_SETTINGS, submitFolders: new Set(['batch']) };

const many = (count: number, changes: Partial<BatchRecord> = {}): [string, BatchRecord][] =>
  Array.from({ length: count }, (_, index) => [`s${index}`, recordOf({ wantedAt: NOW + index, ...changes })]);

function judge(input: Partial<GuardInput>) {
  return guardSubmissions({
    wanted: [],
    begun: [],
    memory: NO_BATCH_MEMORY,
    settings: SETTINGS,
    now: NOW,
    all: null,
    ...input,
  });
}

const whyOf = (input: Partial<GuardInput>, id = 's0') => judge(input).holds.get(id)?.why ?? null;

describe('what holds a submission', () => {
  test('nothing: it goes, the oldest first, by hand before all', () => {
    const [first, second] = many(2);
    expect(judge({ wanted: [second!, first!] }).go).toBe('s0');
    const byHand: [string, BatchRecord] = ['hand', recordOf({ byHand: true, wantedAt: NOW + 100 })];
    expect(judge({ wanted: [first!, second!, byHand] }).go).toBe('hand');
  });

  test('a folder that does not submit, and what was there before it did; by hand both go', () => {
    const off = { ...SETTINGS, submitFolders: new Set<string>() };
    expect(whyOf({ wanted: many(1), settings: off })).toBe('off');
    expect(whyOf({ wanted: many(1, { leftAlone: true }) })).toBe('off');
    expect(judge({ wanted: many(1, { byHand: true, leftAlone: true }), settings: off }).go).toBe('s0');
  });

  test('a pause, no quota, no access hold all', () => {
    for (const why of ['paused', 'quota', 'access', 'server'] as const) {
      const { go, holds } = judge({
        wanted: many(3, { byHand: true }),
        all: { why, text: why, until: null },
      });
      expect(go).toBeNull();
      expect([...holds.values()].map((hold) => hold.why)).toEqual([why, why, why]);
    }
  });

  test('maxOpen: no more are open at once', () => {
    const begun = many(50, { state: 'open', batch: batchOf() }).map(([, record]) => record);
    expect(whyOf({ wanted: many(1), begun })).toBe('queue');
    expect(judge({ wanted: many(1), begun: begun.slice(1) }).go).toBe('s0');
  });

  test('perHour counts every POST of any hour, and goes on when the first of them is an hour old', () => {
    const settings = { ...SETTINGS, perHour: 2, maxAtOnce: 100 };
    let memory: BatchMemory = NO_BATCH_MEMORY;
    memory = countCreate(memory, recordOf(), NOW);
    memory = countCreate(memory, recordOf({ countedOn: dateOf(NOW) }), NOW + 600);
    expect(whyOf({ wanted: many(1), settings, memory, now: NOW + 601 })).toBe('queue');
    expect(whyOf({ wanted: many(1, { byHand: true }), settings, memory, now: NOW + 3_599 })).toBe('queue');
    expect(judge({ wanted: many(1), settings, memory, now: NOW + 3_661 }).go).toBe('s0');
  });

  test('a clock that was set back lets no create be forgotten, and none be counted for ever', () => {
    const settings = { ...SETTINGS, perHour: 1 };
    const memory = countCreate(NO_BATCH_MEMORY, recordOf(), NOW + 86_400);
    expect(whyOf({ wanted: many(1), settings, memory, now: NOW })).toBe('queue');
    const back = setBack(memory, NOW);
    expect(whyOf({ wanted: many(1), settings, memory: back, now: NOW })).toBe('queue');
    expect(judge({ wanted: many(1), settings, memory: back, now: NOW + 3_700 }).go).toBe('s0');
  });
});

describe('a flood', () => {
  test('more than maxAtOnce new ones are held, all of them, until a person approves', () => {
    expect(judge({ wanted: many(20) }).flood).toEqual([]);
    const { go, flood, holds } = judge({ wanted: many(21) });
    expect([go, flood.length, holds.get('s20')?.why]).toEqual([null, 21, 'approval']);
    expect(judge({ wanted: many(21, { approved: true }) })).toMatchObject({ go: 's0', flood: [] });
  });

  test('what went within the hour counts', () => {
    let memory: BatchMemory = NO_BATCH_MEMORY;
    for (let index = 0; index < 20; index += 1) memory = countCreate(memory, recordOf(), NOW + index);
    expect(judge({ wanted: many(1), memory, now: NOW + 100 }).flood).toEqual(['s0']);
    expect(judge({ wanted: many(1), memory, now: NOW + 4_000 }).flood).toEqual([]);
  });

  test('those that were held stay held when the hour is over, and so does what comes after them', () => {
    const hold = { why: 'approval', text: 'held', until: null } as const;
    const wanted = [
      ...many(1, { hold }),
      ['late', recordOf({ wantedAt: NOW + 9_000 })] as [string, BatchRecord],
    ];
    expect(judge({ wanted, now: NOW + 9_000 })).toMatchObject({ go: null, flood: ['s0', 'late'] });
  });

  test('what a person asked for, what is tried again and what waits for a queue is no part of one', () => {
    for (const changes of [{ byHand: true }, { generation: 1 }, { countedOn: '2027-01-15', attempt: 2 }]) {
      expect(judge({ wanted: many(30, changes) }).flood).toEqual([]);
    }
  });
});

describe('the day', () => {
  const limits = (maxPerDay: Partial<BatchSettings['maxPerDay']>): BatchSettings => ({
    ...SETTINGS,
    maxPerDay: { ...SETTINGS.maxPerDay, ...maxPerDay },
  });

  test.each([
    [{ jobs: 1 }, '1 batches'],
    [{ requests: 15 }, '10 requests'],
    [{ inputTokens: 1_500 }, '1000 input tokens'],
  ])('%o: the next one waits with the numbers, and goes the next day', (maxPerDay, words) => {
    const memory = countCreate(NO_BATCH_MEMORY, recordOf(), NOW);
    const settings = limits(maxPerDay);
    const { go, holds } = judge({ wanted: many(1), settings, memory });
    expect([go, holds.get('s0')?.why, holds.get('s0')?.until]).toEqual([null, 'budget', nextDayAt(NOW)]);
    expect(holds.get('s0')?.text).toContain(words);
    expect(judge({ wanted: many(1), settings, memory, now: nextDayAt(NOW) }).go).toBe('s0');
  });

  test('by hand it holds too', () => {
    const memory = countCreate(NO_BATCH_MEMORY, recordOf(), NOW);
    expect(whyOf({ wanted: many(1, { byHand: true }), settings: limits({ jobs: 1 }), memory })).toBe(
      'budget',
    );
  });

  test('one that alone is more than a day’s says so', () => {
    const hold = judge({ wanted: many(1), settings: limits({ requests: 9 }) }).holds.get('s0');
    expect([hold?.until, hold?.text]).toEqual([null, expect.stringContaining('alone')]);
  });

  test('one submission is counted once a day, however often it is sent', () => {
    const first = countCreate(NO_BATCH_MEMORY, recordOf(), NOW);
    const again = countCreate(first, recordOf({ countedOn: dateOf(NOW), attempt: 2 }), NOW + 1);
    expect(again.today).toEqual(first.today);
    const nextDay = countCreate(again, recordOf({ countedOn: dateOf(NOW) }), nextDayAt(NOW));
    expect(nextDay.today).toMatchObject({ jobs: 1, requests: 10 });
  });

  test('a day that a clock set back does not give it back', () => {
    const memory = countCreate(NO_BATCH_MEMORY, recordOf(), NOW + 86_400);
    expect(whyOf({ wanted: many(1), settings: limits({ jobs: 1 }), memory })).toBe('budget');
  });
});

describe('a model whose queue is full', () => {
  const hold = { why: 'queue', text: 'full', until: NOW + 60 } as const;
  const other = requestsFile({ model: 'gpt-5' });

  test('its submissions wait, those of other models go on', () => {
    const wanted: [string, BatchRecord][] = [
      ['full', recordOf({ hold, attempt: 2 })],
      ['same', recordOf({ wantedAt: NOW + 1 })],
      ['other', recordOf({ file: other, wantedAt: NOW + 2 })],
    ];
    const { go, holds } = judge({ wanted });
    expect([go, holds.get('full')?.why, holds.get('same')?.why]).toEqual(['other', 'queue', 'queue']);
    expect(judge({ wanted, now: NOW + 61 }).go).toBe('full');
  });

  test('one at a time finds out whether there is room again', () => {
    const trying = recordOf({ state: 'open', attempt: 2, batch: batchOf({ status: 'validating' }) });
    expect(whyOf({ wanted: many(1), begun: [trying] })).toBe('queue');
    const runs = { ...trying, batch: batchOf() };
    expect(judge({ wanted: many(1), begun: [runs] }).go).toBe('s0');
  });

  test('a hold that a clock set back makes endless is none', () => {
    expect(judge({ wanted: many(1, { hold: { ...hold, until: NOW + 86_400 } }) }).go).toBe('s0');
  });
});
