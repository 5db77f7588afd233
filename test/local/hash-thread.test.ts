import { createHash, randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { type ContentHash, HashThread } from '../../src/local/hash-thread.ts';

const LARGE_BYTES = 17 * 1024 * 1024;

async function feed(hash: ContentHash, content: Buffer, chunkBytes: number): Promise<void> {
  const memory = hash.borrow(chunkBytes);
  for (let at = 0; at < content.length; at += chunkBytes) {
    const chunk = memory.subarray(0, content.copy(memory, 0, at, at + chunkBytes));
    await hash.update(chunk);
  }
}

function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

describe('a hash on a thread', () => {
  test.each([
    ['inline', 1000],
    ['on the thread', LARGE_BYTES],
  ])(
    'made %s is that of the content, and memory is free again when the update resolves',
    async (_where, size) => {
      const content = randomBytes(size);
      const hash = new HashThread().hash(size);
      await feed(hash, content, 700_001);
      expect(await hash.digest()).toBe(sha256Of(content));
      hash.drop();
    },
  );

  test('is not disturbed by others that are made, or given up, at the same time', async () => {
    const thread = new HashThread();
    const contents = Array.from({ length: 4 }, () => randomBytes(3_000_000));
    const given = thread.hash(LARGE_BYTES);
    const feeding = feed(given, randomBytes(3_000_000), 1000);
    const all = contents.map(async (content, n) => {
      const hash = thread.hash(LARGE_BYTES);
      await feed(hash, content, 500_000 + n);
      const sha256 = await hash.digest();
      hash.drop();
      return sha256;
    });
    given.drop();
    await feeding;
    await expect(given.digest()).rejects.toThrow(TypeError);
    expect(await Promise.all(all)).toEqual(contents.map(sha256Of));
  });

  test('gives the memory it borrowed to the next, and not before it is dropped', async () => {
    const thread = new HashThread();
    const first = thread.hash(LARGE_BYTES);
    const memory = first.borrow(1000).buffer;
    await first.digest();
    const second = thread.hash(LARGE_BYTES);
    expect(second.borrow(1000).buffer).not.toBe(memory);
    first.drop();
    expect(second.borrow(1000).buffer).toBe(memory);
    second.drop();
  });

  test('fails when its thread does, holds nobody up, and the next is made without one', async () => {
    let started = 0;
    const thread = new HashThread(() => {
      started += 1;
      const code = `require('node:worker_threads').parentPort.on('message', () => { throw new Error('no thread'); })`;
      return new Worker(code, { eval: true });
    });
    const content = randomBytes(100_000);
    const broken = thread.hash(LARGE_BYTES);
    await feed(broken, content, 10_000);
    await expect(broken.digest()).rejects.toThrow('no thread');
    broken.drop();
    const inline = thread.hash(LARGE_BYTES);
    await feed(inline, content, 10_000);
    expect(await inline.digest()).toBe(sha256Of(content));
    expect(started).toBe(1);
  });

  test('is made inline when no thread can be started', async () => {
    const thread = new HashThread(() => {
      throw new Error('the system has no more threads');
    });
    const content = randomBytes(100_000);
    const hash = thread.hash(LARGE_BYTES);
    await feed(hash, content, 10_000);
    expect(await hash.digest()).toBe(sha256Of(content));
  });
});
