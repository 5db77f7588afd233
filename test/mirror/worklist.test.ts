import { describe, expect, test } from 'vitest';
import { again, on, REST, Worklist } from '../../src/mirror/waiting/worklist.ts';

const HOUR_MS = 3_600_000;

/** A worklist in which `batch/` goes before all else, and its clock. */
function list(): { readonly work: Worklist; readonly clock: { nowMs: number } } {
  const clock = { nowMs: 0 };
  const work = new Worklist(
    (path) => (path.startsWith('batch/') ? 10 : 0),
    () => clock.nowMs,
  );
  return { work, clock };
}

/** Each path was looked at once and waits on the topic. */
function waiting(topic: string, ...paths: readonly string[]): Worklist {
  const { work } = list();
  for (const path of paths) {
    work.mark(path);
    work.take();
    work.done(path, on(topic));
  }
  return work;
}

function takeAll(work: Worklist): readonly string[] {
  const taken: string[] = [];
  for (let path = work.take(); path !== null; path = work.take()) taken.push(path);
  return taken;
}

describe('the worklist', () => {
  test('a path that is marked often is in it once', () => {
    const { work } = list();
    work.mark('a/1');
    work.mark('a/1');
    expect(takeAll(work)).toEqual(['a/1']);
  });

  test('a path that is marked while a worker has it is looked at again, and by one worker at a time', () => {
    const { work } = list();
    work.mark('a/1');
    work.take();
    work.mark('a/1');
    expect(work.take()).toBeNull();
    work.done('a/1', REST);
    expect(work.take()).toBe('a/1');
  });

  test('higher priority goes first, first in first out among equals', () => {
    const { work } = list();
    for (const path of ['a/1', 'a/2', 'batch/1']) work.mark(path);
    expect(takeAll(work)).toEqual(['batch/1', 'a/1', 'a/2']);
  });

  test('a path that has waited for hours goes before a newcomer of higher priority', () => {
    const { work, clock } = list();
    work.mark('a/1');
    clock.nowMs = 2 * HOUR_MS;
    work.mark('batch/1');
    expect(takeAll(work)).toEqual(['a/1', 'batch/1']);
  });

  test('a path that rests is out of it', () => {
    const { work } = list();
    work.mark('a/1');
    work.take();
    work.done('a/1', REST);
    expect(work.has('a/1')).toBe(false);
    expect(work.size).toBe(0);
  });

  test('a delayed path wakes when its time has come, or at once when it is marked', () => {
    const { work } = list();
    for (const path of ['a/1', 'a/2']) {
      work.mark(path);
      work.take();
      work.done(path, again(100));
    }
    expect(work.wake(99)).toBe(100);
    expect(work.take()).toBeNull();
    work.mark('a/2');
    expect(work.take()).toBe('a/2');
    work.wake(100);
    expect(work.take()).toBe('a/1');
  });

  test('a claimed path is out of the workers’ reach, and what it waited for is made up for', () => {
    for (const before of ['ready', 'delayed', 'on a topic'] as const) {
      const { work } = list();
      work.mark('a/1');
      if (before !== 'ready') {
        work.take();
        work.done('a/1', before === 'delayed' ? again(100) : on('a place'));
      }
      expect(work.claim('a/1')).toBe(true);
      expect(work.claim('a/1')).toBe(false);
      expect(work.take()).toBeNull();
      work.done('a/1', REST);
      expect(work.take()).toBe('a/1');
    }
  });

  test('a path stays in it once when its folder gets another priority', () => {
    const priorities = new Map([
      ['a/1', 0],
      ['a/2', 0],
    ]);
    const work = new Worklist(
      (path) => priorities.get(path) ?? 0,
      () => 0,
    );
    work.mark('a/1');
    work.mark('a/2');
    work.take();
    work.done('a/1', on('a place'));
    priorities.set('a/1', 5).set('a/2', 7);
    work.sortAnew();
    work.mark('a/1');
    work.mark('a/2');
    expect(takeAll(work)).toEqual(['a/2', 'a/1']);
  });
});

