import { readFileSync } from 'node:fs';
import { rm, truncate } from 'node:fs/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import type { DialectName } from '../../src/emulator/dialects.ts';
import type { PresetName } from '../../src/config/preset-names.ts';
import type { TestConfig } from '../support/blackbox/fast-config.ts';
import type { Expectation } from '../support/blackbox/oracle.ts';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';
import { presetConfig, renderDialects, withDialects } from '../support/dialect-configs.ts';

async function openAt(
  context: TestContext,
  dialect: DialectName,
  config: (url: string) => TestConfig,
): Promise<TestMirror> {
  const mirror = await openTestMirror(context, {
    emulator: { dialect },
    // What the environment says would win over the configuration.
    env: { OPENAI_BASE_URL: '' },
  });
  await mirror.configure(config(mirror.emulator.url));
  return mirror;
}

/** The preset at its server, and what a user adds to it. */
function openPreset(context: TestContext, preset: PresetName, more: TestConfig = {}): Promise<TestMirror> {
  return openAt(context, preset, (url) => ({ ...more, ...presetConfig(preset, url) }));
}

/** As Azure documents it: no `/v1`, and a deployment for a model. */
const azureLine = (n: number): string =>
  `${JSON.stringify({ custom_id: `task-${n}`, method: 'POST', url: '/chat/completions', body: { model: 'DEPLOYMENT', messages: [] } })}\n`;

describe('what is particular to one server', { concurrent: true }, () => {
  test('Azure OpenAI: api-key, api-version in the query, 201, pending, lines without /v1', async (context) => {
    const mirror = await openPreset(context, 'azure');
    await mirror.write('batch/a.jsonl', azureLine(1));
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    await mirror.write('batch/a.jsonl', azureLine(1) + azureLine(2));
    await mirror.expectConverged({ posts: 2, deletes: 1 });
    expect(mirror.emulator.requests.uploads().map(({ status }) => status)).toEqual([201, 201]);
    for (const { query } of mirror.emulator.requests.all())
      expect(query).toHaveProperty('api-version', '2024-10-21');
  });

  test('Azure OpenAI: three days are refused at the start, fourteen are asked for', async (context) => {
    const mirror = await openPreset(context, 'azure-v1', {
      folders: { batch: { expiresAfterSeconds: 259_200 } },
    });
    const refused = await mirror.run('config', 'check');
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain('expected a number from 1209600 to 2592000 or null');

    const fourteen = { folders: { batch: { expiresAfterSeconds: 1_209_600 } } };
    await mirror.configure({ ...fourteen, ...presetConfig('azure-v1', mirror.emulator.url) });
    await mirror.write('batch/a.jsonl', azureLine(1));
    expect((await mirror.sync()).code).toBe(0);
    const [report] = await mirror.list();
    expect((report?.expiresAt ?? 0) - (report?.createdAt ?? 0)).toBe(1_209_600);
  });

  test('Groq: batch only, up to 100 MB', async (context) => {
    const mirror = await openPreset(context, 'groq');
    await mirror.write('evals/e.jsonl', 'not mirrored here');
    await mirror.write('batch/big.jsonl', 'x');
    await truncate(mirror.at('batch/big.jsonl'), 100_000_001);
    await mirror.start();
    await mirror.flush();
    expect(await mirror.report('batch/big.jsonl')).toMatchObject({
      state: 'rejected',
      reason: expect.stringContaining('100,000,000') as string,
    });
    expect(mirror.emulator.requests.uploads()).toEqual([]);
    expect(await mirror.report('evals')).toMatchObject({ state: 'ignored' });
  });

  test('xAI: expiry before the file', async (context) => {
    const mirror = await openPreset(context, 'xai', { folders: { batch: { expiresAfterSeconds: 604_800 } } });
    await mirror.write('batch/kept.jsonl', batchFile(9));
    expect((await mirror.sync()).code).toBe(0);
    const [report] = await mirror.list();
    expect((report?.expiresAt ?? 0) - (report?.createdAt ?? 0)).toBe(604_800);
  });

  test('Moonshot: purposes that OpenAI does not know, mapped from folders of any name', async (context) => {
    const mirror = await openPreset(context, 'moonshot');
    const expectation: Expectation = {
      purposes: { batch: 'batch', documents: 'file-extract', images: 'image' },
    };
    await mirror.write('images/a.heic', 'an image');
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.start();
    await mirror.expectConverged({ posts: 2, deletes: 0, ...expectation });
    const purposes = mirror.emulator.files().map(({ purpose }) => purpose);
    expect(purposes.sort()).toEqual(['batch', 'image']);
  });

  test('a server that cannot delete: nothing is asked of it that it refuses', async (context) => {
    const mirror = await openAt(context, 'no-deletes', (url) => ({ api: { baseUrl: url, deletes: false } }));
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.write('batch/b.jsonl', batchFile(2));
    expect((await mirror.sync()).code).toBe(0);
    await mirror.write('batch/a.jsonl', batchFile(3));
    await rm(mirror.at('batch/b.jsonl'));
    expect((await mirror.sync()).code).toBe(0);
    const refused = mirror.emulator.requests.all().filter(({ status }) => (status ?? 0) >= 400);
    expect(refused).toEqual([]);
  });

  test('an expiry that is configured where it is refused: rejected in the words of the server, until that is changed', async (context) => {
    const mirror = await openAt(context, 'no-expiry', (url) => ({
      api: { baseUrl: url },
      folders: { batch: { expiresAfterSeconds: 86_400 } },
    }));
    await mirror.write('batch/a.jsonl', batchFile(1));
    const { code, result } = await mirror.sync();
    expect(code).toBe(1);
    expect(result.problems).toMatchObject([{ path: 'batch/a.jsonl', state: 'rejected' }]);
    expect(result.problems[0]?.reason).toContain("'expires_after' was unexpected");
    expect((await mirror.sync()).code).toBe(1);
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);

    await mirror.configure({ api: { baseUrl: mirror.emulator.url } });
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 2, deletes: 0 });
  });
});

test('the README shows the presets: node test/support/write-dialects.ts', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  expect(readme).toContain(renderDialects());
  expect(withDialects(readme)).toBe(readme);
});
