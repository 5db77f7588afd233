import { rm } from 'node:fs/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import { presetNames, type PresetName } from '../../src/config/preset-names.ts';
import type { DialectName } from '../../src/emulator/dialects.ts';
import type { VerifyReport } from '../../src/contract/report.ts';
import type { TestConfig } from '../support/blackbox/fast-config.ts';
import { openTestMirror, SCENARIO_TIMEOUT_MS, type TestMirror } from '../support/blackbox/mirror-process.ts';
import type { Expectation } from '../support/blackbox/oracle.ts';
import { batchFile } from '../support/blackbox/samples.ts';
import { presetConfig } from '../support/dialect-configs.ts';

/** Files of somebody else, more than fit on one page of those that have short ones. */
const FOREIGN_FILES = 150;

interface Life {
  readonly dialect: DialectName;
  readonly config: (emulatorUrl: string) => TestConfig;
  readonly folder: string;
  readonly expectation: Expectation;
  /** The n-th content. */
  readonly content: (n: number) => string | Uint8Array;
  readonly name: (letter: string) => string;
}

const batches = {
  folder: 'batch',
  expectation: {},
  content: (n: number) => batchFile(n, n),
  name: (letter: string) => `${letter}.jsonl`,
} as const;

function documents(folder: string, purpose: string) {
  const content = (n: number) => `document ${'.'.repeat(n)}`;
  return {
    folder,
    content,
    name: (letter: string) => `${letter}.pdf`,
    expectation: { purposes: { [folder]: purpose } },
  };
}

function ofPreset(preset: PresetName): Life {
  const own = { dialect: preset, config: (url: string) => presetConfig(preset, url) };
  switch (preset) {
    case 'moonshot':
    case 'dashscope':
      return { ...own, ...documents('documents', 'file-extract') };
    case 'zhipu':
      return { ...own, ...documents('agent', 'agent') };
    case 'litellm':
      return { ...own, ...documents('assistants', 'assistants') };
    default:
      return { ...own, ...batches };
  }
}

const lives: readonly (readonly [string, Life])[] = [
  ['openai', { dialect: 'openai', config: (url) => ({ api: { baseUrl: url } }), ...batches }],
  ...presetNames.map((preset) => [preset, ofPreset(preset)] as const),
];

async function openLife(
  context: TestContext,
  { dialect, config, folder, expectation }: Life,
): Promise<TestMirror> {
  // What the environment says would win over the configuration.
  const mirror = await openTestMirror(context, { emulator: { dialect }, env: { OPENAI_BASE_URL: '' } });
  await mirror.configure(config(mirror.emulator.url));
  const purpose = expectation.purposes?.[folder] ?? folder;
  for (let n = 0; n < FOREIGN_FILES; n += 1) await mirror.addForeign(purpose, `foreign-${n}`, 'x');
  return mirror;
}

describe('the life of a folder at each server, by its preset alone', { concurrent: true }, () => {
  test.for(lives)(
    '%s: drop, change, move, lose a reply, remove, restart, verify, adopt',
    { timeout: 2 * SCENARIO_TIMEOUT_MS },
    async ([, life], context) => {
      const { folder, content, name, expectation } = life;
      const mirror = await openLife(context, life);
      const { emulator } = mirror;
      const at = (...parts: readonly string[]) => [folder, ...parts].join('/');

      await mirror.write(at(name('a')), content(1));
      await mirror.write(at(name('b')), content(2));
      await mirror.start();
      await mirror.expectConverged({ posts: 2, deletes: 0, ...expectation });

      await mirror.write(at(name('a')), content(3));
      await mirror.expectConverged({ posts: 3, deletes: 1, ...expectation });

      await mirror.rename(at(name('b')), at('below', name('b')));
      await mirror.expectConverged({ posts: 3, deletes: 1, ...expectation });

      emulator.faults.add({ match: { method: 'POST' }, act: { kind: 'reset', at: 'handled' }, times: 1 });
      await mirror.write(at(name('c')), content(4));
      await mirror.expectConverged({ posts: 4, deletes: 1, ...expectation });

      await rm(mirror.at(at('below', name('b'))));
      await mirror.untilConverged({ posts: 4, deletes: 2, ...expectation });

      await mirror.stop();
      await mirror.write(at(name('d')), content(5));
      await mirror.start();
      await mirror.expectConverged({ posts: 5, deletes: 2, ...expectation });

      const verified = await mirror.run('verify', '--json');
      expect(verified.code).toBe(0);
      const report = JSON.parse(verified.stdout) as VerifyReport;
      expect(report).toMatchObject({ missing: [], differing: [], expired: [] });
      const counted = report.usage.reduce((sum, { unownedFiles }) => sum + unownedFiles, 0);
      expect(counted).toBe(FOREIGN_FILES);
      await mirror.stop();

      await rm(mirror.stateDir, { recursive: true });
      expect((await mirror.run('adopt')).code).toBe(0);
      expect((await mirror.sync()).code).toBe(0);
      await mirror.expectConverged({ posts: 5, deletes: 2, ...expectation });
      const refused = emulator.requests
        .all()
        .filter(({ method, status }) => method !== 'GET' && (status ?? 0) >= 400);
      expect(refused).toEqual([]);
    },
  );
});
