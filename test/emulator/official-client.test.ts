import { createHash, randomBytes } from 'node:crypto';

import OpenAI, { NotFoundError, toFile } from 'openai';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Emulator } from '../support/faulty-emulator.ts';
import { startEmulator } from '../support/faulty-emulator.ts';

let emulator: Emulator;
let client: OpenAI;

beforeEach(async () => {
  emulator = await startEmulator({ maxPageSize: 3, contentReadable: true });
  client = new OpenAI({ apiKey: 'sk-secret', baseURL: emulator.url, maxRetries: 0 });
});

afterEach(() => emulator.close());

describe('the official client', () => {
  test('uploads, retrieves, reads and deletes a file', async () => {
    const content = randomBytes(300_000);
    const uploaded = await client.files.create({
      purpose: 'user_data',
      expires_after: { anchor: 'created_at', seconds: 7200 },
      file: await toFile(content, 'report.pdf'),
    });
    expect(uploaded).toMatchObject({
      object: 'file',
      bytes: 300_000,
      filename: 'report.pdf',
      purpose: 'user_data',
      status: 'processed',
      expires_at: uploaded.created_at + 7200,
    });
    expect(uploaded.id).toMatch(/^file-\w+$/);
    expect(await client.files.retrieve(uploaded.id)).toEqual(uploaded);
    const body = await (await client.files.content(uploaded.id)).arrayBuffer();
    expect(Buffer.from(body).equals(content)).toBe(true);
    expect(emulator.files()).toMatchObject([{ sha256: createHash('sha256').update(content).digest('hex') }]);

    expect(await client.files.delete(uploaded.id)).toEqual({
      object: 'file',
      deleted: true,
      id: uploaded.id,
    });
    await expect(client.files.retrieve(uploaded.id)).rejects.toThrow(NotFoundError);
    await expect(client.files.delete(uploaded.id)).rejects.toThrow(/No such File object/);
    expect(emulator.files()).toEqual([]);
  });

  test('lists everything over pages that are shorter than asked, in both orders and by purpose', async () => {
    for (let index = 0; index < 8; index += 1) {
      const purpose = index % 2 === 0 ? 'assistants' : 'vision';
      await emulator.store.add({ purpose, filename: `${index}`, content: 'x' });
    }
    const names = async (query: OpenAI.FileListParams): Promise<string> => {
      let joined = '';
      for await (const file of client.files.list(query)) joined += file.filename;
      return joined;
    };
    expect(await names({})).toBe('76543210');
    expect(await names({ order: 'asc', limit: 2 })).toBe('01234567');
    expect(await names({ purpose: 'vision' })).toBe('7531');
    expect(await names({ purpose: 'batch' })).toBe('');
  });

  test.each(['it\'s "quoted".txt', '🎈 ünï.txt', 'per%cent;semi.txt', '-dash'])(
    'keeps the name %j',
    async (name) => {
      const uploaded = await client.files.create({
        purpose: 'user_data',
        file: await toFile(Buffer.from('x'), name),
      });
      expect(uploaded.filename).toBe(name);
    },
  );

  test('is remembered in the request log, its key is not', async () => {
    const file = await client.files.create({
      purpose: 'user_data',
      file: await toFile(Buffer.from('abc'), 'a'),
    });
    await client.files.list({ limit: 5 });
    expect(emulator.requests.all()).toMatchObject([
      {
        method: 'POST',
        path: '/v1/files',
        status: 200,
        purpose: 'user_data',
        filename: 'a',
        bytes: 3,
        sha256: createHash('sha256').update('abc').digest('hex'),
        id: file.id,
        authorized: true,
        aborted: false,
      },
      { method: 'GET', path: '/v1/files', query: { limit: '5' }, status: 200, bytes: null, id: null },
    ]);
    expect(emulator.requests.uploads()).toHaveLength(1);
    expect(emulator.requests.deletes()).toEqual([]);
    expect(emulator.requests.peakUploads(60_000)).toBe(1);
    expect(JSON.stringify(emulator.requests.all())).not.toContain('sk-secret');
    emulator.requests.clear();
    expect(emulator.requests.all()).toEqual([]);
  });

  test('many uploads at once are all stored, each with its own bytes', async () => {
    const indexes = Array.from({ length: 20 }, (_, index) => index).filter((index) => index % 3 !== 0);
    const uploads = indexes.map(async (index) =>
      client.files.create({
        purpose: 'user_data',
        file: await toFile(Buffer.alloc(100_000 * (index % 3), index), `${index}`),
      }),
    );
    const stored = await Promise.all(uploads);
    for (const file of stored) {
      const content = await emulator.store.content(file.id);
      expect(content?.every((byte) => byte === Number(file.filename))).toBe(true);
      expect(content?.length).toBe(file.bytes);
    }
  });
});
