import { expect, test } from 'vitest';
import { Deadlines } from '../../src/remote/deadlines.ts';
import { ManualClock } from '../manifest/manual-clock.ts';

function setUp() {
  const clock = new ManualClock();
  const over: string[] = [];
  const deadlines = new Deadlines(clock);
  const watch = (name: string, ms: number) => {
    const dueMs = clock.monotonicMs() + ms;
    return deadlines.watch(
      () => dueMs - clock.monotonicMs(),
      () => void over.push(name),
    );
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await new Promise(setImmediate);
  };
  return { clock, deadlines, over, watch, pass };
}

test('each is told when its own time is over, also one that came later and is due earlier', async () => {
  const { over, watch, pass } = setUp();
  watch('long', 100);
  watch('short', 20);
  await pass(19);
  expect(over).toEqual([]);
  await pass(1);
  expect(over).toEqual(['short']);
  await pass(80);
  expect(over).toEqual(['short', 'long']);
});

test('who was taken off in time is never told', async () => {
  const { over, watch, pass } = setUp();
  const stop = watch('done', 20);
  watch('late', 30);
  stop();
  await pass(100);
  expect(over).toEqual(['late']);
});

test('time that was added meanwhile counts', async () => {
  const { clock, deadlines, over, pass } = setUp();
  let dueMs = 20;
  deadlines.watch(
    () => dueMs - clock.monotonicMs(),
    () => void over.push('held up'),
  );
  dueMs = 50;
  await pass(20);
  expect(over).toEqual([]);
  await pass(30);
  expect(over).toEqual(['held up']);
});

test('watching starts again after all were over, and ends with close', async () => {
  const { deadlines, over, watch, pass } = setUp();
  watch('first', 10);
  await pass(10);
  watch('second', 10);
  await pass(10);
  expect(over).toEqual(['first', 'second']);
  watch('third', 10);
  deadlines.close();
  await pass(100);
  expect(over).toEqual(['first', 'second']);
});
