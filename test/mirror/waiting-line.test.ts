import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { WaitingLine } from '../../src/mirror/waiting/waiting-line.ts';

test('first come, first served: like a plain list, whatever is added, taken back and taken out', () => {
  const step = fc.oneof(
    fc.record({ act: fc.constantFrom('add', 'delete'), path: fc.constantFrom('a', 'b', 'c', 'd', 'e') }),
    fc.record({ act: fc.constant('take'), path: fc.constant('') }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const line = new WaitingLine();
      let list: string[] = [];
      for (const { act, path } of steps) {
        if (act === 'take') {
          const first = list[0] ?? null;
          expect(line.first()?.[0] ?? null).toBe(first);
          expect(line.takeFirst()?.[0] ?? null).toBe(first);
          list.shift();
        } else if (act === 'add') {
          line.add(path, 0);
          if (!list.includes(path)) list.push(path);
        } else {
          expect(line.delete(path)).toBe(list.includes(path) ? 0 : null);
          list = list.filter((each) => each !== path);
        }
        expect([...line.paths()]).toEqual(list);
        expect(line.size).toBe(list.length);
      }
    }),
  );
});

test('a long line is taken out in a time that grows with its length, not with its square', () => {
  const line = new WaitingLine();
  for (let n = 0; n < 400_000; n++) line.add(`batch/file-${n}.jsonl`, n);
  const startedMs = performance.now();
  let taken = 0;
  while (line.takeFirst() !== null) taken += 1;
  expect(taken).toBe(400_000);
  // A fraction of a second; with a new iterator for each it was half a minute.
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});
