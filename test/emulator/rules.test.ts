import { afterEach, describe, expect, test } from 'vitest';

import type { Emulator, EmulatorOptions } from '../support/faulty-emulator.ts';
import { startEmulator } from '../support/faulty-emulator.ts';
import type { ErrorBody, Field } from './wire.ts';
import { fileFields, formBody, sendRaw, upload } from './wire.ts';

const key = { authorization: 'Bearer sk-test' };
const running: Emulator[] = [];

async function start(options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = await startEmulator(options);
  running.push(emulator);
  return emulator;
}

afterEach(() => Promise.all(running.splice(0).map((emulator) => emulator.close())));

async function refusal(response: Response): Promise<ErrorBody['error'] & { status: number }> {
  const { error } = (await response.json()) as ErrorBody;
  expect(Object.keys(error)).toEqual(['message', 'type', 'param', 'code']);
  expect(response.headers.get('x-request-id')).toMatch(/^req_/);
  return { status: response.status, ...error };
}

/** A clock that stands still until it is told otherwise. */
function handClock(startMs: number) {
  let wallMs = startMs;
  return {
    nowMs: () => wallMs,
    monotonicMs: () => wallMs,
    advance: (ms: number) => {
      wallMs += ms;
    },
  };
}

describe('access', () => {
  test('without a key: 401, unless none is wanted', async () => {
    const url = `${(await start()).url}/files`;
    expect(await refusal(await fetch(url))).toMatchObject({ status: 401, type: 'invalid_request_error' });
    const open = await start({ authorization: 'none' });
    expect((await fetch(`${open.url}/files`)).status).toBe(200);
  });

  test('a certain key: any other is refused without being repeated', async () => {
    const { url } = await start({ authorization: { key: 'sk-right' } });
    const wrong = await fetch(`${url}/files`, { headers: { authorization: 'Bearer sk-wrong' } });
    const { code, message } = await refusal(wrong);
    expect(code).toBe('invalid_api_key');
    expect(message).not.toContain('sk-wrong');
    const right = await fetch(`${url}/files`, { headers: { authorization: 'Bearer sk-right' } });
    expect(right.status).toBe(200);
  });
});

