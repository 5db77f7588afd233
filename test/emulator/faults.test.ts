import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Emulator } from '../support/faulty-emulator.ts';
import { startEmulator } from '../support/faulty-emulator.ts';
import type { FaultAct } from '../support/fault-injection.ts';
import {
  badGateway,
  badRequest,
  dropReplyField,
  falsifyReply,
  forbidden,
  htmlWithSuccess,
  insufficientQuota,
  rateLimited,
  serverError,
  storageQuotaFull,
  unauthorized,
} from '../support/fault-presets.ts';
import { fileFields, upload } from './wire.ts';

interface Page {
  readonly data: readonly { readonly id: string; readonly filename: string }[];
  readonly has_more: boolean;
}

let nowMs: number;
let emulator: Emulator;
let filesUrl: string;

beforeEach(async () => {
  nowMs = 1_763_766_000_000;
  emulator = await startEmulator({ clock: { nowMs: () => nowMs } });
  filesUrl = `${emulator.url}/files`;
});

afterEach(() => emulator.close());

const post = (name = 'a', content = 'x') => upload(filesUrl, fileFields(name, content));

function call(path = '', init: RequestInit = {}): Promise<Response> {
  return fetch(`${filesUrl}${path}`, { headers: { authorization: 'Bearer k' }, ...init });
}

async function listed(query = ''): Promise<string> {
  const page = (await (await call(query)).json()) as Page;
  return page.data.map((file) => file.filename).join('');
}

function stored(): string {
  return emulator
    .files()
    .map((file) => file.filename)
    .join('');
}

