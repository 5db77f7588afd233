import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig, type ConfigFlags, type LoadedConfig } from '../../src/config/load.ts';
import { shownConfig } from '../../src/config/shown-config.ts';
import { Fault } from '../../src/contract/faults.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-mirror-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function write(content: unknown): string {
  const dir = join(folder, `c${++files}`);
  mkdirSync(dir);
  const file = join(dir, 'my.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  return file;
}

function load(flags: ConfigFlags = {}, env: Record<string, string> = {}): Promise<LoadedConfig> {
  return loadConfig({ flags, env, cwd: folder, homeDir: '/home/somebody' });
}

async function errorOf(
  content: unknown,
  env: Record<string, string> = {},
  flags: ConfigFlags = {},
): Promise<string> {
  const config = write(content);
  const error: unknown = await load({ config, ...flags }, env).catch((error: unknown) => error);
  if (!(error instanceof Fault)) throw new Error('expected a fault');
  expect(error.rule).toBe('config');
  return error.message.replaceAll(config, 'FILE');
}

describe('without a file', () => {
  test('the defaults are in force', async () => {
    const { config, file, baseUrlGiven } = await load();
    expect(file).toBeNull();
    expect(baseUrlGiven).toBe(false);
    expect(config.root).toBe(join(folder, 'openai-files'));
    expect(config.stateDir).toMatch(/^\/home\/somebody\/\.local\/state\/files-mirror\/[0-9a-f]{16}$/);
    expect(config.limits.uploadsPerMinute).toBe(990);
    expect(
      config.folders.map(({ folder, purpose, check, priority, maxBytes }) => [
        folder,
        purpose,
        check,
        priority,
        maxBytes,
      ]),
    ).toEqual([
      ['assistants', 'assistants', 'full', 0, 536_870_912],
      ['batch', 'batch', 'full', 10, 209_715_200],
      ['evals', 'evals', 'full', 0, 536_870_912],
      ['fine-tune', 'fine-tune', 'full', 0, 536_870_912],
      ['user_data', 'user_data', 'basic', 0, 536_870_912],
      ['vision', 'vision', 'full', 0, 536_870_912],
    ]);
  });

  test('./files-mirror.json is read when it is there', async () => {
    const dir = join(folder, 'with-default');
    mkdirSync(dir);
    writeFileSync(join(dir, 'files-mirror.json'), '{"verifyHours": 1}');
    const { config, file } = await loadConfig({ flags: {}, env: {}, cwd: dir, homeDir: '/h' });
    expect([config.verifyHours, file]).toEqual([1, join(dir, 'files-mirror.json')]);
  });
});

test('the example is right as it is, and says nothing but the defaults', async () => {
  const example = new URL('../../config.example.json', import.meta.url).pathname;
  const { config } = await load({ config: example, root: '/r', stateDir: '/s' }, {});
  const { config: defaults } = await load({ root: '/r', stateDir: '/s' });
  expect(config).toEqual(defaults);
});

test('what is shown can be used as a file and means the same', async () => {
  const { config } = await load({
    config: write({ folders: { nightly: { purpose: 'batch', deletes: { mode: 'keep' } }, evals: false } }),
    root: '/r',
  });
  const again = await load({ config: write(shownConfig(config)) });
  // Default folders that were switched off must be so again.
  expect(again.config.folders.filter(({ folder }) => folder !== 'evals')).toEqual(config.folders);
  expect({ ...again.config, folders: [] }).toEqual({ ...config, folders: [] });
});

test('what is shown has no header values', async () => {
  const { config } = await load({ config: write({ api: { headers: { 'x-gateway-token': 'secret' } } }) });
  expect(JSON.stringify(shownConfig(config))).not.toContain('secret');
});