describe('upload rules', () => {
  const expiry = (seconds: string, anchor = 'created_at'): Field[] => [
    { name: 'expires_after[anchor]', value: anchor },
    { name: 'expires_after[seconds]', value: seconds },
  ];
  const cases: [string, Field[], number, RegExp][] = [
    ['no purpose', [{ name: 'file', value: 'x', filename: 'a' }], 400, /'purpose' is a required/],
    ['an unknown purpose', fileFields('a', 'x', 'memes'), 400, /'memes' is not one of \['assistants'/],
    ['a purpose of results', fileFields('a', 'x', 'batch_output'), 400, /is not one of/],
    ['no file', [{ name: 'purpose', value: 'batch' }], 400, /'file' is a required/],
    ['a file without a name', [{ name: 'file', value: 'x' }], 400, /with a name/],
    ['an empty file', fileFields('a', ''), 400, /File is empty/],
    ['a batch that is no .jsonl', fileFields('a.json', 'x', 'batch'), 400, /Batch API. Must be .jsonl/],
    ['a fine-tune that is no .jsonl', fileFields('a', 'x', 'fine-tune'), 400, /Must be .jsonl/],
    ['another field', [{ name: 'note', value: '' }, ...fileFields('a', 'x')], 400, /'note' was unexpected/],
    ['a field twice', [{ name: 'purpose', value: 'batch' }, ...fileFields('a', 'x')], 400, /Duplicate/],
    ['two files', [...fileFields('a', 'x'), { name: 'file', value: 'y', filename: 'b' }], 400, /Duplicate/],
    ['a huge field', [{ name: 'purpose', value: 'x'.repeat(2000) }], 400, /too long/],
    ['expiry too soon', [...expiry('3599'), ...fileFields('a', 'x')], 400, />= 3600/],
    ['expiry too late', [...expiry('2592001'), ...fileFields('a', 'x')], 400, /<= 2592000/],
    ['expiry that is no number', [...expiry('soon'), ...fileFields('a', 'x')], 400, /expected an integer/],
    ['another anchor', [...expiry('3600', 'last_used'), ...fileFields('a', 'x')], 400, /'created_at'/],
    ['half an expiry', [...expiry('3600').slice(1), ...fileFields('a', 'x')], 400, /expires_after.anchor/],
  ];
  test.each(cases)('%s is refused and nothing stored', async (_, fields, status, message) => {
    const emulator = await start();
    const error = await refusal(await upload(`${emulator.url}/files`, fields));
    expect(error).toMatchObject({ status, type: 'invalid_request_error' });
    expect(error.message).toMatch(message);
    expect(emulator.files()).toEqual([]);
  });

  test('no form at all is refused', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/files`, { method: 'POST', headers: key, body: '{}' });
    expect(await refusal(response)).toMatchObject({ status: 400, message: /multipart/ });
  });

  test('fields may follow the file', async () => {
    const { url } = await start();
    const fields = [...fileFields('a.jsonl', 'x', 'batch').toReversed(), ...expiry('3600')];
    expect(await (await upload(`${url}/files`, fields)).json()).toMatchObject({ purpose: 'batch', bytes: 1 });
  });

  test('batch files expire after 30 days by themselves, others do not', async () => {
    const { url } = await start();
    const batch = (await (await upload(`${url}/files`, fileFields('a.jsonl', 'x', 'batch'))).json()) as {
      created_at: number;
      expires_at: number;
    };
    expect(batch.expires_at - batch.created_at).toBe(30 * 86_400);
    const other = await (await upload(`${url}/files`, fileFields('a', 'x'))).json();
    expect(other).not.toHaveProperty('expires_at');
  });

  test('more than 512 MB is refused from the announcement alone', async () => {
    const emulator = await start();
    const response = sendRaw(`${emulator.url}/files`, '', 600 * 1024 * 1024, true);
    await expect.poll(() => emulator.requests.all()[0]?.status).toBe(413);
    await emulator.close();
    running.length = 0;
    expect(await response).toMatch(/^HTTP\/1.1 413[^]*Maximum content size limit \(536870912\)/);
  });

  test('full storage is a 400 that names the quota', async () => {
    const emulator = await start({ storageBytes: 10 });
    expect((await upload(`${emulator.url}/files`, fileFields('a', '1234567890'))).status).toBe(200);
    const error = await refusal(await upload(`${emulator.url}/files`, fileFields('b', '1')));
    expect(error).toMatchObject({ status: 400, message: /storage quota/ });
    emulator.store.remove(emulator.files()[0]?.id ?? '');
    expect((await upload(`${emulator.url}/files`, fileFields('b', '1'))).status).toBe(200);
  });

  test('a body that breaks off stores nothing, even behind its closing boundary', async () => {
    const emulator = await start();
    const whole = formBody(fileFields('a', 'x'.repeat(200_000)));
    await sendRaw(`${emulator.url}/files`, whole.slice(0, 100_000), whole.length, false);
    await sendRaw(`${emulator.url}/files`, whole, whole.length + 1, false);
    await expect.poll(() => emulator.requests.all().map((entry) => entry.aborted)).toEqual([true, true]);
    expect(emulator.requests.all().map((entry) => entry.status)).toEqual([null, null]);
    expect(emulator.files()).toEqual([]);
  });

  test('a thousand uploads a minute, then 429 with Retry-After until the window has moved on', async () => {
    const clock = handClock(1_763_766_000_000);
    const emulator = await start({ clock, uploadsPerMinute: 2 });
    const post = () => upload(`${emulator.url}/files`, fileFields('a', 'x'));
    expect((await post()).status).toBe(200);
    clock.advance(20_000);
    expect((await post()).status).toBe(200);
    const refused = await post();
    expect(refused.headers.get('retry-after')).toBe('60');
    expect(await refusal(refused)).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    expect((await fetch(`${emulator.url}/files`, { headers: key })).status).toBe(200);
    clock.advance(59_999);
    expect((await post()).status).toBe(429);
    clock.advance(60_000);
    expect((await post()).status).toBe(200);
    expect(emulator.files()).toHaveLength(3);
  });
});

describe('listing', () => {
  test('an empty list has strings for its ends, as the published description says', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/files`, { headers: key });
    expect(await response.json()).toEqual({
      object: 'list',
      data: [],
      first_id: '',
      last_id: '',
      has_more: false,
    });
  });

  test.each([
    ['limit=0', /Expected a value >= 1/],
    ['limit=10001', /Expected a value <= 10000/],
    ['limit=ten', /expected an integer/],
    ['order=up', /'asc' and 'desc'/],
  ])('%s is refused', async (query, message) => {
    const { url } = await start();
    const error = await refusal(await fetch(`${url}/files?${query}`, { headers: key }));
    expect(error).toMatchObject({ status: 400, param: query.split('=')[0], message });
  });

  test('an unknown cursor is refused', async () => {
    const { url } = await start();
    const error = await refusal(await fetch(`${url}/files?after=file-x`, { headers: key }));
    expect(error).toMatchObject({ status: 404, param: 'after' });
  });

  test('order goes by creation time, then by the order of storing, even when the clock goes back', async () => {
    const clock = handClock(2_000_000);
    const { store, url } = await start({ clock });
    await store.add({ purpose: 'batch', filename: 'b', content: 'x' });
    await store.add({ purpose: 'batch', filename: 'c', content: 'x' });
    clock.advance(-5000);
    await store.add({ purpose: 'batch', filename: 'a', content: 'x' });
    const response = await fetch(`${url}/files?order=asc`, { headers: key });
    const { data } = (await response.json()) as { data: { filename: string }[] };
    expect(data.map((file) => file.filename)).toEqual(['a', 'b', 'c']);
  });
});

