import { describe, expect, test } from 'vitest';
import { Worklist } from '../../src/mirror/worklist.ts';

const list = (): Worklist => new Worklist((path) => (path.startsWith('batch/') ? 10 : 0));

describe('the worklist', () => {
  test('a path that is marked often is in it once', () => {
    const work = list();
    work.mark('a/1');
    work.mark('a/1');
    expect(work.take(false)).toBe('a/1');
    expect(work.take(false)).toBeNull();
  });

  test('a path that is marked while a worker has it is looked at again, and by one worker at a time', () => {
    const work = list();
    work.mark('a/1');
    work.take(false);
    work.mark('a/1');
    expect(work.take(false)).toBeNull();
    work.done('a/1', null);
    expect(work.take(false)).toBe('a/1');
  });

  test('higher priority goes first, first in first out among equals', () => {
    const work = list();
    for (const path of ['a/1', 'a/2', 'batch/1']) work.mark(path);
    expect([work.take(false), work.take(false), work.take(false)]).toEqual(['batch/1', 'a/1', 'a/2']);
  });

  test('a parked path waits for room, highest priority first, unless it is marked', () => {
    const work = list();
    for (const path of ['a/1', 'a/2', 'batch/1']) {
      work.mark(path);
      work.take(false);
      work.park(path);
    }
    expect(work.take(false)).toBeNull();
    expect(work.take(true)).toBe('batch/1');
    work.mark('a/2');
    expect(work.take(false)).toBe('a/2');
    expect(work.take(true)).toBe('a/1');
  });

  test('a delayed path wakes when its time has come, or at once when it is marked', () => {
    const work = list();
    for (const path of ['a/1', 'a/2']) {
      work.mark(path);
      work.take(false);
      work.done(path, 100);
    }
    expect(work.wake(99)).toBe(100);
    expect(work.take(false)).toBeNull();
    work.mark('a/2');
    expect(work.take(false)).toBe('a/2');
    work.wake(100);
    expect(work.take(false)).toBe('a/1');
  });

  test('a claimed path is out of the workers’ reach, and what it waited for is made up for', () => {
    const work = list();
    work.mark('a/1');
    expect(work.claim('a/1')).toBe(true);
    expect(work.claim('a/1')).toBe(false);
    expect(work.take(false)).toBeNull();
    work.done('a/1', null);
    expect(work.take(false)).toBe('a/1');
  });

  test('a path stays in it once when its folder gets another priority', () => {
    const priorities = new Map([
      ['a/1', 0],
      ['a/2', 0],
    ]);
    const work = new Worklist((path) => priorities.get(path) ?? 0);
    work.mark('a/1');
    work.mark('a/2');
    work.take(false);
    work.park('a/1');
    priorities.set('a/1', 5).set('a/2', 7);
    work.sortAnew();
    work.mark('a/1');
    work.mark('a/2');
    expect([work.take(true), work.take(true), work.take(true)]).toEqual(['a/2', 'a/1', null]);
  });
});