describe('who wins', () => {
  const file = {
    root: '/file',
    stateDir: '/file-state',
    api: { baseUrl: 'https://file.example/v1', organization: 'file-org' },
  };

  test('the environment over the file', async () => {
    const env = {
      OPENAI_BASE_URL: ' https://env.example/v1 ',
      OPENAI_ORG_ID: 'env-org',
      OPENAI_PROJECT_ID: 'env-project',
      FILES_MIRROR_ROOT: '/env',
    };
    const { config, baseUrlGiven } = await load({ config: write(file) }, env);
    expect(config.api).toMatchObject({
      baseUrl: 'https://env.example/v1',
      organization: 'env-org',
      project: 'env-project',
    });
    expect(config.root).toBe('/env');
    expect(baseUrlGiven).toBe(true);
  });

  test('flags over the environment', async () => {
    const { config } = await load(
      { config: write(file), root: '/flag', stateDir: '/flag-state' },
      { FILES_MIRROR_ROOT: '/env' },
    );
    expect([config.root, config.stateDir]).toEqual(['/flag', '/flag-state']);
  });

  test('an empty variable is none', async () => {
    const { config } = await load(
      { config: write(file) },
      { OPENAI_BASE_URL: '', OPENAI_ORG_ID: ' ', FILES_MIRROR_ROOT: '' },
    );
    expect([config.root, config.api.baseUrl, config.api.organization]).toEqual([
      '/file',
      'https://file.example/v1',
      'file-org',
    ]);
  });

  test('--config over FILES_MIRROR_CONFIG', async () => {
    const other = write({ root: '/other' });
    expect((await load({}, { FILES_MIRROR_CONFIG: other })).config.root).toBe('/other');
    expect((await load({ config: write(file) }, { FILES_MIRROR_CONFIG: other })).config.root).toBe('/file');
  });
});

test('paths in the file are relative to it, all others to the current folder', async () => {
  const config = write({ root: 'r', stateDir: 's', api: { apiKeyFile: 'key' } });
  const loaded = (await load({ config })).config;
  expect([loaded.root, loaded.stateDir, loaded.api.apiKeyFile]).toEqual(
    ['r', 's', 'key'].map((name) => config.replace('my.json', name)),
  );
  expect((await load({ config, root: 'r' })).config.root).toBe(join(folder, 'r'));
});

describe('folders', () => {
  const rulesOf = async (folders: unknown, deletes: unknown = {}) =>
    new Map(
      (await load({ config: write({ folders, deletes }) })).config.folders.map((rules) => [
        rules.folder,
        rules,
      ]),
    );

  test('a default folder is changed key by key', async () => {
    const rules = (await rulesOf({ batch: { priority: 3, expiresAfterSeconds: 3600.4 } })).get('batch');
    expect(rules).toMatchObject({ purpose: 'batch', check: 'full', priority: 3, expiresAfterSeconds: 3600 });
  });

  test('false switches one off', async () => {
    expect([...(await rulesOf({ evals: false })).keys()]).toEqual([
      'assistants',
      'batch',
      'fine-tune',
      'user_data',
      'vision',
    ]);
  });

  test('a new one starts from the defaults of its purpose', async () => {
    const rules = await rulesOf({
      nightly: { purpose: 'batch' },
      'file-extract': { purpose: 'file-extract' },
    });
    expect(rules.get('nightly')).toMatchObject({ check: 'full', priority: 10, maxBytes: 209_715_200 });
    expect(rules.get('file-extract')).toMatchObject({ check: 'basic', priority: 0, maxBytes: 536_870_912 });
  });

  test('deletes are overridden for one folder', async () => {
    const rules = await rulesOf({ batch: { deletes: { mode: 'mirror' } } }, { mode: 'keep' });
    expect([rules.get('batch')?.deletes, rules.get('evals')?.deletes]).toEqual(['mirror', 'keep']);
  });
});

describe('the state folder', () => {
  const stateDir = async (env: Record<string, string>) => (await load({ root: '/r' }, env)).config.stateDir;

  test("is systemd's, else XDG's, else below the home folder", async () => {
    expect(await stateDir({ STATE_DIRECTORY: '/var/lib/a:/var/lib/b', XDG_STATE_HOME: '/x' })).toBe(
      '/var/lib/a',
    );
    expect(await stateDir({ XDG_STATE_HOME: '/x' })).toMatch(/^\/x\/files-mirror\/[0-9a-f]{16}$/);
    expect(await stateDir({ XDG_STATE_HOME: 'relative' })).toMatch(
      /^\/home\/somebody\/\.local\/state\/files-mirror\//,
    );
  });

  test('differs between roots', async () => {
    expect((await load({ root: '/a' })).config.stateDir).not.toBe(
      (await load({ root: '/b' })).config.stateDir,
    );
  });

  test('through a link is still inside the root', async () => {
    mkdirSync(join(folder, 'real-root'));
    symlinkSync(join(folder, 'real-root'), join(folder, 'link'));
    await expect(
      load({ root: join(folder, 'real-root'), stateDir: join(folder, 'link', 'batch', 'state') }),
    ).rejects.toThrow(`--state-dir: ${join(folder, 'link', 'batch', 'state')} lies inside the root`);
  });
});