describe('waiting on a topic', () => {
  test('nobody is looked at before his turn comes', () => {
    const work = waiting('a key', 'a/1', 'a/2');
    expect(takeAll(work)).toEqual([]);
    expect(work.topicOf('a/1')).toBe('a key');
    work.wakeNext('another key');
    expect(takeAll(work)).toEqual([]);
  });

  test('of those who want what only one can have, one is woken at a time, in turn', () => {
    const work = waiting('a key', 'a/1', 'a/2', 'batch/1');
    work.wakeNext('a key');
    expect(takeAll(work)).toEqual(['batch/1']);
    work.done('batch/1', REST);
    expect(takeAll(work)).toEqual(['a/1']);
    work.done('a/1', again(5));
    expect(takeAll(work)).toEqual(['a/2']);
  });

  test('one that was woken and found it taken wakes nobody, and waits again', () => {
    const work = waiting('a key', 'a/1', 'a/2');
    work.wakeNext('a key');
    expect(takeAll(work)).toEqual(['a/1']);
    work.done('a/1', on('a key'));
    expect(takeAll(work)).toEqual([]);
    work.wakeNext('a key');
    work.wakeNext('a key');
    expect(takeAll(work)).toHaveLength(2);
  });

  test('one that was woken and is claimed or marked meanwhile still hands its turn on', () => {
    const claimed = waiting('a key', 'a/1', 'a/2');
    claimed.wakeNext('a key');
    claimed.claim('a/1');
    claimed.done('a/1', REST);
    expect(takeAll(claimed)).toContain('a/2');

    const marked = waiting('a key', 'a/1', 'a/2');
    marked.wakeNext('a key');
    marked.take();
    marked.mark('a/1');
    marked.done('a/1', on('a key'));
    expect(takeAll(marked)).toContain('a/2');
  });

  test('one that is marked leaves the topic', () => {
    const work = waiting('a key', 'a/1', 'a/2');
    work.mark('a/1');
    expect(takeAll(work)).toEqual(['a/1']);
    work.wakeNext('a key');
    expect(takeAll(work)).toEqual(['a/2']);
    expect(work.nextTurnMs('a key')).toBeNull();
  });

  test('the one whose turn it is can be taken straight from the topic', () => {
    const work = waiting('a place', 'a/1', 'batch/1');
    expect(work.takeFrom('a place')).toBe('batch/1');
    expect(work.takeFrom('a place')).toBe('a/1');
    expect(work.takeFrom('a place')).toBeNull();
    expect(work.busyCount).toBe(2);
  });

  test('the time for which a path has waited counts on while it is looked at', () => {
    const { work, clock } = list();
    work.mark('a/old');
    work.take();
    clock.nowMs = HOUR_MS;
    work.done('a/old', on('a place'));
    work.mark('a/new');
    work.take();
    work.done('a/new', on('a place'));
    expect(work.nextTurnMs('a place')).toBe(0);
    expect(work.takeFrom('a place')).toBe('a/old');
  });

  test('all who wait are looked at again when it is signalled, in their turn, and nobody else', () => {
    const work = waiting('the end of paused', 'a/1', 'batch/1', 'a/2');
    work.signal('the end of root');
    expect(takeAll(work)).toEqual([]);
    work.signal('the end of paused');
    expect(takeAll(work)).toEqual(['batch/1', 'a/1', 'a/2']);
  });

  test('who decides to wait while it is signalled has not waited in vain', () => {
    const { work } = list();
    work.mark('a/1');
    work.take();
    work.signal('storage');
    work.done('a/1', on('storage'));
    expect(takeAll(work)).toEqual(['a/1']);
    work.done('a/1', on('storage'));
    expect(takeAll(work)).toEqual([]);
  });

  test('those are woken that are wanted, and asked about in their turn', () => {
    const { work, clock } = list();
    for (const path of ['a/1', 'a/2', 'batch/1', 'a/3']) {
      clock.nowMs += HOUR_MS;
      work.mark(path);
      work.take();
      work.done(path, on('storage'));
    }
    const asked: string[] = [];
    work.signalThose('storage', (path) => {
      asked.push(path);
      return path !== 'a/2';
    });
    // An hour and forty minutes is what the priority of `batch/` counts for.
    expect(asked).toEqual(['a/1', 'batch/1', 'a/2', 'a/3']);
    expect(takeAll(work)).not.toContain('a/2');
    work.signal('storage');
    expect(takeAll(work)).toEqual(['a/2']);
  });

  test('a hint, or a rescan, takes nobody’s time of waiting away', () => {
    const { work, clock } = list();
    work.mark('a/old');
    work.take();
    work.done('a/old', on('a place'));
    clock.nowMs = 2 * HOUR_MS;
    work.mark('batch/new');
    work.mark('a/old');
    expect(takeAll(work)).toEqual(['a/old', 'batch/new']);
  });
});