describe('time', () => {
  test('expired files vanish from everything, and the Date header tells the time', async () => {
    const clock = handClock(1_763_766_000_000);
    const emulator = await start({ clock, storageBytes: 2 });
    const { store, url } = emulator;
    const mortal = await store.add({
      purpose: 'batch',
      filename: 'm',
      content: 'x',
      expiresAfterSeconds: 3600,
    });
    const lasting = await store.add({ purpose: 'batch', filename: 'l', content: 'x' });
    clock.advance(3_599_999);
    expect((await fetch(`${url}/files/${mortal.id}`, { headers: key })).status).toBe(200);
    clock.advance(1);
    for (const method of ['GET', 'DELETE']) {
      const response = await fetch(`${url}/files/${mortal.id}`, { method, headers: key });
      expect(response.status).toBe(404);
      expect(response.headers.get('date')).toBe('Sat, 22 Nov 2025 00:00:00 GMT');
    }
    expect(emulator.files()).toEqual([lasting]);
    expect(await store.content(mortal.id)).toBeNull();
    expect((await upload(`${url}/files`, fileFields('n', 'x'))).status).toBe(200);
  });
});

describe('file extensions', () => {
  test.each([
    ['assistants', 'a.xsd', 'Invalid extension xsd. Supported formats: "c", "cpp"'],
    ['assistants', 'README', 'Invalid extension . Supported formats:'],
    ['vision', 'a.txt', 'Invalid extension txt. Supported formats: "png"'],
  ])('%s refuses %s', async (purpose, filename, message) => {
    const { url } = await start();
    const refused = await refusal(await upload(`${url}/files`, fileFields(filename, 'x', purpose)));
    expect(refused).toMatchObject({ status: 400, message: expect.stringContaining(message) as string });
  });

  test.each([
    ['assistants', 'a.PDF'],
    ['vision', 'a.webp'],
    ['user_data', 'README'],
    ['evals', 'a.csv'],
  ])('%s takes %s', async (purpose, filename) => {
    const { url } = await start();
    expect((await upload(`${url}/files`, fileFields(filename, 'x', purpose))).status).toBe(200);
  });
});

