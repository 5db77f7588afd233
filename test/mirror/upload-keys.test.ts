import { expect, test } from 'vitest';
import { UploadKeys } from '../../src/mirror/waiting/upload-keys.ts';

function keys() {
  const woken: string[] = [];
  const marked: string[] = [];
  const waiting = new Map<string, string>();
  const worklist = {
    wakeNext: (topic: string) => void woken.push(topic),
    mark: (path: string) => void marked.push(path),
    topicOf: (path: string) => waiting.get(path) ?? null,
  };
  return { keys: new UploadKeys(worklist), woken, marked, waiting };
}

test('who found the key taken, and does not wait on its topic yet when it is given back, is looked at again', () => {
  const { keys: held, marked, waiting } = keys();
  held.take('a key', 'a/1');
  held.take('a key', 'a/2');
  held.take('a key', 'a/3');
  waiting.set('a/2', 'a key');
  held.release('a/1');
  expect(marked).toEqual(['a/3']);
  held.take('a key', 'a/2');
  held.release('a/2');
  expect(marked).toEqual(['a/3']);
});

test('one path has a key at a time, and those who wait for it are told when it is free', () => {
  const { keys: held, woken } = keys();
  expect(held.take('a key', 'a/1')).toBe(true);
  expect(held.take('a key', 'a/1')).toBe(true);
  expect(held.take('a key', 'a/2')).toBe(false);
  expect(held.take('another key', 'a/2')).toBe(true);
  held.release('a/1');
  expect(woken).toEqual(['a key']);
  expect(held.take('a key', 'a/3')).toBe(true);
});

test('what is under way under one key already frees it when none of it is any more', () => {
  const { keys: held, woken } = keys();
  held.hold('a key', 'a/1');
  held.hold('a key', 'a/2');
  expect(held.take('a key', 'a/1')).toBe(false);
  held.release('a/1');
  expect(woken).toEqual([]);
  held.release('a/2');
  expect(woken).toEqual(['a key']);
  expect(held.take('a key', 'a/3')).toBe(true);
});

test('a release of nothing, or a second one, frees nobody else’s key', () => {
  const { keys: held, woken } = keys();
  held.take('a key', 'a/1');
  held.release('a/1');
  held.take('a key', 'a/2');
  held.release('a/1');
  held.release('a/9');
  expect(woken).toEqual(['a key']);
  expect(held.take('a key', 'a/3')).toBe(false);
});

test('a path whose content changed lets go of its earlier key', () => {
  const { keys: held, woken } = keys();
  held.take('a key', 'a/1');
  held.take('another key', 'a/1');
  expect(woken).toEqual(['a key']);
  expect(held.take('a key', 'a/2')).toBe(true);
  expect(held.take('another key', 'a/2')).toBe(false);
});
