import { Readable } from 'node:stream';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { MultipartError, boundaryOf, readMultipart } from '../../src/emulator/multipart.ts';

interface Part {
  readonly name: string;
  readonly filename: string | null;
  readonly content: string;
}

async function parse(chunks: readonly Buffer[], boundary: string): Promise<Part[]> {
  const parts: Part[] = [];
  let contents: Buffer[] = [];
  let head: { name: string; filename: string | null } | null = null;
  for await (const event of readMultipart(Readable.from(chunks), boundary)) {
    if (event.kind === 'part') head = { name: event.name, filename: event.filename };
    if (event.kind === 'data') contents.push(event.chunk);
    if (event.kind === 'end' && head !== null) {
      parts.push({ ...head, content: Buffer.concat(contents).toString('latin1') });
      contents = [];
    }
  }
  return parts;
}

function encode(parts: readonly Part[], boundary: string): Buffer {
  const pieces = parts.flatMap(({ name, filename, content }) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"`),
    Buffer.from(filename === null ? '\r\n\r\n' : `; filename="${filename}"\r\nContent-Type: x/y\r\n\r\n`),
    Buffer.from(content, 'latin1'),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let rest = bytes;
  for (const size of sizes) {
    chunks.push(rest.subarray(0, size));
    rest = rest.subarray(size);
  }
  return [...chunks, rest];
}

describe('reading multipart bodies', () => {
  test('parts come out as they went in, wherever the network cuts, even when they resemble the boundary', async () => {
    const content = fc
      .array(fc.constantFrom('\r', '\n', '-', '--', '\r\n--', 'b', 'b-', 'x', '\u00ff', '\0'), {
        maxLength: 30,
      })
      .map((pieces) => pieces.join(''))
      .filter((text) => !`${text}\r\n`.includes('\r\n--b-u'));
    const part = fc.record({
      name: fc.constantFrom('purpose', 'file', 'expires_after[seconds]'),
      filename: fc.constantFrom(null, 'a.txt', 'ünï 🎈.txt', '\\'),
      content,
    });
    const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 4 }), sizes, async (parts, sizes) => {
        expect(await parse(cut(encode(parts, 'b-u'), sizes), 'b-u')).toEqual(parts);
      }),
    );
  });

  test('parts larger than any buffer come out whole, many in one chunk or one in many', async () => {
    const parts = [70_000, 0, 200_000, 1, 300_000, 65_536].map((size, index) => ({
      name: `n${index}`,
      filename: index % 2 === 0 ? 'f' : null,
      content: String.fromCharCode(97 + index).repeat(size),
    }));
    const body = encode(parts, 'b');
    for (const size of [1_000, 65_536, 150_000, body.length]) {
      const cuts = Array.from({ length: Math.floor(body.length / size) }, () => size);
      expect(await parse(cut(body, cuts), 'b')).toEqual(parts);
    }
  });

  test.each([
    ['breaks off inside a part', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nabc'],
    ['lacks the closing boundary', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nabc\r\n--b'],
    ['has a part without a name', '--b\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--b--'],
    ['has a part without headers', '--b\r\n\r\nabc\r\n--b--'],
    ['has headers without end', `--b\r\nX: ${'y'.repeat(20_000)}`],
    ['goes on strangely after a boundary', '--b?\r\n'],
    ['is empty', ''],
  ])('a body that %s is refused', async (_, body) => {
    await expect(parse([Buffer.from(body)], 'b')).rejects.toThrow(MultipartError);
  });

  test('a name that is not UTF-8 is refused', async () => {
    const body = Buffer.from(
      '--b\r\nContent-Disposition: form-data; name="file"; filename="\xff"\r\n\r\na\r\n--b--',
      'latin1',
    );
    await expect(parse([body], 'b')).rejects.toThrow(/not UTF-8/);
  });

  test('quotes and line breaks in names are decoded, and nothing else is', async () => {
    const body = encode([{ name: 'file', filename: 'a%22b%0D%0ac%41\\d;e', content: 'x' }], 'b');
    expect(await parse([body], 'b')).toEqual([{ name: 'file', filename: 'a"b\r\nc%41\\d;e', content: 'x' }]);
  });

  test('the boundary comes from the content type, quoted or bare', () => {
    expect(boundaryOf('multipart/form-data; boundary=abc')).toBe('abc');
    expect(boundaryOf('Multipart/Form-Data; charset=utf-8; boundary="a b"')).toBe('a b');
    expect(() => boundaryOf('application/json; boundary=abc')).toThrow(MultipartError);
    expect(() => boundaryOf('multipart/form-data')).toThrow(MultipartError);
    expect(() => boundaryOf(undefined)).toThrow(MultipartError);
  });
});