describe('addresses and contents', () => {
  test.each([
    ['GET', '/models', 404],
    ['GET', '//files', 404],
    ['PUT', '/files', 405],
    ['POST', '/files/file-x', 405],
    ['POST', '/files/file-x/content', 405],
    ['GET', '/files/file-x/content', 404],
    ['GET', '/files/file-x/more', 404],
  ])('%s %s is %i', async (method, path, status) => {
    const { url } = await start();
    expect(await refusal(await fetch(`${url}${path}`, { method, headers: key }))).toMatchObject({ status });
  });

  test.each(['assistants', 'vision', 'user_data'])(
    'the content of %s is not given out, unless all are readable',
    async (purpose) => {
      const closed = await start();
      const { id } = await closed.store.add({ purpose, filename: 'a', content: 'x' });
      const guarded = await fetch(`${closed.url}/files/${id}/content`, { headers: key });
      const message = `Not allowed to download files of purpose: ${purpose}`;
      expect(await refusal(guarded)).toMatchObject({ status: 400, message });
      const open = await start({ contentReadable: true });
      const file = await open.store.add({ purpose, filename: 'a', content: 'x' });
      const content = await fetch(`${open.url}/files/${file.id}/content`, { headers: key });
      expect(await content.text()).toBe('x');
    },
  );

  test.each(['batch', 'fine-tune', 'evals', 'batch_output'])(
    'the content of %s is given out',
    async (purpose) => {
      const { store, url } = await start();
      const { id } = await store.add({ purpose, filename: 'a.jsonl', content: 'y' });
      expect(await (await fetch(`${url}/files/${id}/content`, { headers: key })).text()).toBe('y');
    },
  );

  test('discarded contents leave their size and nothing else', async () => {
    const emulator = await start({ discard: true, contentReadable: true });
    await upload(`${emulator.url}/files`, fileFields('a', 'x'.repeat(100_000)));
    const [file] = emulator.files();
    expect(file).toMatchObject({ bytes: 100_000, sha256: null });
    expect(await emulator.store.content(file?.id ?? '')).toBeNull();
    const content = await fetch(`${emulator.url}/files/${file?.id}/content`, { headers: key });
    expect(await refusal(content)).toMatchObject({ status: 400, message: /was not kept/ });
  });

  test('a taken port is an error', async () => {
    const { url } = await start();
    await expect(startEmulator({ port: Number(new URL(url).port) })).rejects.toThrow(/EADDRINUSE/);
  });
});

