import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  laneAfter,
  UNTROUBLED,
  type LaneEvent,
  type LaneFailure,
  type LaneState,
} from '../../src/mirror/judge/lane.ts';

const NOW_MS = 100_000;
const BACKOFF_MS = 400;

function failure(fault: Partial<LaneFailure['fault']>, suspect: string | null, nowMs = NOW_MS): LaneFailure {
  const whole = { scope: 'file', status: 500, retryAfterMs: null, message: 'no', ...fault } as const;
  return { kind: 'failed', fault: whole, suspect, nowMs, backoffMs: BACKOFF_MS };
}

const calm = UNTROUBLED;
const two: LaneState = { ...calm, suspects: new Set(['a', 'b']) };
const waiting: LaneState = { ...calm, waits: 1, failures: 1, waitsUntilMs: NOW_MS + 50 };
const asked: LaneState = { ...waiting, askedUntilMs: NOW_MS + 9_000, waitsUntilMs: NOW_MS + 9_000 };

const backoff = { name: 'backoff', forMs: BACKOFF_MS };
const after = (forMs: number) => ({ name: 'retry-after', forMs });

describe('whether the lane waits after a failure', () => {
  test.each([
    { title: 'of one file', state: calm, event: failure({}, 'a'), isApi: false, hold: null },
    {
      title: 'of a second file',
      state: { ...calm, suspects: new Set(['a']) },
      event: failure({}, 'b'),
      isApi: false,
      hold: null,
    },
    { title: 'of the same file again', state: two, event: failure({}, 'b'), isApi: false, hold: null },
    { title: 'of a third file', state: two, event: failure({}, 'c'), isApi: true, hold: backoff },
    { title: 'without a suspect', state: calm, event: failure({}, null), isApi: true, hold: backoff },
    {
      title: 'that is everybody’s',
      state: calm,
      event: failure({ scope: 'lane' }, 'a'),
      isApi: true,
      hold: backoff,
    },
    {
      title: 'that names a time',
      state: calm,
      event: failure({ scope: 'lane', retryAfterMs: 7_000 }, 'a'),
      isApi: true,
      hold: after(7_000),
    },
    {
      title: 'of one file that names a time',
      state: calm,
      event: failure({ retryAfterMs: 7_000 }, 'a'),
      isApi: false,
      hold: null,
    },
    { title: 'while it waits already', state: waiting, event: failure({}, null), isApi: true, hold: null },
    {
      title: 'that names a time while it waits already',
      state: waiting,
      event: failure({ scope: 'lane', retryAfterMs: 7_000 }, null),
      isApi: true,
      hold: after(7_000),
    },
    {
      title: 'that names a shorter time than the server did before',
      state: asked,
      event: failure({ scope: 'lane', retryAfterMs: 7_000 }, null),
      isApi: true,
      hold: null,
    },
    {
      title: 'that names a longer time than the server did before',
      state: asked,
      event: failure({ scope: 'lane', retryAfterMs: 10_000 }, null),
      isApi: true,
      hold: after(10_000),
    },
  ])('$title', ({ state, event, isApi, hold }) => {
    const step = laneAfter(state, event);
    expect(step.isApi).toBe(isApi);
    if (hold === null) expect(step.hold).toBeNull();
    else expect(step.hold).toEqual({ ...hold, why: 'no' });
  });
});

test.each([
  {
    title: 'a reply without a status counts, whoever is the cause',
    event: failure({ status: null }, 'a'),
    state: calm,
    failures: 1,
  },
  { title: 'a status of one file’s own does not', event: failure({}, 'a'), state: calm, failures: 0 },
  {
    title: 'what fails while the lane waits was under way before, and does not',
    event: failure({ status: null }, null),
    state: waiting,
    failures: 1,
  },
])('failures in a row: $title', ({ state, event, failures }) => {
  expect(laneAfter(state, event).state.failures).toBe(failures);
});

test('the 1st, 2nd, 4th and 8th wait in a row are told, and no other', () => {
  let state = calm;
  const told: number[] = [];
  for (let wait = 1; wait <= 9; wait += 1) {
    const step = laneAfter(state, failure({}, null, NOW_MS * wait));
    if (step.tellsWaitMs !== null) told.push(wait);
    state = step.state;
  }
  expect(told).toEqual([1, 2, 4, 8]);
});

const anyEvent: fc.Arbitrary<LaneEvent> = fc.oneof(
  fc.constant<LaneEvent>({ kind: 'works' }),
  fc.constant<LaneEvent>({ kind: 'reconfigured' }),
  fc
    .record({
      scope: fc.constantFrom('file', 'lane'),
      status: fc.constantFrom(null, 429, 500),
      retryAfterMs: fc.constantFrom(null, 0, 1_000, 60_000),
      suspect: fc.constantFrom(null, 'a', 'b', 'c', 'd'),
      nowMs: fc.nat(300_000),
    })
    .map(({ suspect, nowMs, ...fault }): LaneEvent => failure(fault as never, suspect, nowMs)),
);

test('whatever happens: a wait that the server asked for is never shortened, and what works leaves only that one', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
      let state = calm;
      for (const event of events) {
        const before = state;
        const step = laneAfter(state, event);
        state = step.state;
        expect(state.askedUntilMs).toBeGreaterThanOrEqual(before.askedUntilMs);
        expect(state.waitsUntilMs).toBeGreaterThanOrEqual(state.askedUntilMs);
        expect(state.suspects.size).toBeLessThanOrEqual(3);
        if (event.kind === 'failed') {
          expect(step.endsBackoff).toBe(false);
          // Who fails for itself alone makes nobody wait.
          if (!step.isApi) expect([step.hold, step.probing, step.tellsWaitMs]).toEqual([null, null, null]);
          else expect(state.waitsUntilMs > event.nowMs || event.fault.retryAfterMs === 0).toBe(true);
        } else {
          expect([step.hold, step.endsBackoff]).toEqual([null, true]);
          expect(state.waitsUntilMs).toBe(state.askedUntilMs);
        }
        if (event.kind === 'works')
          expect(state).toEqual({
            ...UNTROUBLED,
            askedUntilMs: before.askedUntilMs,
            waitsUntilMs: before.askedUntilMs,
          });
      }
    }),
  );
});
