import { expect, test } from 'vitest';
import { RecentMap } from '../../src/local/recent-map.ts';

function filled(capacity: number, count: number): RecentMap<number, string> {
  const map = new RecentMap<number, string>(capacity);
  for (let key = 0; key < count; key++) map.set(key, `value ${key}`);
  return map;
}

test('the last ones set are remembered, and no more than twice the capacity', () => {
  for (let count = 1; count < 100; count++) {
    const map = filled(10, count);
    const known = Array.from({ length: count }, (_, key) => key).filter((key) => map.get(key) !== undefined);
    expect(known.length).toBeLessThanOrEqual(20);
    expect(known.slice(-10)).toEqual(Array.from({ length: count }, (_, key) => key).slice(-10));
  }
});

test('setting again counts as new, and deleting is for good', () => {
  const map = filled(10, 9);
  map.set(0, 'changed');
  map.set(9, 'value 9');
  map.set(0, 'changed again');
  map.delete(5);
  for (let key = 10; key < 19; key++) map.set(key, `value ${key}`);
  expect(map.get(0)).toBe('changed again');
  expect(map.get(5)).toBeUndefined();
});