describe('dialects', () => {
  const list = (url: string, query = '') => fetch(`${url}/files${query}`, { headers: key });

  test('azure wants an api-version, takes an api-key, and answers 201 with a pending file', async () => {
    const { url } = await start({ dialect: 'azure' });
    expect(url).toMatch(/\/openai$/);
    expect((await list(url)).status).toBe(404);
    const files = `${url}/files?api-version=2024-10-21`;
    const response = await upload(files, fileFields('a.txt', 'x', 'assistants'), {
      authorization: '',
      'api-key': 'abc',
    });
    expect(response.status).toBe(201);
    const { id, status } = (await response.json()) as { id: string; status: string };
    expect(status).toBe('pending');
    expect(await (await list(url, `/${id}?api-version=1`)).json()).toMatchObject({ status: 'processed' });
    expect((await fetch(files, { headers: { 'api-key': '' } })).status).toBe(401);
  });

  test('groq takes batches only, refuses list parameters and expiry, and does not page', async () => {
    const { url } = await start({ dialect: 'groq' });
    expect((await upload(`${url}/files`, fileFields('a', 'x'))).status).toBe(400);
    expect((await upload(`${url}/files`, fileFields('a.jsonl', 'x', 'batch'))).status).toBe(200);
    expect((await list(url, '?limit=10')).status).toBe(400);
    const page = (await (await list(url)).json()) as object;
    expect(Object.keys(page)).toEqual(['object', 'data']);
  });

  test('xai wants expiry ahead of the file', async () => {
    const { url } = await start({ dialect: 'xai' });
    const expiry = [
      { name: 'expires_after[anchor]', value: 'created_at' },
      { name: 'expires_after[seconds]', value: '3600' },
    ];
    expect((await upload(`${url}/files`, [...fileFields('a', 'x'), ...expiry])).status).toBe(400);
    expect((await upload(`${url}/files`, [...expiry, ...fileFields('a', 'x')])).status).toBe(200);
    expect(await (await list(url)).json()).not.toHaveProperty('has_more');
  });

  test('moonshot has purposes of its own and overlooks list parameters', async () => {
    const { url } = await start({ dialect: 'moonshot' });
    expect((await upload(`${url}/files`, fileFields('a', 'x'))).status).toBe(400);
    expect((await upload(`${url}/files`, fileFields('a', 'x', 'file-extract'))).status).toBe(200);
    expect((await upload(`${url}/files`, fileFields('b', 'x', 'image'))).status).toBe(200);
    const page = (await (await list(url, '?limit=1&after=nothing')).json()) as { data: unknown[] };
    expect(page.data).toHaveLength(2);
  });

  test('no-expiry refuses expires_after and lets batches live', async () => {
    const { url } = await start({ dialect: 'no-expiry' });
    const expiry = { name: 'expires_after[seconds]', value: '3600' };
    const refused = await refusal(await upload(`${url}/files`, [expiry, ...fileFields('a', 'x')]));
    expect(refused).toMatchObject({ status: 400, message: /'expires_after' was unexpected/ });
    const batch = await (await upload(`${url}/files`, fileFields('a.jsonl', 'x', 'batch'))).json();
    expect(batch).not.toHaveProperty('expires_at');
  });

  test('azure takes expiry from 14 to 30 days only, and batches live until they are told otherwise', async () => {
    const { url } = await start({ dialect: 'azure-v1' });
    const expiring = (seconds: number) =>
      upload(`${url}/files`, [
        { name: 'expires_after[anchor]', value: 'created_at' },
        { name: 'expires_after[seconds]', value: String(seconds) },
        ...fileFields('a.jsonl', 'x', 'batch'),
      ]);
    expect(await refusal(await expiring(259_200))).toMatchObject({ code: 'integer_below_min_value' });
    expect((await expiring(1_209_600)).status).toBe(200);
    const plain = await (await upload(`${url}/files`, fileFields('a.jsonl', 'x', 'batch'))).json();
    expect(plain).not.toHaveProperty('expires_at');
  });

  test('zhipu wants a purpose in every list', async () => {
    const { url } = await start({ dialect: 'zhipu' });
    expect(await refusal(await list(url))).toMatchObject({ status: 400, param: 'purpose' });
    expect(await (await list(url, '?purpose=agent&limit=100')).json()).toMatchObject({ has_more: false });
    expect(await refusal(await list(url, '?purpose=agent&limit=101'))).toMatchObject({ param: 'limit' });
  });

  test('xai leads from page to page by a token', async () => {
    const { url, store } = await start({ dialect: 'xai' });
    for (const filename of ['a', 'b', 'c']) await store.add({ purpose: '', filename, content: 'x' });
    const names: string[] = [];
    let token: string | null = '';
    while (token !== null) {
      const query: string = token === '' ? '?limit=2' : `?limit=2&pagination_token=${token}`;
      const page = (await (await list(url, query)).json()) as {
        data: { filename: string }[];
        pagination_token: string | null;
      };
      names.push(...page.data.map(({ filename }) => filename));
      token = page.pagination_token;
    }
    expect(names).toEqual(['c', 'b', 'a']);
  });

  test('cerebras lists oldest first, 100 at most, and does not say whether there is more', async () => {
    const { url, store } = await start({ dialect: 'cerebras' });
    for (const filename of ['a', 'b']) await store.add({ purpose: 'batch', filename, content: 'x' });
    const page = (await (await list(url, '?limit=100&order=desc')).json()) as {
      data: { filename: string }[];
    };
    expect(Object.keys(page)).toEqual(['object', 'data']);
    expect(page.data.map(({ filename }) => filename)).toEqual(['a', 'b']);
    expect((await list(url, '?limit=1000')).status).toBe(400);
  });

  test('litellm takes its provider in the form, and its ids are long', async () => {
    const { url, store } = await start({ dialect: 'litellm', contentReadable: true });
    const fields = [
      { name: 'custom_llm_provider', value: 'azure' },
      ...fileFields('a.txt', 'x', 'assistants'),
    ];
    const { id } = (await (await upload(`${url}/files`, fields)).json()) as { id: string };
    expect(id).toHaveLength(338);
    expect((await store.content(id))?.toString()).toBe('x');
    expect(await (await list(url, `/${encodeURIComponent(id)}/content`)).text()).toBe('x');
    expect((await fetch(`${url}/files/${id}`, { method: 'DELETE', headers: key })).status).toBe(200);
  });

  test('no-deletes refuses every DELETE', async () => {
    const { url, store } = await start({ dialect: 'no-deletes' });
    const { id } = await store.add({ purpose: 'batch', filename: 'a', content: 'x' });
    expect((await fetch(`${url}/files/${id}`, { method: 'DELETE', headers: key })).status).toBe(405);
    expect((await list(url, `/${id}`)).status).toBe(200);
  });
});
