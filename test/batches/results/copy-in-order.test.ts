import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { copyInOrder } from '../../../src/batches/results/copy-in-order.ts';
import type { Place } from '../../../src/batches/results/line-ledger.ts';
import { LineSplitter } from '../../../src/batches/results/line-splitter.ts';
import { place } from './fixture.ts';

test('lines are cut at LF alone, however they come, and each is where it is said to be', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'ü', '\r', ' ', '{'), maxLength: 30 }), {
        minLength: 1,
      }),
      fc.boolean(),
      fc.integer({ min: 1, max: 40 }),
      (lines, endsInLf, chunkBytes) => {
        const content = Buffer.from(lines.join('\n') + (endsInLf ? '\n' : ''));
        const found: string[] = [];
        const splitter = new LineSplitter(({ bytes, atByte, sizeBytes }) => {
          found.push(bytes?.toString() ?? '');
          expect(content.subarray(atByte, atByte + sizeBytes)).toEqual(bytes);
        });
        // One memory for all chunks, as readers have it.
        const memory = Buffer.alloc(chunkBytes);
        for (let at = 0; at < content.length; at += chunkBytes) {
          splitter.write(memory.subarray(0, content.copy(memory, 0, at, at + chunkBytes)));
        }
        splitter.end();
        // What follows the last LF is a line unless there is nothing.
        const expected = endsInLf || lines.at(-1) !== '' ? lines : lines.slice(0, -1);
        expect(found).toEqual(expected);
      },
    ),
  );
});

test('lines of several files in any order, over several windows, with texts between them', async () => {
  const here = await place();
  const sizes = [10, 90_000, 3_000_000, 1, 0, 300_000];
  const files: string[] = [];
  const places: (Place & { readonly text: string })[] = [];
  for (let file = 0; file < 3; file += 1) {
    let atByte = 0;
    let content = '';
    for (let n = 0; n < 40; n += 1) {
      const sizeBytes = sizes[(n + file) % sizes.length] ?? 0;
      const text = String.fromCodePoint(0x61 + ((n * 7 + file) % 26)).repeat(sizeBytes);
      places.push({ file, atByte, sizeBytes, text });
      content += `${text}\n`;
      atByte += sizeBytes + 1;
    }
    files.push(join(here.stateDir, `${file}`));
    await writeFile(files[file] ?? '', content);
  }
  const order = places.map((_, n) => places[(n * 37) % places.length]).filter((each) => each !== undefined);
  const lines = order.flatMap((each, n) => (n % 10 === 0 ? [each, `text ü ${n}`] : [each]));
  const handles = await Promise.all(files.map((path) => open(path)));
  const written: Buffer[] = [];
  await copyInOrder(lines, handles, async (bytes) => void written.push(Buffer.from(bytes)));
  await Promise.all(handles.map((handle) => handle.close()));
  expect(written.length).toBeGreaterThan(1);
  const expected = lines.map((line) => (typeof line === 'string' ? line : line.text)).join('\n');
  expect(Buffer.concat(written).equals(Buffer.from(`${expected}\n`))).toBe(true);
});