describe('answers instead of the work', () => {
  const cases: [string, FaultAct, number, Record<string, string>, RegExp][] = [
    ['429 with seconds', rateLimited({ seconds: 7 }), 429, { 'retry-after': '7' }, /rate_limit_exceeded/],
    [
      '429 with a date',
      rateLimited({ httpDate: new Date(0) }),
      429,
      { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' },
      /rate/,
    ],
    ['429 with milliseconds', rateLimited({ milliseconds: 250 }), 429, { 'retry-after-ms': '250' }, /rate/],
    ['429 with nothing', rateLimited(null), 429, {}, /rate/],
    ['429 without credit', insufficientQuota(), 429, {}, /insufficient_quota/],
    ['400 for full storage', storageQuotaFull(), 400, {}, /storage quota/],
    ['400 for the file', badRequest('Line 3 is no JSON'), 400, {}, /Line 3/],
    ['401', unauthorized(), 401, {}, /invalid_api_key/],
    ['403', forbidden(), 403, {}, /insufficient permissions/],
    ['500', serverError('arrival'), 500, {}, /server_error/],
    ['500 after the body', serverError('body'), 500, {}, /server_error/],
    ['502 with HTML', badGateway('arrival'), 502, { 'content-type': 'text/html' }, /^<html>/],
  ];
  test.each(cases)('%s', async (_, act, status, headers, body) => {
    const fault = emulator.faults.add({ match: { method: 'POST' }, act, times: 1 });
    const response = await post('a', 'x'.repeat(300_000));
    expect(response.status).toBe(status);
    expect(Object.fromEntries(response.headers)).toMatchObject(headers);
    expect(response.headers.has('retry-after')).toBe('retry-after' in headers);
    expect(await response.text()).toMatch(body);
    expect(stored()).toBe('');
    expect(fault.hits).toBe(1);
    expect(emulator.requests.all()).toMatchObject([{ status, faults: ['respond'] }]);
    expect((await post()).status).toBe(200);
  });
});

describe('broken connections', () => {
  const cases: [string, Extract<FaultAct, { kind: 'reset' }>['at'], string][] = [
    ['before the body', 'arrival', ''],
    ['after some bytes', { afterBytes: 70_000 }, ''],
    ['half way', { afterFraction: 0.5 }, ''],
    ['after the body, before storing', 'body', ''],
    ['after storing', 'handled', 'a'],
  ];
  test.each(cases)('reset %s', async (_, at, expected) => {
    const fault = emulator.faults.add({ act: { kind: 'reset', at }, times: 1 });
    await expect(post('a', 'x'.repeat(500_000))).rejects.toThrow(/fetch failed/);
    await expect
      .poll(() => emulator.requests.all())
      .toMatchObject([{ status: null, aborted: true, faults: ['reset'] }]);
    expect(stored()).toBe(expected);
    expect(fault.hits).toBe(1);
  });

  test.each([
    ['arrival', ''],
    ['body', ''],
    ['handled', 'a'],
  ] as const)('hang at %s until the client gives up', async (at, expected) => {
    emulator.faults.add({ act: { kind: 'hang', at } });
    const giveUp = new AbortController();
    const response = upload(filesUrl, fileFields('a', 'x'), {}, giveUp.signal);
    await expect
      .poll(() => {
        const [entry] = emulator.requests.all();
        if (at === 'arrival') return entry?.faults[0];
        return at === 'body' ? entry?.sha256 : entry?.id;
      })
      .toBeTypeOf('string');
    giveUp.abort();
    await expect(response).rejects.toThrow(/abort/i);
    await expect.poll(() => emulator.requests.all()[0]?.aborted).toBe(true);
    expect(stored()).toBe(expected);
  });
});

describe('work that was done and a reply that does not say so', () => {
  const cases: [string, FaultAct, number, RegExp][] = [
    ['500 after storing', serverError('handled'), 500, /server_error/],
    ['502 after storing', badGateway('handled'), 502, /Bad Gateway/],
    ['HTML with 200', htmlWithSuccess('handled'), 200, /^<!doctype html>/],
    ['JSON cut short', { kind: 'truncate', keepBytes: 20 }, 200, /^.{20}$/],
    ['another size', falsifyReply({ bytes: 999 }), 200, /"bytes":999/],
    ['another id', falsifyReply({ id: 'file-other' }), 200, /"id":"file-other"/],
    ['no expiry', dropReplyField('expires_at'), 200, /^(?!.*expires_at)/],
  ];
  test.each(cases)('%s', async (_, act, status, body) => {
    emulator.faults.add({ match: { method: 'POST', path: /\/files$/ }, act });
    const fields = [
      { name: 'expires_after[anchor]', value: 'created_at' },
      { name: 'expires_after[seconds]', value: '3600' },
      ...fileFields('a', 'x'),
    ];
    const response = await upload(filesUrl, fields);
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(body);
    expect(emulator.files()).toMatchObject([{ filename: 'a', bytes: 1, expiresAt: nowMs / 1000 + 3600 }]);
  });

  test('a reply that drips arrives whole in the end, or is given up', async () => {
    emulator.faults.add({ act: { kind: 'drip', chunkBytes: 40, everyMs: 1 }, times: 1 });
    expect(await (await post()).json()).toMatchObject({ filename: 'a' });
    emulator.faults.add({ act: { kind: 'drip', chunkBytes: 1, everyMs: 60_000 } });
    const response = await call('', { signal: AbortSignal.timeout(50) });
    await expect(response.text()).rejects.toThrow(/timeout/);
    await expect.poll(() => emulator.requests.all()[1]?.aborted).toBe(true);
  });

  test('a delay holds a request up and then lets it pass', async () => {
    emulator.faults.add({ act: { kind: 'delay', ms: 30 } });
    const startedMs = performance.now();
    expect((await post()).status).toBe(200);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(29);
  });
});

describe('deleting', () => {
  const cases: [string, FaultAct, number, string][] = [
    ['409', { kind: 'respond', status: 409, body: {} }, 409, 'a'],
    ['404 for a file that is there', { kind: 'respond', status: 404, body: {} }, 404, 'a'],
    ['500 after the deed', serverError('handled'), 500, ''],
  ];
  test.each(cases)('%s', async (_, act, status, left) => {
    const { id } = await emulator.store.add({ purpose: 'vision', filename: 'a', content: 'x' });
    emulator.faults.add({ match: { method: 'DELETE' }, act, times: 1 });
    expect((await call(`/${id}`, { method: 'DELETE' })).status).toBe(status);
    expect(stored()).toBe(left);
  });

  test('a hang before the deed deletes nothing', async () => {
    const { id } = await emulator.store.add({ purpose: 'vision', filename: 'a', content: 'x' });
    emulator.faults.add({ match: { method: 'DELETE' }, act: { kind: 'hang', at: 'arrival' } });
    const response = call(`/${id}`, { method: 'DELETE', signal: AbortSignal.timeout(50) });
    await expect(response).rejects.toThrow(/timeout/);
    expect(stored()).toBe('a');
  });
});

describe('listings', () => {
  const add = (filename: string) => emulator.store.add({ purpose: 'vision', filename, content: 'x' });

  test('lag: a new file shows up late in lists, and in GET only if asked for', async () => {
    await add('a');
    nowMs += 5000;
    const { id } = await add('b');
    const lag = emulator.faults.add({ act: { kind: 'list-lag', ms: 3000, retrieve: false } });
    expect(await listed()).toBe('a');
    expect((await call(`/${id}`)).status).toBe(200);
    lag.remove();
    emulator.faults.add({ act: { kind: 'list-lag', ms: 3000, retrieve: true } });
    expect((await call(`/${id}`)).status).toBe(404);
    nowMs += 3000;
    expect(await listed()).toBe('ba');
    expect((await call(`/${id}`)).status).toBe(200);
  });

  test('short pages say that there is more', async () => {
    for (const name of ['a', 'b', 'c']) await add(name);
    emulator.faults.add({ act: { kind: 'list-short', files: 2 } });
    const page = (await (await call('?limit=100')).json()) as Page;
    expect(page.data.map((file) => file.filename)).toEqual(['c', 'b']);
    expect(page.has_more).toBe(true);
    expect(await listed(`?after=${page.data[1]?.id}`)).toBe('a');
  });

  test('stale pages show what was, gone cursors included', async () => {
    const a = await add('a');
    const b = await add('b');
    emulator.faults.add({ act: { kind: 'list-stale' } });
    await add('c');
    emulator.store.remove(b.id);
    expect(await listed()).toBe('ba');
    expect(await listed(`?after=${b.id}`)).toBe('a');
    emulator.faults.clear();
    expect(await listed()).toBe('ca');
    expect(emulator.files()[0]).toEqual(a);
  });

  test('endless listings repeat their first page and promise more', async () => {
    await add('a');
    const { id } = await add('b');
    emulator.faults.add({ act: { kind: 'list-endless' } });
    const page = (await (await call(`?after=${id}&limit=1`)).json()) as Page;
    expect(page).toMatchObject({ data: [{ filename: 'b' }], has_more: true });
  });
});

describe('which requests', () => {
  test('by the name of the upload, by its purpose, or by any word', async () => {
    emulator.faults.add({ match: { filename: 'bad' }, act: badRequest('bad name') });
    emulator.faults.add({ match: { filename: /^huge/ }, act: { kind: 'reset', at: { afterBytes: 1 } } });
    emulator.faults.add({ match: { purpose: 'vision' }, act: badRequest('no pictures') });
    emulator.faults.add({ match: (request) => request.query['who'] === 'me', act: forbidden() });
    expect((await post('bad')).status).toBe(400);
    await expect(post('huge-1', 'x'.repeat(300_000))).rejects.toThrow(/fetch failed/);
    expect((await upload(filesUrl, fileFields('good', 'x', 'vision'))).status).toBe(400);
    expect((await post('good')).status).toBe(200);
    expect((await call('?who=me')).status).toBe(403);
    expect((await call('?who=you')).status).toBe(200);
    expect(stored()).toBe('good');
  });

  test('two faults strike the same request, each as often as it may', async () => {
    const slow = emulator.faults.add({ act: { kind: 'delay', ms: 1 } });
    const broken = emulator.faults.add({ act: serverError('arrival'), times: 2 });
    const statuses: number[] = [];
    for (let round = 0; round < 3; round += 1) statuses.push((await call()).status);
    expect(statuses).toEqual([500, 500, 200]);
    expect([slow.hits, broken.hits]).toEqual([3, 2]);
    expect(emulator.requests.all()[0]?.faults).toEqual(['delay', 'respond']);
  });

  test('an error inside the emulator is a 500 and told', async () => {
    const told: unknown[] = [];
    const other = await startEmulator({ onInternalError: (error) => told.push(error) });
    other.faults.add({
      act: {
        kind: 'rewrite',
        patch: () => {
          throw new Error('patched badly');
        },
      },
    });
    const response = await fetch(`${other.url}/files`, { headers: { authorization: 'Bearer k' } });
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ error: { type: 'server_error' } });
    expect(told).toMatchObject([{ message: 'patched badly' }]);
    await other.close();
  });
});
