import { describe, expect, test } from 'vitest';
import { KeyedLock } from '../../src/mirror/keyed-lock.ts';

describe('the lock by key', () => {
  test('one has it at a time, and the first who came too late is told when it is free', () => {
    const told: string[] = [];
    const lock = new KeyedLock((name) => told.push(name));
    const release = lock.take('a', 'one');
    expect(lock.take('a', 'two')).toBeNull();
    expect(lock.take('a', 'three')).toBeNull();
    expect(lock.take('b', 'four')).not.toBeNull();
    release?.();
    expect(told).toEqual(['two']);
    const second = lock.take('a', 'two');
    second?.();
    expect(told).toEqual(['two', 'three']);
  });

  test('one who was told and does not come keeps nobody else out', () => {
    const lock = new KeyedLock(() => {});
    const release = lock.take('a', 'one');
    lock.take('a', 'two');
    release?.();
    expect(lock.take('a', 'three')).not.toBeNull();
  });

  test('a second release releases nobody else’s hold', () => {
    const lock = new KeyedLock(() => {});
    const release = lock.take('a', 'one');
    release?.();
    lock.take('a', 'two');
    release?.();
    expect(lock.take('a', 'three')).toBeNull();
  });
});
