import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapeFilename, formFrame, gatherForm, streamForm } from '../../src/remote/multipart.ts';
import type { StreamOptions } from '../../src/remote/multipart.ts';
import { createThrottle } from '../../src/remote/throttle.ts';
import { chunksOf, leapingClock, never } from './wire.ts';

const KIB = 1024;

function fields(sizeBytes: number, remoteName = 'a.jsonl', expiresAfterSeconds: number | null = null) {
  return { purpose: 'batch', remoteName, sizeBytes, expiresAfterSeconds };
}

function options(partial: Partial<StreamOptions> = {}): StreamOptions {
  return { throttle: null, ended: never, onFailure: () => {}, ...partial };
}

test('the whole form, byte by byte: fields first, the file last', async () => {
  const frame = formFrame(fields(3, 'zwei "ä".jsonl', 3600), 'B');
  const form = await gatherForm(frame, () => chunksOf([Buffer.from('ab'), Buffer.from('c')]), never);
  expect(form.toString('utf8')).toBe(
    [
      '--B',
      'Content-Disposition: form-data; name="purpose"',
      '',
      'batch',
      '--B',
      'Content-Disposition: form-data; name="expires_after[anchor]"',
      '',
      'created_at',
      '--B',
      'Content-Disposition: form-data; name="expires_after[seconds]"',
      '',
      '3600',
      '--B',
      'Content-Disposition: form-data; name="file"; filename="zwei %22ä%22.jsonl"',
      'Content-Type: application/octet-stream',
      '',
      'abc',
      '--B--',
      '',
    ].join('\r\n'),
  );
  expect(form.byteLength).toBe(frame.totalBytes);
});

test('no expiry fields unless asked for', () => {
  expect(formFrame(fields(0)).head.toString()).not.toContain('expires_after');
});

test.each([
  ['anchored', 'ttl', ['purpose', 'custom_llm_provider', 'ttl[anchor]', 'ttl[seconds]', 'file']],
  ['seconds', 'ttl', ['purpose', 'custom_llm_provider', 'ttl', 'file']],
  ['none', 'ttl', ['purpose', 'custom_llm_provider', 'file']],
] as const)('what one server wants: more fields, and an expiry of form %s', (form, field, names) => {
  const server = { more: { custom_llm_provider: 'azure' }, expiry: { field, form } };
  const head = formFrame({ ...fields(0, 'a.jsonl', 3600), server }, 'B').head.toString();
  expect(Array.from(head.matchAll(/ name="([^"]+)"/g), ([, name]) => name)).toEqual(names);
  expect(head).toContain('\r\n\r\nazure\r\n');
  expect(head.includes('\r\n\r\n3600\r\n')).toBe(form !== 'none');
});

test('no two forms share a boundary', () => {
  expect(formFrame(fields(0)).contentType).not.toBe(formFrame(fields(0)).contentType);
});

test.each([
  ['tab\there', 'tab\there'],
  ['100%25;x=y\\', '100%25;x=y\\'],
  ['-dash', '-dash'],
  ['👍.png', '👍.png'],
  ['a\r\nX-Evil: 1', 'a%0D%0AX-Evil: 1'],
  ['"; name="purpose', '%22; name=%22purpose'],
])('the name %j is sent as %j', (name, sent) => {
  expect(escapeFilename(name)).toBe(sent);
});

test('no name can end its parameter or its header, and nothing else of it is changed', () => {
  const name = fc.string({
    unit: fc.oneof(fc.constantFrom('"', '\r', '\n', '%', ';'), fc.string({ minLength: 1 })),
  });
  fc.assert(
    fc.property(name, (name) => {
      const escaped = escapeFilename(name);
      expect(escaped).not.toMatch(/["\r\n]/);
      const undone = escaped.replaceAll('%22', '"').replaceAll('%0D', '\r').replaceAll('%0A', '\n');
      const same = name.replaceAll('%22', '"').replaceAll('%0D', '\r').replaceAll('%0A', '\n');
      expect(undone).toBe(same);
    }),
  );
});

test('streamed and gathered forms are the same bytes, however the source cuts them', async () => {
  const cuts = fc.array(fc.integer({ min: 0, max: 100 * KIB }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(cuts, fc.option(fc.integer({ min: 10_000, max: 5_000_000 })), async (sizes, rate) => {
      const chunks = sizes.map((size, at) => Buffer.alloc(size, at + 65));
      const frame = formFrame(fields(sizes.reduce((sum, size) => sum + size, 0)), 'B');
      const throttle = rate === null ? null : createThrottle(rate, leapingClock());
      const streamed: Buffer[] = [];
      for await (const part of streamForm(frame, () => chunksOf(chunks), options({ throttle }))) {
        streamed.push(Buffer.from(part));
      }
      const gathered = await gatherForm(frame, () => chunksOf(chunks), never);
      expect(Buffer.concat(streamed).equals(gathered)).toBe(true);
      expect(gathered.byteLength).toBe(frame.totalBytes);
    }),
    { numRuns: 40 },
  );
});

test('large chunks go out uncopied, small ones are copied because the socket may keep them', async () => {
  const large = Buffer.alloc(64 * KIB);
  const small = Buffer.alloc(64 * KIB - 1);
  const frame = formFrame(fields(large.length + small.length));
  const parts: Uint8Array[] = [];
  for await (const part of streamForm(frame, () => chunksOf([large, small]), options())) parts.push(part);
  expect(parts[1]?.buffer).toBe(large.buffer);
  expect(parts[2]?.buffer).not.toBe(small.buffer);
});

test.each([
  ['more', 4],
  ['fewer', 6],
])('a source with %s bytes than announced ends as moved, without the tail', async (_what, announced) => {
  const frame = formFrame(fields(announced), 'B');
  const open = () => chunksOf([Buffer.from('12345')]);
  const moved = { rule: 'moved', disposition: 'retry', outcome: 'refused' };
  await expect(gatherForm(frame, open, never)).rejects.toMatchObject(moved);
  let told: unknown = null;
  let sentBytes = 0;
  const stream = streamForm(frame, open, options({ onFailure: (error) => (told = error) }));
  const drained = (async () => {
    for await (const part of stream) sentBytes += part.byteLength;
  })();
  await expect(drained).rejects.toMatchObject(moved);
  expect(told).toMatchObject(moved);
  expect(sentBytes).toBeLessThan(frame.totalBytes - frame.tail.byteLength + 1);
});

test('after the end of the attempt nothing more is read, and its end is no failure of the source', async () => {
  const ended = new AbortController();
  let reads = 0;
  const open = async function* () {
    for (;;) {
      reads += 1;
      yield Buffer.alloc(100);
    }
  };
  let told = false;
  const stream = streamForm(
    formFrame(fields(1_000)),
    open,
    options({ ended: ended.signal, onFailure: () => (told = true) }),
  );
  await stream.next();
  await stream.next();
  ended.abort(new Error('over'));
  await expect(stream.next()).rejects.toThrow('over');
  expect({ reads, told }).toEqual({ reads: 1, told: false });
});
