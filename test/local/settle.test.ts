import { expect, test } from 'vitest';
import { Settler } from '../../src/local/settle.ts';
import { ManualClock } from './fixtures.ts';

const NOW = 1_763_766_000_000;
const SETTLE = 2000;

function token(file: { size?: number; mtimeMs: number; ctimeMs?: number; inode?: number }): string {
  const { size = 1, mtimeMs, ctimeMs = mtimeMs, inode = 7 } = file;
  return `${size} ${BigInt(mtimeMs) * 1_000_000n} ${BigInt(ctimeMs) * 1_000_000n} ${inode} 1`;
}

function setUp() {
  const clock = new ManualClock(NOW);
  return { clock, settler: new Settler(SETTLE, clock) };
}

test('a file written 0.4 s ago waits for the rest, and says so', () => {
  const { settler } = setUp();
  const verdict = settler.judge('a', token({ mtimeMs: NOW - 400 }));
  expect(verdict).toEqual({ waitMs: 1600, why: 'written 0.4 s ago, settles in 1.6 s' });
});

test('it settles exactly when the time has passed', () => {
  const { settler, clock } = setUp();
  const stat = token({ mtimeMs: NOW - 400 });
  settler.judge('a', stat);
  clock.pass(1599);
  expect(settler.judge('a', stat)).toMatchObject({ waitMs: 1 });
  clock.pass(1);
  expect(settler.judge('a', stat)).toBeNull();
});

test('a file that was moved in with an old time need not wait', () => {
  const { settler } = setUp();
  expect(settler.judge('a', token({ mtimeMs: NOW - 60_000, ctimeMs: NOW }))).toBeNull();
});

test('another old file that was moved over it need not wait either', () => {
  const { settler, clock } = setUp();
  settler.judge('a', token({ mtimeMs: NOW - 90_000, inode: 7 }));
  clock.pass(100);
  expect(settler.judge('a', token({ mtimeMs: NOW - 60_000, inode: 8, size: 2 }))).toBeNull();
});

test('a time in the future is not waited for: unchanged for the settle time is enough', () => {
  const { settler, clock } = setUp();
  const stat = token({ mtimeMs: NOW + 3_600_000 });
  expect(settler.judge('a', stat)).toEqual({
    waitMs: SETTLE,
    why: 'its modification time lies 3600.0 s in the future, settles in 2.0 s',
  });
  clock.pass(SETTLE);
  expect(settler.judge('a', stat)).toBeNull();
});

test('a wall clock that jumps back does not hold a file up', () => {
  const { settler, clock } = setUp();
  const stat = token({ mtimeMs: NOW - 400 });
  settler.judge('a', stat);
  clock.wall -= 86_400_000;
  clock.monotonic += SETTLE;
  expect(settler.judge('a', stat)).toBeNull();
});

test('a file on a server whose clock lags is seen growing, whatever its time says', () => {
  const { settler, clock } = setUp();
  const lag = 3_600_000;
  settler.judge('a', token({ size: 10, mtimeMs: NOW - lag }));
  clock.pass(500);
  const grown = token({ size: 20, mtimeMs: NOW + 500 - lag });
  expect(settler.judge('a', grown)).toMatchObject({
    waitMs: SETTLE,
    why: expect.stringContaining('seen being written'),
  });
  clock.pass(SETTLE);
  expect(settler.judge('a', grown)).toBeNull();
});

test('a change of permissions or links is no writing', () => {
  const { settler, clock } = setUp();
  settler.judge('a', token({ mtimeMs: NOW - 60_000 }));
  clock.pass(100);
  expect(settler.judge('a', token({ mtimeMs: NOW - 60_000, ctimeMs: NOW }))).toBeNull();
});

test('a forgotten path starts anew', () => {
  const { settler, clock } = setUp();
  const stat = token({ mtimeMs: NOW + 3_600_000 });
  settler.judge('a', stat);
  clock.pass(SETTLE);
  settler.forget('a');
  expect(settler.judge('a', stat)).toMatchObject({ waitMs: SETTLE });
});

test('memory of what has settled is bounded: the longest unchanged path is forgotten first', () => {
  const { settler } = setUp();
  const old = { mtimeMs: NOW - 60_000 };
  for (let index = 0; index <= 10_000; index++) settler.judge(`path ${index}`, token(old));
  const written = token({ ...old, size: 2 });
  expect(settler.judge('path 10000', written)?.why).toContain('seen being written');
  expect(settler.judge('path 0', written)).toBeNull();
});

test('without a settle time everything is settled', () => {
  const settler = new Settler(0, new ManualClock(NOW));
  expect(settler.judge('a', token({ mtimeMs: NOW + 5000 }))).toBeNull();
});

test('of any number of files that wait, each settles in its time', () => {
  const { settler, clock } = setUp();
  const stat = token({ mtimeMs: NOW + 3_600_000 });
  const paths = Array.from({ length: 25_000 }, (_, index) => `batch/${index}`);
  for (const path of paths) settler.judge(path, stat);
  clock.pass(SETTLE);
  expect(paths.filter((path) => settler.judge(path, stat) !== null)).toEqual([]);
});
