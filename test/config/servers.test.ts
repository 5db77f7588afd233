import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readHeaders } from '../../src/config/header-values.ts';
import { presetNames } from '../../src/config/preset-names.ts';
import { ownAddressOf, presets } from '../../src/config/presets.ts';
import { shownConfig } from '../../src/config/shown-config.ts';
import { configFolder } from './load-for-test.ts';

const { folder, load, errorOf } = configFolder();

describe('header values', () => {
  test('come from the configuration, a file beside it, or the environment', async () => {
    const config = await load({
      api: { headers: { 'x-plain': 'literal', 'x-file': { file: 'token' }, 'x-env': { env: 'TOKEN' } } },
    });
    const source = config.api.headers['x-file'];
    const file = typeof source === 'object' ? source.file : undefined;
    expect(file).toMatch(/^\/.*\/token$/);
    writeFileSync(file ?? '', 'from-file\n');
    expect(readHeaders(config.api.headers, { TOKEN: ' from-env ' })).toEqual({
      headers: { 'x-plain': 'literal', 'x-file': 'from-file', 'x-env': 'from-env' },
      secrets: ['from-file', 'from-env'],
    });
  });

  test('what is shown has their sources and none of their values', async () => {
    const headers = { 'x-plain': 'secret-one', 'x-env': { env: 'TOKEN' } };
    expect(shownConfig(await load({ api: { headers } }, { TOKEN: 'secret-two' }))).toMatchObject({
      api: { headers: { 'x-plain': '[redacted]', 'x-env': { env: 'TOKEN' } } },
    });
  });

  const secret = 'se-cret';
  test.each([
    [
      'a file that is missing',
      { file: join(folder, 'nowhere') },
      {},
      /x-a: .*nowhere cannot be read \(ENOENT\)/,
    ],
    ['a variable that is not set', { env: 'TOKEN' }, {}, /x-a: the environment variable TOKEN is not set/],
    ['an empty variable', { env: 'TOKEN' }, { TOKEN: ' ' }, /TOKEN is not set/],
    ['two lines', { env: 'TOKEN' }, { TOKEN: `${secret}\nmore` }, /TOKEN holds more than a header value/],
  ])('%s is refused by name, without the value', (_, source, env, message) => {
    const read = () => readHeaders({ 'x-a': source }, env);
    expect(read).toThrow(message);
    expect(read).not.toThrow(secret);
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be read is refused', () => {
    const file = join(folder, 'locked');
    writeFileSync(file, 'x');
    chmodSync(file, 0);
    expect(() => readHeaders({ 'x-a': { file } }, {})).toThrow(/cannot be read \(EACCES\)/);
  });

  test.each([
    [{ 'x-a': {} }, 'api.headers.x-a: expected one of "file" and "env", which says where the value is'],
    [{ 'x-a': { file: 'f', env: 'E' } }, 'api.headers.x-a: expected one of "file" and "env"'],
    [{ 'x-a': { path: 'f' } }, 'unknown key'],
    [{ 'x-a': 5 }, 'api.headers.x-a: expected text or an object, got 5'],
    [{ authorization: { env: 'E' } }, 'not here: the key belongs into OPENAI_API_KEY'],
  ])('%j is refused', async (headers, message) => {
    expect(await errorOf({ api: { headers } })).toContain(message);
  });

  test('a file inside the root would be uploaded', async () => {
    const content = { root: '/srv/root', api: { headers: { 'x-a': { file: '/srv/root/batch/token' } } } };
    expect(await errorOf(content)).toContain('lies inside the root /srv/root');
  });
});

describe('form fields', () => {
  test.each(['purpose', 'file', 'expires_after', 'expires_after[seconds]', 'a"b', ''])(
    '"%s" is not to be set',
    async (name) => {
      expect(await errorOf({ api: { uploadFields: { [name]: 'x' } } })).toContain('api.uploadFields');
    },
  );

  test.each(['file', 'a"b', 'a\r\nb'])('an expiry is not asked for in "%s"', async (field) => {
    expect(await errorOf({ api: { expiry: { field } } })).toContain('api.expiry.field: not');
  });

  test('another name for the expiry is ours then, and the usual one is free', async () => {
    const expiry = { field: 'ttl', form: 'seconds' };
    expect(await errorOf({ api: { expiry, uploadFields: { ttl: '5' } } })).toContain('expiresAfterSeconds');
    await expect(load({ api: { expiry, uploadFields: { expires_after: '5' } } })).resolves.toBeDefined();
  });
});

