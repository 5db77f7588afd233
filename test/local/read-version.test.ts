import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { ContentCheck } from '../../src/contract/content-check.ts';
import { HashThread } from '../../src/local/hash-thread.ts';
import { inspectVersion, openVersion } from '../../src/local/read-version.ts';
import { statToken } from '../../src/contract/stat-token.ts';
import { temporaryDirectory } from './fixtures.ts';

const LARGE = 1_000_003;
/** Hashed on a thread of its own. */
const VERY_LARGE = 20_000_003;
const never = new AbortController().signal;
const hashes = new HashThread();

function file(content: string | Buffer) {
  const absolute = join(temporaryDirectory(), 'a.jsonl');
  fs.writeFileSync(absolute, content);
  const tokenNow = () => statToken(fs.lstatSync(absolute, { bigint: true }));
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { absolute, stat: tokenNow(), tokenNow, sha256 };
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

/** Remembers everything it is fed. */
function recordingCheck() {
  const fed: Buffer[] = [];
  let drops = 0;
  const check: ContentCheck = {
    problem: null,
    write: (chunk) => void fed.push(Buffer.from(chunk)),
    end: () => ({ problem: null, warnings: [] }),
    drop: () => void drops++,
  };
  return { check, fed: () => Buffer.concat(fed), drops: () => drops };
}

const moved = { rule: 'moved', disposition: 'retry', outcome: 'refused' };

describe('an open version', () => {
  test.each([0, 1, 65_536, 262_144, 786_432, 786_433, LARGE, VERY_LARGE])(
    'of %i bytes yields them all, and their hash',
    async (size) => {
      const content = randomBytes(size);
      const { absolute, stat, sha256 } = file(content);
      const version = await openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes);
      expect(version.sizeBytes).toBe(size);
      expect((await readAll(version.chunks())).equals(content)).toBe(true);
      expect(version.sha256()).toBe(sha256);
      await version.close();
    },
  );

  test('a read ahead that fails is told to who asks for the next chunk, and to nobody else', async () => {
    const { absolute, stat } = file(randomBytes(3 * LARGE));
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const version = await openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes);
    const handle = await fs.promises.open(absolute);
    const prototype = Object.getPrototypeOf(handle) as typeof handle;
    const diskError = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    const first = await handle.read(Buffer.alloc(1), 0, 1, 0);
    const spy = vi.spyOn(prototype, 'read').mockRejectedValue(diskError).mockResolvedValueOnce(first);
    try {
      const chunks = version.chunks()[Symbol.asyncIterator]();
      await chunks.next();
      // The consumer takes its time with the first chunk, while the read of the second one fails.
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).toEqual([]);
      await expect(chunks.next()).rejects.toMatchObject({ rule: 'io', disposition: 'retry' });
    } finally {
      spy.mockRestore();
      await handle.close();
      process.off('unhandledRejection', note);
      await version.close();
    }
  });

  test.each([LARGE, VERY_LARGE])(
    'a chunk of %i bytes stays what it was until the next is asked for',
    async (size) => {
      const content = randomBytes(size);
      const { absolute, stat } = file(content);
      const version = await openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes);
      let position = 0;
      for await (const chunk of version.chunks()) {
        // Long enough for the read ahead to have come in.
        await fs.promises.readFile(absolute);
        expect(content.subarray(position, position + chunk.length).equals(chunk)).toBe(true);
        position += chunk.length;
      }
      await version.close();
    },
  );

  test('is not opened when the file is another one, a link, or gone', async () => {
    const { absolute, stat } = file('old');
    fs.writeFileSync(absolute, 'new!');
    await expect(openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes)).rejects.toMatchObject(moved);
    fs.renameSync(absolute, `${absolute}.real`);
    await expect(openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes)).rejects.toMatchObject(moved);
    fs.symlinkSync(`${absolute}.real`, absolute);
    await expect(openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes)).rejects.toMatchObject(moved);
  });

  test.each([
    ['appended to', (absolute: string) => fs.appendFileSync(absolute, 'more')],
    ['cut', (absolute: string) => fs.truncateSync(absolute, 300_000)],
    ['overwritten in place', (absolute: string) => fs.writeFileSync(absolute, randomBytes(LARGE))],
    [
      'replaced',
      (absolute: string) => {
        fs.writeFileSync(`${absolute}.new`, randomBytes(LARGE));
        fs.renameSync(`${absolute}.new`, absolute);
      },
    ],
    ['removed', (absolute: string) => fs.unlinkSync(absolute)],
  ])('does not end when the file is %s meanwhile', async (_what, change) => {
    const { absolute, stat } = file(randomBytes(LARGE));
    const version = await openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes);
    const chunks = version.chunks()[Symbol.asyncIterator]();
    await chunks.next();
    change(absolute);
    const rest = async () => {
      while ((await chunks.next()).done !== true);
    };
    await expect(rest()).rejects.toMatchObject(moved);
    expect(() => version.sha256()).toThrow(TypeError);
    await version.close();
  });

  test('does not end when only its times were put back', async () => {
    const { absolute, stat } = file(randomBytes(LARGE));
    const { atime, mtime } = fs.statSync(absolute);
    const version = await openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes);
    const chunks = version.chunks()[Symbol.asyncIterator]();
    await chunks.next();
    fs.writeFileSync(absolute, randomBytes(LARGE));
    fs.utimesSync(absolute, atime, mtime);
    const rest = async () => {
      while ((await chunks.next()).done !== true);
    };
    await expect(rest()).rejects.toMatchObject(moved);
    await version.close();
  });

  test('may be left early and closed while a read is under way', async () => {
    const { absolute, stat } = file(randomBytes(LARGE));
    const version = await openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes);
    for await (const _ of version.chunks()) break;
    await version.close();
    await expect(readAll(version.chunks())).rejects.toThrow('once');
  });

  test('of a pipe is refused without waiting for a writer', async () => {
    const { absolute, stat } = file('x');
    fs.rmSync(absolute);
    execFileSync('mkfifo', [absolute]);
    await expect(openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes)).rejects.toMatchObject(moved);
  });
});

