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

  test('one who was told and passes by hands it on; one who comes to take it does not', () => {
    const told: string[] = [];
    const lock = new KeyedLock((name) => told.push(name));
    const release = lock.take('a', 'one');
    for (const name of ['two', 'three', 'four']) lock.take('a', name);
    release?.();
    lock.passBy('two');
    expect(told).toEqual(['two', 'three']);
    const second = lock.take('a', 'three');
    lock.passBy('three');
    expect(told).toEqual(['two', 'three']);
    second?.();
    expect(told).toEqual(['two', 'three', 'four']);
    lock.passBy('four');
    expect(lock.take('a', 'five')).not.toBeNull();
  });

  test('one who cuts in keeps nobody waiting for ever', () => {
    const told: string[] = [];
    const lock = new KeyedLock((name) => told.push(name));
    const release = lock.take('a', 'one');
    lock.take('a', 'two');
    release?.();
    const second = lock.take('a', 'cutting in');
    expect(lock.take('a', 'two')).toBeNull();
    lock.passBy('two');
    second?.();
    expect(told).toEqual(['two', 'two']);
    expect(lock.take('a', 'two')).not.toBeNull();
  });

  test('one who is told of two keys and wants neither by now hands both on', () => {
    const told: string[] = [];
    const lock = new KeyedLock((name) => told.push(name));
    const releases = ['a', 'b'].map((key) => lock.take(key, 'one'));
    for (const key of ['a', 'b']) for (const name of ['changing', `next of ${key}`]) lock.take(key, name);
    for (const release of releases) release?.();
    lock.passBy('changing');
    expect(told).toEqual(['changing', 'changing', 'next of a', 'next of b']);
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
