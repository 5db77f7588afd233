import { expect, test } from 'vitest';
import { aligned } from '../../src/service/table.ts';

test('columns are as wide as their longest cell', () => {
  expect(
    aligned([
      ['a', 'bbb', 'c'],
      ['aaaa', 'b', ''],
    ]),
  ).toBe('a     bbb  c\naaaa  b');
});

test('an id of hundreds of characters is printed whole, and moves its own line only', () => {
  const id = 'i'.repeat(338);
  const [long, short] = aligned([
    [id, 'batch/a.jsonl'],
    ['file-1', 'batch/b.jsonl'],
  ]).split('\n');
  expect(long).toBe(`${id}  batch/a.jsonl`);
  expect(short).toBe(`file-1${' '.repeat(54)}  batch/b.jsonl`);
});