describe('an inspection', () => {
  test.each([0, 5, 65_536, 65_537, LARGE])(
    'of %i bytes feeds every byte to the check, once, and hashes it',
    async (size) => {
      const content = randomBytes(size);
      const { absolute, stat, sha256 } = file(content);
      const { check, fed } = recordingCheck();
      const found = await inspectVersion(
        { absolute, path: 'batch/a.jsonl', stat },
        () => check,
        hashes,
        never,
      );
      expect(found).toEqual({ sha256, sizeBytes: size, problem: null, warnings: [] });
      expect(fed().equals(content)).toBe(true);
    },
  );

  test.each([10, LARGE])('of a file of %i bytes that changed is void', async (size) => {
    const { absolute, stat } = file(randomBytes(size));
    fs.appendFileSync(absolute, 'x');
    const { check } = recordingCheck();
    await expect(
      inspectVersion({ absolute, path: 'batch/a.jsonl', stat }, () => check, hashes, never),
    ).rejects.toMatchObject(moved);
  });

  test('knows the base name and the size; what is wrong with them comes before the content', async () => {
    const { absolute, stat } = file('abc');
    const problem = { rule: 'extension', message: 'no' };
    const create = (fileName: string, sizeBytes: number): ContentCheck => {
      expect([fileName, sizeBytes]).toEqual(['a.jsonl', 3]);
      return {
        problem,
        write: () => undefined,
        end: () => ({ problem: { rule: 'later', message: '' }, warnings: ['w'] }),
        drop: () => undefined,
      };
    };
    expect(
      await inspectVersion({ absolute, path: 'batch/sub/a.jsonl', stat }, create, hashes, never),
    ).toMatchObject({
      problem,
      warnings: ['w'],
    });
  });

  test('ends with the reason of an aborted signal, and closes the file', async () => {
    const { absolute, stat } = file(randomBytes(LARGE));
    const abort = new AbortController();
    const { check, drops } = recordingCheck();
    const aborting: ContentCheck = { ...check, write: () => abort.abort(new Error('stop')) };
    await expect(
      inspectVersion({ absolute, path: 'batch/a.jsonl', stat }, () => aborting, hashes, abort.signal),
    ).rejects.toThrow('stop');
    const open = fs.readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`) === absolute;
      } catch {
        return false;
      }
    });
    expect(open).toEqual([]);
    expect(drops()).toBe(1);
  });

  test('overwrites no chunk that a slow check still looks at', async () => {
    const content = randomBytes(VERY_LARGE);
    const { absolute, stat } = file(content);
    const { check, fed, drops } = recordingCheck();
    const slow: ContentCheck = {
      ...check,
      async write(chunk) {
        await new Promise(setImmediate);
        await check.write(chunk);
      },
    };
    await inspectVersion({ absolute, path: 'batch/a.jsonl', stat }, () => slow, hashes, never);
    expect(fed().equals(content)).toBe(true);
    expect(drops()).toBe(1);
  });
});

test('a failure of the disk names the path and the cause, and what follows from it', async () => {
  const { absolute, stat } = file('abc');
  const directory = join(absolute, '..');
  await expect(openVersion({ absolute: directory, path: 'batch/dir', stat }, hashes)).rejects.toMatchObject(
    moved,
  );
  const tooLong = join(directory, 'x'.repeat(300));
  await expect(openVersion({ absolute: tooLong, path: 'batch/long', stat }, hashes)).rejects.toMatchObject({
    rule: 'io',
    disposition: 'retry',
    outcome: 'refused',
    message: expect.stringMatching(/^batch\/long: cannot be read: ENAMETOOLONG/),
  });
});

test('what was read counts, although the disk fails to close it', async () => {
  const eio = Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO', syscall: 'close' });
  const { absolute, stat, sha256 } = file('content');
  const close = fs.closeSync;
  using closing = vi.spyOn(fs, 'closeSync').mockImplementation((descriptor) => {
    close(descriptor);
    throw eio;
  });
  const version = await openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes);
  await readAll(version.chunks());
  await version.close();
  expect(version.sha256()).toBe(sha256);
  expect(closing).toHaveBeenCalledOnce();
  closing.mockImplementation((descriptor) => {
    close(descriptor);
    throw Object.assign(new Error('EBADF: bad file descriptor, close'), { code: 'EBADF', syscall: 'close' });
  });
  const wrong = await openVersion({ absolute, path: 'batch/a.jsonl', stat }, hashes);
  await expect(wrong.close()).rejects.toThrow('EBADF');
});