describe('what is wrong is said in one line each', () => {
  test.each<[string, unknown, string]>([
    [
      'an unknown key, with the nearest',
      { limits: { uploadsPerMinut: 5 } },
      'FILE:3: limits.uploadsPerMinut: unknown key; did you mean "uploadsPerMinute"?',
    ],
    ['an unknown key like no other', { colour: 'red' }, 'FILE:2: colour: unknown key'],
    [
      'an unknown key in a folder',
      { folders: { batch: { onexpiry: 'renew' } } },
      'FILE:4: folders.batch.onexpiry: unknown key; did you mean "onExpiry"?',
    ],
    [
      'a text for a number',
      { limits: { concurrentUploads: '8' } },
      'FILE:3: limits.concurrentUploads: expected a whole number from 1 to 256, got "8"',
    ],
    [
      'a fraction for a whole number',
      { limits: { concurrentUploads: 1.5 } },
      'FILE:3: limits.concurrentUploads: expected a whole number from 1 to 256, got 1.5',
    ],
    [
      'a number that is too small',
      { watch: { settleSeconds: -1 } },
      'FILE:3: watch.settleSeconds: expected a number from 0 to 3600, got -1',
    ],
    [
      'a wait that no timer can keep',
      { watch: { rescanSeconds: 1e10 } },
      'FILE:3: watch.rescanSeconds: expected a number from 0 to 2000000, got 10000000000',
    ],
    [
      'an unknown choice',
      { watch: { mode: 'inotify' } },
      'FILE:3: watch.mode: expected one of "auto", "native", "polling", "off", got "inotify"',
    ],
    [
      'a bad value in a folder',
      { folders: { batch: { check: 'all' } } },
      'FILE:4: folders.batch.check: expected one of "full", "lines", "basic", "off", got "all"',
    ],
    [
      'an expiry that the API refuses',
      { folders: { batch: { expiresAfterSeconds: 60 } } },
      'FILE:4: folders.batch.expiresAfterSeconds: expected a number from 3600 to 2592000 or null (api.expiry), got 60',
    ],
    [
      'true for a folder',
      { folders: { batch: true } },
      'FILE:3: folders.batch: expected false or an object, got true',
    ],
    ['a list for an object', { api: [] }, 'FILE:2: api: expected an object, got a list'],
    ['no object at all', [], 'FILE:1: expected an object, got a list'],
    ['an empty root', { root: '' }, 'FILE:2: root: expected text that is not empty, got ""'],
    [
      'a bad ignore pattern',
      { watch: { ignore: ['a', 5] } },
      'FILE:5: watch.ignore[1]: expected text, got 5',
    ],
    [
      'a new folder without a purpose',
      { folders: { fine_tune: { check: 'off' } } },
      'FILE:3: folders.fine_tune: a new folder needs a "purpose"; did you mean "fine-tune"?',
    ],
    [
      'an unknown folder switched off',
      { folders: { bacth: false } },
      'FILE:3: folders.bacth: no such default folder to switch off; did you mean "batch"?',
    ],
    [
      'a folder with a slash',
      { folders: { 'a/b': { purpose: 'batch' } } },
      'FILE:3: folders."a/b": a folder name is one part of a path, without "/"',
    ],
    [
      'a hidden folder',
      { folders: { '..': { purpose: 'batch' } } },
      'FILE:3: folders."..": a folder name must not start with "."',
    ],
    [
      'more than OpenAI allows',
      { limits: { uploadsPerMinute: 1000 } },
      'FILE:3: limits.uploadsPerMinute: expected at most 999 for api.openai.com, got 1000',
    ],
    [
      'no limit at OpenAI',
      { limits: { uploadsPerMinute: null } },
      'FILE:3: limits.uploadsPerMinute: expected at most 999 for api.openai.com, got null',
    ],
    [
      'plain http to a remote host',
      { api: { baseUrl: 'http://api.example/v1' } },
      'FILE:3: api.baseUrl: plain http to api.example would send the key unencrypted; use https, or the address of a host in your own network',
    ],
    [
      'a base URL that is none',
      { api: { baseUrl: 'api.openai.com' } },
      'FILE:3: api.baseUrl: expected an https URL such as "https://api.openai.com/v1"',
    ],
    [
      'a password in the base URL',
      { api: { baseUrl: 'https://me:pw@api.example' } },
      'FILE:3: api.baseUrl: no user or password in the URL; the key belongs into OPENAI_API_KEY or api.apiKeyFile',
    ],
    [
      'the key in a header',
      { api: { headers: { Authorization: 'Bearer x' } } },
      'FILE:4: api.headers.Authorization: not here: the key belongs into OPENAI_API_KEY or api.apiKeyFile',
    ],
    [
      'a header with a line break',
      { api: { headers: { 'x-a': 'b\r\nc: d' } } },
      'FILE:4: api.headers.x-a: a header value has no line breaks and no special characters',
    ],
    [
      'the key inside the root',
      { root: '/r', api: { apiKeyFile: '/r/batch/key' } },
      'FILE:4: api.apiKeyFile: /r/batch/key lies inside the root /r, whose files are uploaded; keep the key elsewhere',
    ],
    [
      'the state inside the root',
      { root: '/r', stateDir: '/r/batch/state' },
      'FILE:3: stateDir: /r/batch/state lies inside the root /r; the state belongs elsewhere',
    ],
    [
      'the root inside the state',
      { root: '/s/root', stateDir: '/s' },
      'FILE:2: root: /s/root lies inside the state folder /s; the files belong elsewhere',
    ],
    [
      'broken JSON',
      '{\n  "root": "x",\n}',
      'FILE:3:1: not JSON: expected a key in quotes (no comma after the last one), found "}"',
    ],
  ])('%s', async (_, content, message) => {
    expect(await errorOf(content)).toBe(message);
  });

  test('every problem at once', async () => {
    expect((await errorOf({ watch: { mode: 1 }, verifyHour: 2 })).split('\n')).toEqual([
      'FILE:3: watch.mode: expected one of "auto", "native", "polling", "off", got 1',
      'FILE:5: verifyHour: unknown key; did you mean "verifyHours"?',
    ]);
  });

  test('a bad value from outside the file names where it came from', async () => {
    const message =
      'plain http to api.example would send the key unencrypted; use https, or the address of a host in your own network';
    expect(await errorOf({}, { OPENAI_BASE_URL: 'http://api.example' })).toBe(`OPENAI_BASE_URL: ${message}`);
    expect(await errorOf({}, {}, { root: '/s/r', stateDir: '/s' })).toMatch(/^--root: /);
  });

  test('a file that is named must be there', async () => {
    await expect(load({ config: 'nowhere.json' })).rejects.toThrow(
      `${join(folder, 'nowhere.json')}: there is no such file; give another one with --config`,
    );
    await expect(load({ config: folder })).rejects.toThrow('cannot be read (EISDIR)');
  });
});

test.each([
  'http://localhost:1/v1',
  'http://127.0.0.1:8080',
  'http://127.1.2.3/v1',
  'http://[::1]:9/v1',
  'https://api.example/openai?api-version=1',
])('the base URL %s is fine, and has no limit of OpenAI’s', async (baseUrl) => {
  const { config } = await load({ config: write({ api: { baseUrl }, limits: { uploadsPerMinute: null } }) });
  expect(config.limits.uploadsPerMinute).toBeNull();
});

test.each(['http://127.0.0.1.example/v1', 'http://localhost.example', 'http://[::2]/v1', 'ftp://localhost/'])(
  'the base URL %s is refused',
  async (baseUrl) => {
    expect(await errorOf({ api: { baseUrl } })).toContain('api.baseUrl: ');
  },
);
