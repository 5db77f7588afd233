import { readFileSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Expectation } from '../support/blackbox/oracle.ts';
import { openTestMirror, type TestConfig, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';
import {
  dialectExamples,
  renderDialects,
  withDialects,
  type DialectExample,
} from '../support/dialect-configs.ts';

/** The example's server, with the example's configuration and nothing else but the address changed. */
async function openDialect(context: TestContext, example: DialectExample): Promise<TestMirror> {
  const mirror = await openTestMirror(context, {
    emulator: { dialect: example.dialect },
    // What the environment says would win over the configuration.
    env: { OPENAI_BASE_URL: '' },
  });
  await mirror.configure(here(example.config, mirror));
  return mirror;
}

function here(config: DialectExample['config'], mirror: TestMirror): TestConfig {
  const { search } = new URL(config.api.baseUrl);
  return { ...config, api: { ...config.api, baseUrl: `${mirror.emulator.url}${search}` } };
}

interface Contents {
  readonly path: string;
  readonly first: string | Uint8Array;
  readonly second: string | Uint8Array;
  readonly expectation?: Expectation;
}

/** One upload, one replace, one delete. */
async function liveOnce(
  mirror: TestMirror,
  { path, first, second, expectation = {} }: Contents,
): Promise<void> {
  await mirror.start();
  await mirror.write(path, first);
  await mirror.expectConverged({ posts: 1, deletes: 0, ...expectation });
  await mirror.write(path, second);
  await mirror.expectConverged({ posts: 2, deletes: 1, ...expectation });
  await rm(mirror.at(path));
  await mirror.untilConverged({ posts: 2, deletes: 2, ...expectation });
  expect(mirror.emulator.files()).toEqual([]);
  expect(mirror.emulator.requests.all().filter(({ status }) => status === null || status >= 400)).toEqual([]);
}

const batch: Contents = { path: 'batch/a.jsonl', first: batchFile(1), second: batchFile(2, 2) };
/** As Azure documents it: no `/v1`, and a deployment for a model. */
const azureLine = (n: number): string =>
  `${JSON.stringify({ custom_id: `task-${n}`, method: 'POST', url: '/chat/completions', body: { model: 'DEPLOYMENT', messages: [] } })}\n`;

describe('other servers, by their documented configuration alone', { concurrent: true }, () => {
  test('Azure OpenAI: api-key, api-version in the query, 201, pending', async (context) => {
    const mirror = await openDialect(context, dialectExamples.azure);
    await liveOnce(mirror, { ...batch, first: azureLine(1), second: azureLine(1) + azureLine(2) });
    expect(mirror.emulator.requests.uploads().map(({ status }) => status)).toEqual([201, 201]);
    for (const { query } of mirror.emulator.requests.all())
      expect(query).toHaveProperty('api-version', '2025-04-01-preview');
  });

  test('Groq: batch only, a list without parameters', async (context) => {
    const mirror = await openDialect(context, dialectExamples.groq);
    await liveOnce(mirror, batch);
    await mirror.write('evals/e.jsonl', 'not mirrored here');
    await mirror.write('batch/big.jsonl', 'x');
    await truncate(mirror.at('batch/big.jsonl'), 100_000_001);
    await mirror.flush();
    expect(await mirror.report('batch/big.jsonl')).toMatchObject({
      state: 'rejected',
      reason: expect.stringContaining('100,000,000') as string,
    });
    expect(mirror.emulator.requests.uploads()).toHaveLength(2);
    expect(await mirror.report('evals')).toMatchObject({ state: 'ignored' });
  });

  test('xAI: expiry before the file, no has_more', async (context) => {
    const mirror = await openDialect(context, dialectExamples.xai);
    await mirror.write('batch/kept.jsonl', batchFile(9));
    expect((await mirror.sync()).code).toBe(0);
    const [report] = await mirror.list();
    expect((report?.expiresAt ?? 0) - (report?.createdAt ?? 0)).toBe(604_800);
    await rm(mirror.at('batch/kept.jsonl'));
    expect((await mirror.sync()).code).toBe(0);
    mirror.emulator.requests.clear();
    await liveOnce(mirror, batch);
  });

  test('Moonshot: purposes that OpenAI does not know, mapped from folders of any name', async (context) => {
    const mirror = await openDialect(context, dialectExamples.moonshot);
    const expectation: Expectation = {
      purposes: { batch: 'batch', documents: 'file-extract', images: 'image' },
    };
    await liveOnce(mirror, { path: 'documents/manual.docx', first: 'one', second: 'another', expectation });
    await mirror.write('images/a.heic', 'an image');
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.expectConverged({ posts: 4, deletes: 2, ...expectation });
    expect(
      mirror.emulator
        .files()
        .map(({ purpose }) => purpose)
        .sort(),
    ).toEqual(['batch', 'image']);
  });

  test('a lost reply is found again where the list has no parameters', async (context) => {
    const mirror = await openDialect(context, dialectExamples.groq);
    mirror.emulator.faults.add({
      match: { method: 'POST' },
      act: { kind: 'reset', at: 'handled' },
      times: 1,
    });
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
  });

  test('a server that refuses expires_after: nothing is asked, all is well', async (context) => {
    await liveOnce(await openDialect(context, dialectExamples.noExpiry), batch);
  });

  test('an expiry that is configured where it is refused: rejected in the words of the server, until that is changed', async (context) => {
    const mirror = await openDialect(context, dialectExamples.noExpiry);
    const right = here(dialectExamples.noExpiry.config, mirror);
    await mirror.configure({ ...right, folders: { batch: { expiresAfterSeconds: 86_400 } } });
    await mirror.write('batch/a.jsonl', batchFile(1));
    const { code, result } = await mirror.sync();
    expect(code).toBe(1);
    expect(result.problems).toMatchObject([{ path: 'batch/a.jsonl', state: 'rejected' }]);
    expect(result.problems[0]?.reason).toContain("'expires_after' was unexpected");
    expect((await mirror.sync()).code).toBe(1);
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);

    await mirror.configure(right);
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 2, deletes: 0 });
  });
});

describe('the documented configurations', () => {
  test.each(Object.values<DialectExample>(dialectExamples))(
    '$title: is accepted as it is printed',
    async ({ config }) => {
      const folder = await mkdtemp(join(tmpdir(), 'dialect-'));
      try {
        const file = join(folder, 'config.json');
        await writeFile(file, JSON.stringify(config));
        const loaded = await loadConfig({ flags: { config: file }, env: {}, cwd: folder, homeDir: folder });
        expect(loaded.config.api.baseUrl).toBe(config.api.baseUrl);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );

  test('the README shows them: node test/support/write-dialects.ts', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    expect(readme).toContain(renderDialects());
    expect(withDialects(readme)).toBe(readme);
  });
});
