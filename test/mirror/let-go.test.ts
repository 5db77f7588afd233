import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LetGo } from '../../src/mirror/judge/let-go.ts';
import type { Clock } from '../../src/contract/ports.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const START_MS = 1_760_000_000_000;

/** `jumpMs`: how far somebody set the wall clock. */
class HandClock implements Clock {
  nowMs = 0;
  jumpMs = 0;
  wallMs = (): number => START_MS + this.nowMs + this.jumpMs;
  monotonicMs = (): number => this.nowMs;
  sleep = (): Promise<void> => Promise.reject(new TypeError('nobody sleeps here'));
}

const NONE = new Map<string, number>();

function after(acts: string): number {
  const letGo = new LetGo(new HandClock(), {});
  for (const act of acts)
    if (act === '-') letGo.went('batch');
    else letGo.came('batch');
  return letGo.ofFolder('batch');
}

describe('what was let go', () => {
  test.each([
    ['----', 4, 'all that went'],
    ['+++++----', 4, 'what had come first does not make up for it'],
    ['-+-+-+-+-', 1, 'where as much comes as goes, nothing adds up'],
    ['----++', 2, 'what comes afterwards does'],
    ['--++++++---', 3, 'but is not saved up'],
  ])('%s adds up to %i: %s', (acts, count) => {
    expect(after(acts)).toBe(count);
  });

  test('is forgotten after an hour, to the minute, and when a person agrees', () => {
    const clock = new HandClock();
    const letGo = new LetGo(clock, {});
    letGo.went('batch', 3);
    letGo.went('evals', 2);
    clock.nowMs = HOUR_MS;
    letGo.went('batch');
    expect([letGo.ofFolder('batch'), letGo.total()]).toEqual([4, 6]);
    letGo.forgive('evals');
    expect(letGo.total()).toBe(4);
    clock.nowMs = HOUR_MS + MINUTE_MS;
    expect(letGo.total()).toBe(1);
    letGo.forgive(null);
    expect(letGo.total()).toBe(0);
  });

  test('survives a restart with what was just about to go, however the wall clock was set meanwhile', () => {
    const clock = new HandClock();
    const letGo = new LetGo(clock, {});
    letGo.went('batch', 3);
    const record = letGo.record(new Map([['batch', 2]]));
    expect(letGo.total()).toBe(3);
    for (const jumpMs of [0, -10 * HOUR_MS]) {
      const later = new HandClock();
      later.nowMs = 1_000;
      later.jumpMs = jumpMs;
      expect(new LetGo(later, record).total()).toBe(5);
    }
    const tomorrow = new HandClock();
    tomorrow.nowMs = 24 * HOUR_MS;
    expect(new LetGo(tomorrow, record).total()).toBe(0);
  });

  test('is out of date on the disk when something came since, and not because time passed', () => {
    const clock = new HandClock();
    const letGo = new LetGo(clock, {});
    const soon = new Map([['batch', 2]]);
    letGo.went('batch', 3);
    letGo.went('evals');
    const record = letGo.record(soon);
    expect(letGo.differsFrom(record, soon)).toBe(false);
    expect(letGo.differsFrom(record, NONE), 'what was about to go is back').toBe(true);
    letGo.went('batch', 2);
    clock.nowMs += 30_400;
    clock.jumpMs = 700;
    expect(letGo.differsFrom(record, NONE)).toBe(false);
    letGo.came('batch');
    expect(letGo.differsFrom(record, NONE)).toBe(true);
    const later = letGo.record(NONE);
    expect(letGo.differsFrom(later, NONE)).toBe(false);
    letGo.forgive('evals');
    expect(letGo.differsFrom(later, NONE)).toBe(true);
    clock.nowMs += 2 * HOUR_MS;
    expect(letGo.differsFrom(later, NONE)).toBe(false);
    expect(letGo.differsFrom({}, NONE)).toBe(false);
  });

  test('a first upload of a million files leaves no trace', () => {
    const letGo = new LetGo(new HandClock(), {});
    for (let count = 0; count < 1_000_000; count += 1) letGo.came('batch');
    expect(letGo.record(NONE)).toEqual({});
  });

  test('whatever comes and goes: the largest sum from any minute of the last hour until now', () => {
    const anyAct = fc.record({
      waitMs: fc.constantFrom(0, 0, 0, MINUTE_MS, 7 * MINUTE_MS),
      isGone: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(anyAct, { maxLength: 80 }), fc.nat(), (acts, restartAt) => {
        const clock = new HandClock();
        let letGo = new LetGo(clock, {});
        const history: { atMs: number; sign: number }[] = [];
        for (const [index, { waitMs, isGone }] of acts.entries()) {
          clock.nowMs += waitMs;
          if (index === restartAt % acts.length) letGo = new LetGo(clock, letGo.record(NONE));
          if (isGone) letGo.went('batch');
          else letGo.came('batch');
          history.push({ atMs: clock.nowMs, sign: isGone ? 1 : -1 });
        }
        let largest = 0;
        let sum = 0;
        for (const { atMs, sign } of history.toReversed()) {
          if (atMs <= clock.nowMs - HOUR_MS - MINUTE_MS) break;
          sum += sign;
          largest = Math.max(largest, sum);
        }
        expect(letGo.ofFolder('batch')).toBe(largest);
      }),
    );
  });
});
