import { describe, expect, test } from 'vitest';
import { DEFAULT_BATCH_SETTINGS } from '../../src/contract/batch-settings.ts';
import { shownConfig } from '../../src/config/shown-config.ts';
import { configFolder } from './load-for-test.ts';

const { load, errorOf } = configFolder();

test('batches are off, and their settings what the design says, when nothing is configured', async () => {
  expect((await load({})).batches).toEqual(DEFAULT_BATCH_SETTINGS);
});

test('submitting is switched on for a folder of purpose batch, whatever its name, and shown', async () => {
  const config = await load({
    folders: { batch: { submit: true }, nightly: { purpose: 'batch', submit: true }, evals: false },
  });
  expect([...config.batches.submitFolders].sort((a, b) => a.localeCompare(b))).toEqual(['batch', 'nightly']);
  expect(shownConfig(config)).toMatchObject({
    batches: { resultsFolder: 'results', maxOpen: 50 },
    folders: { batch: { submit: true }, nightly: { submit: true } },
  });
});

describe('what makes no sense is refused', () => {
  test.for<[unknown, RegExp]>([
    [{ folders: { evals: { submit: true } } }, /folders\.evals\.submit: only files of purpose "batch"/],
    [{ folders: { x: { purpose: 'evals', submit: true } } }, /folders\.x\.submit: only files of purpose/],
    [{ batches: { resultsFolder: 'batch' } }, /resultsFolder: "batch" is mirrored/],
    [{ batches: { resultsFolder: 'batch/results' } }, /resultsFolder: "batch" is mirrored/],
    [
      { folders: { r: { purpose: 'batch' } }, batches: { resultsFolder: 'r/x' } },
      /resultsFolder: "r" is mirrored/,
    ],
    [{ batches: { resultsFolder: '../results' } }, /resultsFolder: expected a folder below the root/],
    [{ batches: { resultsFolder: '/results' } }, /resultsFolder: expected a folder below the root/],
    [{ batches: { resultsFolder: 'a//b' } }, /resultsFolder: expected a folder below the root/],
    [{ batches: { retries: 3 } }, /batches\.retries: expected a whole number from 0 to 2/],
    [{ batches: { perHour: 5000 } }, /batches\.perHour: expected a whole number from 1 to 2000/],
    [{ batches: { metadata: { files_mirror_path: 'x' } } }, /metadata\.files_mirror_path: this name is ours/],
    [{ batches: { metadata: { a: 'x'.repeat(513) } } }, /metadata\.a: a key has at most 64/],
    [
      { batches: { metadata: Object.fromEntries(Array.from({ length: 13 }, (_, key) => [key, 'x'])) } },
      /metadata: at most 12 keys/,
    ],
    [
      { folders: { batch: { submit: true, onExpiry: 'renew' } }, batches: { cleanUp: 'all' } },
      /folders\.batch\.onExpiry: expected "forget"/,
    ],
    [{ batches: { idempotencyHeader: 'a b' } }, /idempotencyHeader: not a header name/],
    [{ batches: { maxperday: {} } }, /maxPerDay/],
  ])('%j', async ([content, says]) => {
    expect(await errorOf(content)).toMatch(says);
  });
});

test('a results folder with the name of a default folder that is switched off is free', async () => {
  const config = await load({ folders: { evals: false }, batches: { resultsFolder: 'evals' } });
  expect(config.batches.resultsFolder).toBe('evals');
});