describe('expiry', () => {
  const threeDays = { folders: { batch: { expiresAfterSeconds: 259_200 } } };

  test('three days are well at OpenAI and too short at Azure', async () => {
    await expect(load(threeDays)).resolves.toBeDefined();
    const api = { preset: 'azure-v1', baseUrl: 'https://x.openai.azure.com/openai/v1' };
    expect(await errorOf({ api, ...threeDays })).toBe(
      'folders.batch.expiresAfterSeconds: expected a number from 1209600 to 2592000 or null (api.expiry), got 259200',
    );
  });

  test('a server that cannot expire is not asked to', async () => {
    expect(await errorOf({ api: { preset: 'groq' }, ...threeDays })).toContain(
      'this server cannot expire files',
    );
  });

  test('bounds that contradict each other are refused', async () => {
    expect(await errorOf({ api: { expiry: { minSeconds: 10, maxSeconds: 5 } } })).toContain(
      'api.expiry.minSeconds: expected at most api.expiry.maxSeconds (5), got 10',
    );
  });
});

describe('a server that cannot delete', () => {
  test('keeps what is removed, in every folder', async () => {
    const config = await load({ api: { deletes: false }, deletes: { mode: 'mirror' } });
    expect(new Set(config.folders.map(({ deletes }) => deletes))).toEqual(new Set(['keep']));
  });

  test('a folder that asks for deletes there is a contradiction', async () => {
    const content = { api: { deletes: false }, folders: { batch: { deletes: { mode: 'mirror' } } } };
    expect(await errorOf(content)).toBe(
      'folders.batch.deletes.mode: expected "keep", since api.deletes is false: this server cannot delete',
    );
  });
});

describe('presets', () => {
  test.each(presetNames)('%s is right by itself, and what is shown means the same', async (preset) => {
    const baseUrl = ownAddressOf(preset);
    const api = { preset, ...(baseUrl === null ? {} : { baseUrl }) };
    const config = await load({ root: '/r', stateDir: '/s', api });
    expect(config.api).toMatchObject({ ...presets[preset].api });
    expect(await load(shownConfig(config))).toEqual(config);
  });

  test.each(presetNames)('%s speaks to its own server or to none', async (preset) => {
    const example = ownAddressOf(preset);
    if (example === null) {
      expect((await load({ api: { preset } })).api.baseUrl).not.toContain('openai.com');
    } else {
      expect(await errorOf({ api: { preset } })).toBe(
        `api.preset: the preset "${preset}" needs api.baseUrl, which only you know, such as "${example}"`,
      );
      await expect(load({ api: { preset } }, { OPENAI_BASE_URL: example })).resolves.toBeDefined();
    }
  });

  test('what the user sets wins, key by key', async () => {
    const config = await load({
      api: { preset: 'groq', listParameters: 'full', headers: { 'x-a': 'b' } },
      limits: { concurrentUploads: 2 },
      folders: { batch: { priority: 3 }, vision: { check: 'off' } },
    });
    expect(config.api).toMatchObject({
      baseUrl: 'https://api.groq.com/openai/v1',
      listParameters: 'full',
      headers: { 'x-a': 'b' },
    });
    expect(config.limits).toMatchObject({ storageBytes: null, concurrentUploads: 2 });
    expect(config.folders.map(({ folder }) => folder)).toEqual(['batch', 'vision']);
    expect(config.folders[0]).toMatchObject({ maxBytes: 100_000_000, priority: 3 });
  });

  test('a folder that only the preset has can be switched off', async () => {
    const content = { api: { preset: 'moonshot' }, folders: { videos: false } };
    const config = await load(content);
    expect(config.folders.map(({ folder }) => folder)).toEqual(['batch', 'documents', 'images']);
    const again = await load(shownConfig(config));
    expect(again.folders).toEqual(config.folders);
  });

  test('an unknown one is refused with the names that there are', async () => {
    const message = await errorOf({ api: { preset: 'openai' } });
    expect(message).toContain('expected one of "azure", "azure-v1", "groq"');
    expect(message).toContain('or null, got "openai"');
  });

  test('the environment wins over it', async () => {
    const env = { OPENAI_BASE_URL: 'https://proxy.example/v1' };
    expect((await load({ api: { preset: 'xai' } }, env)).api.baseUrl).toBe(env.OPENAI_BASE_URL);
  });
});
