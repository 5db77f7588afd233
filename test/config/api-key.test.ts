import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasApiKey, readApiKey } from '../../src/config/api-key.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-mirror-key-'));
  writeFileSync(join(folder, 'key'), '  sk-from-file\n');
  writeFileSync(join(folder, 'empty'), '\n');
  writeFileSync(join(folder, 'two-lines'), 'sk-a\nsk-b\n');
  mkdirSync(join(folder, 'credentials'));
  writeFileSync(join(folder, 'credentials', 'openai-api-key'), 'sk-from-credential\n');
  mkdirSync(join(folder, 'other-credentials'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function configWith(api: Partial<Config['api']>): Promise<Config> {
  const { config } = await loadConfig({ flags: {}, env: {}, cwd: folder, homeDir: folder });
  return { ...config, api: { ...config.api, ...api } };
}

describe('the key comes from', () => {
  test('the environment first, then the file, then the credential', async () => {
    const withFile = await configWith({ apiKeyFile: join(folder, 'key') });
    const CREDENTIALS_DIRECTORY = join(folder, 'credentials');
    expect(await readApiKey(withFile, { OPENAI_API_KEY: ' sk-from-env ', CREDENTIALS_DIRECTORY })).toBe(
      'sk-from-env',
    );
    expect(await readApiKey(withFile, { CREDENTIALS_DIRECTORY })).toBe('sk-from-file');
    expect(await readApiKey(await configWith({}), { CREDENTIALS_DIRECTORY })).toBe('sk-from-credential');
  });

  test('nowhere, which is fine on this machine only', async () => {
    expect(await readApiKey(await configWith({ baseUrl: 'http://127.0.0.1:1/v1' }), {})).toBeNull();
    await expect(
      readApiKey(await configWith({}), { CREDENTIALS_DIRECTORY: join(folder, 'other-credentials') }),
    ).rejects.toMatchObject({
      rule: 'no-key',
      halt: 'auth',
      message:
        'no API key for https://api.openai.com: set OPENAI_API_KEY, or api.apiKeyFile in the configuration',
    });
  });
});

test.each([
  ['a missing file', 'missing', 'cannot be read (ENOENT); make it readable for this user'],
  ['a folder', '.', 'cannot be read (EISDIR); make it readable for this user'],
  ['an empty file', 'empty', 'is empty; put the API key into it'],
  ['more than a key', 'two-lines', 'holds more than a key: it has spaces, line breaks or special characters'],
])('%s is an error that names it, and never quotes it', async (_, name, why) => {
  const apiKeyFile = join(folder, name);
  await expect(readApiKey(await configWith({ apiKeyFile }), {})).rejects.toMatchObject({
    rule: 'config',
    message: `api.apiKeyFile ${apiKeyFile} ${why}`,
  });
});

test('hasApiKey tells whether one is configured', async () => {
  expect(hasApiKey(await configWith({}), {})).toBe(false);
  expect(hasApiKey(await configWith({}), { OPENAI_API_KEY: ' ' })).toBe(false);
  expect(hasApiKey(await configWith({}), { OPENAI_API_KEY: 'k' })).toBe(true);
  expect(hasApiKey(await configWith({ apiKeyFile: '/k' }), {})).toBe(true);
});
